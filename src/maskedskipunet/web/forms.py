"""Reads forms that browsers send, without what is large or of another kind."""

from dataclasses import dataclass
from urllib.parse import parse_qs

from fastapi import Request

from maskedskipunet.web.refusals import BadRequestError

MOST_FIELDS = 1200
LONGEST_FIELD = 4000


@dataclass(frozen=True)
class Form:
    """The fields of a form; each may stand several times."""

    fields: dict[str, list[str]]

    def text(self, name: str) -> str:
        """Return a field, empty where it is not there."""
        return self.fields.get(name, [""])[0]

    def texts(self, name: str) -> list[str]:
        """Return all values of a field."""
        return self.fields.get(name, [])


async def read_form(request: Request) -> Form:
    """Return the form that a request carries. Raises BadRequestError for anything else."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise BadRequestError("no form", "", "Send application/x-www-form-urlencoded")
    try:
        text = (await request.body()).decode("ascii")
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise BadRequestError("the form cannot be read", "", "Send the page's own forms") from error
    if any(len(value) > LONGEST_FIELD for values in fields.values() for value in values):
        raise BadRequestError("a field of the form is too long", "", f"Send {LONGEST_FIELD} characters at most")
    return Form(fields)
