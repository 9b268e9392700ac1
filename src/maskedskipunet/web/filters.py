"""Which events the review page shows: its filters, as an address holds them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal, get_args
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from maskedskipunet.records.query import EventQuery
from maskedskipunet.records.recorded import Answer
from maskedskipunet.web.refusals import BadRequestError

Order = Literal["newest", "strangest", "oldest"]
Seen = Literal["yes", "no"]
PERIODS_S: Mapping[str, float] = {"hour": 3600.0, "day": 86400.0, "week": 7 * 86400.0, "month": 30 * 86400.0}
CUES = ("movement", "appearance", "reconstruction")
LONGEST = 120


@dataclass(frozen=True)
class ReviewFilter:
    """Each filter as it stands in the address, empty where it is not set.

    period: since so long ago. since, until: times as a browser writes them, in the zone of that name. seen: whether the
    viewer has looked at them.
    """

    camera: str = ""
    answer: str = ""
    cue: str = ""
    seen: str = ""
    kind: str = ""
    period: str = ""
    since: str = ""
    until: str = ""
    zone: str = ""
    order: str = "newest"

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> "ReviewFilter":
        """Return the filters of an address. Raises BadRequestError for values that there are not."""
        given = {field.name: parameters[field.name] for field in fields(cls) if parameters.get(field.name)}
        filters = cls(**given)
        choices = (
            ("answer", ("none", *get_args(Answer))),
            ("cue", CUES),
            ("seen", get_args(Seen)),
            ("period", tuple(PERIODS_S)),
            ("order", get_args(Order)),
        )
        for name, allowed in choices:
            if (value := getattr(filters, name)) and value not in allowed:
                raise BadRequestError(f"{value[:40]!r} is no value of {name}", "", f"Use {', '.join(allowed)}")
        if any(len(value) > LONGEST for value in given.values()):
            raise BadRequestError("a filter is too long", "", f"Use {LONGEST} characters at most")
        return filters

    @property
    def is_set(self) -> bool:
        """True if anything is left out."""
        return any(value for name, value in asdict(self).items() if name not in ("order", "zone"))

    def query(self, now_unix_s: float, visitor: str) -> EventQuery:
        """Return what is asked of the records. visitor: who has seen, or not."""
        since = self._time("since")
        if since is None and self.period:
            since = now_unix_s - PERIODS_S[self.period]
        answer: Any = self.answer or None
        order: Any = self.order
        return EventQuery(
            since_unix_s=since,
            until_unix_s=self._time("until"),
            camera=self.camera or None,
            answer=answer,
            cue=self.cue or None,
            kind_id=self.kind or None,
            seen_by=visitor if self.seen == "yes" else None,
            unseen_by=visitor if self.seen == "no" else None,
            order=order,
        )

    def address(self, path: str = "/review", **changed: str) -> str:
        """Return the address of these filters, some of them changed."""
        defaults = asdict(ReviewFilter())
        values = {name: value for name, value in (asdict(self) | changed).items() if value != defaults.get(name, "")}
        return f"{path}?{urlencode(values)}" if values else path

    def _time(self, name: str) -> float | None:
        text = getattr(self, name)
        if not text:
            return None
        try:
            zone = ZoneInfo(self.zone) if self.zone else UTC
            time = datetime.fromisoformat(text)
            return (time if time.tzinfo else time.replace(tzinfo=zone)).timestamp()
        except (ValueError, OverflowError, OSError, KeyError) as error:
            raise BadRequestError(f"{text[:40]!r} is no time", name, "Write 2026-03-01T08:00") from error
