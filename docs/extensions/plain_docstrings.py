"""Shows what docstrings explain in running text (`name: what it is. other: …`) as a list of arguments or attributes."""

import re
from collections.abc import Sequence
from typing import Any

NAMES = re.compile(r"(?:^|(?<=[.] ))([a-z_]\w*(?:, [a-z_]\w*)*): ")  # at the start of a paragraph or of a sentence
OVER = re.compile(r"(?<=[.] )(?=(?:Returns|Raises|Yields|Use) |Source: )")  # what follows explains no name


def setup(app: Any) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", list_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def list_names(app: Any, kind: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Put the names that a docstring explains into a field list, which Sphinx shows as one."""
    lines[:] = as_fields(lines, "ivar" if kind in ("class", "exception") else "param")


def as_fields(lines: Sequence[str], field: str) -> list[str]:
    """Return the lines with each paragraph that explains names turned into fields; others as they are.

    >>> as_fields(["Add.", "", "a, b: numbers. c: one more.", "Raises ValueError."], "param")
    ['Add.', '', ':param a: numbers.', ':param b: numbers.', ':param c: one more.', '', 'Raises ValueError.', '']
    """
    paragraphs = re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))
    return [line for paragraph in paragraphs for line in (*_paragraph(paragraph, field), "")]


def _paragraph(text: str, field: str) -> list[str]:
    joined = " ".join(text.split())
    if not NAMES.match(joined):
        return text.splitlines()
    body, *rest = OVER.split(joined, maxsplit=1)
    parts = NAMES.split(body)[1:]
    fields = [
        f":{field} {name}: {told.strip()}"
        for names, told in zip(parts[::2], parts[1::2], strict=True)
        for name in names.split(", ")
    ]
    return [*fields, "", *rest] if rest else fields
