"""A recorded event: a row of the database, and a JSON file beside its clip."""

import json
import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any, Literal, get_args

from maskedskipunet.detection.events import Event, Phase
from maskedskipunet.detection.fusing import EventReason
from maskedskipunet.errors import RecordsError
from maskedskipunet.files import atomic_write
from maskedskipunet.records.folder import require_id

FORMAT_VERSION = 1
LARGEST_BYTES = 4_000_000  # of a file; whatever is longer is no event
LONGEST_NAME = 64  # of a user of the page
PRESENCE = ("has_clip", "has_picture", "has_normal_picture", "has_heat_map", "has_reconstruction")  # of files
Answer = Literal["normal", "anomaly", "unsure"]

_QUERY = re.compile(r"[?#].*", re.DOTALL)


@dataclass(frozen=True)
class RecordedEvent:
    """An event with its data in the records.

    camera: its name. began_unix_s: the event's begin in seconds since 1970, UTC; updated_unix_s: its last update.
    sequence: the number of its earlier messages. has_clip, has_picture, has_normal_picture, has_heat_map,
    has_reconstruction: the files exist (see EventPaths). answer: a person's answer; answered_by: the user who gave
    it, if known. revision: counts changes of the record, from 1.
    """

    event: Event
    camera: str
    began_unix_s: float
    updated_unix_s: float
    phase: Phase
    sequence: int
    has_clip: bool
    has_picture: bool
    answer: Answer | None
    answered_unix_s: float | None
    revision: int
    has_normal_picture: bool = False
    has_heat_map: bool = False
    has_reconstruction: bool = False
    answered_by: str | None = None

    @property
    def is_open(self) -> bool:
        return self.phase != "end"

    def write(self, path: Path) -> None:
        """Write the event as JSON. Raises DiskSpaceError when there is no room."""
        values = {"format": FORMAT_VERSION} | {field.name: getattr(self, field.name) for field in fields(self)}
        values["event"] = self.event.to_dict()
        with atomic_write(path) as part:
            part.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "RecordedEvent":
        """Read what write wrote. Raises RecordsError for anything else, and for a file with another event's name."""
        try:
            with path.open("rb") as file:
                text = file.read(LARGEST_BYTES + 1)
            if len(text) > LARGEST_BYTES:
                raise ValueError("too large for an event")
            recorded = cls._from_dict(json.loads(text))
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise RecordsError(f"not an event ({error})"[:200], str(path), "Restore the file") from error
        if path.stem != recorded.event.id:
            raise RecordsError("holds another event than its name says", str(path), "Give the file its own name back")
        return recorded

    @classmethod
    def _from_dict(cls, values: Any) -> "RecordedEvent":
        if values["format"] != FORMAT_VERSION:
            raise ValueError(f"format {values['format']!r}, this version reads {FORMAT_VERSION}")
        event, answer = values["event"], values["answer"]
        if values["phase"] not in get_args(Phase) or answer not in (None, *get_args(Answer)):
            raise ValueError("a phase or an answer that there is not")
        values = dict.fromkeys(PRESENCE[2:], False) | values  # earlier versions did not write them
        if not all(isinstance(values[key], bool) for key in PRESENCE):
            raise ValueError(f"{', '.join(PRESENCE)} are true or false")
        return cls(
            event=plain_event(Event.from_dict(event)),
            camera=require_camera(values["camera"]),
            began_unix_s=require_time(values["began_unix_s"]),
            updated_unix_s=require_time(values["updated_unix_s"]),
            phase=values["phase"],
            sequence=_whole(values["sequence"]),
            **{key: values[key] for key in PRESENCE},
            answer=answer,
            answered_unix_s=None if answer is None else require_time(values["answered_unix_s"]),
            revision=_whole(values["revision"]),
            answered_by=None if answer is None else _name(values.get("answered_by")),
        )

    def message(self) -> dict[str, Any]:
        """Return the message about the event; docs/records.md explains each key."""
        event = self.event.to_dict()
        return {
            "key": message_key(self.event.id, self.phase, self.sequence),
            "kind": "event",
            "id": event.pop("id"),
            "phase": self.phase,
            "sequence": self.sequence,
            "camera": self.camera,
            "began_at": iso_time(self.began_unix_s),
            "updated_at": iso_time(self.updated_unix_s),
            "has_clip": self.has_clip,
            "has_picture": self.has_picture,
            **({"has_normal_picture": True} if self.has_normal_picture else {}),
        } | event


def message_key(event_id: str, phase: str, sequence: int) -> str:
    """Return the key by which a repeated delivery is recognised: it is the same in every try."""
    return f"{event_id}:{phase}:{sequence}"


def plain_event(event: Event) -> Event:
    """Return the event in plain numbers, its source without credentials.

    Raises RecordsError for an id that is none, numbers that are none or not finite, and boxes of other than four.
    """
    require_id(event.id if isinstance(event.id, str) else repr(event.id))
    try:
        return Event(
            id=event.id,
            source=without_credentials(str(event.source)),
            start_s=_real(event.start_s),
            end_s=_real(event.end_s),
            peak_s=_real(event.peak_s),
            start_frame=_whole(event.start_frame),
            end_frame=_whole(event.end_frame),
            peak_frame=_whole(event.peak_frame),
            top_score=_real(event.top_score),
            mean_score=_real(event.mean_score),
            boxes=tuple((_whole(x), _whole(y), _whole(width), _whole(height)) for x, y, width, height in event.boxes),
            normal_share=None if event.normal_share is None else _real(event.normal_share),
            reason=None if event.reason is None else _plain_reason(event.reason),
            kind_id=None if event.kind_id is None else require_id(str(event.kind_id)),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RecordsError(f"an event that cannot be recorded ({error})", event.id, "State numbers") from error


def _plain_reason(reason: EventReason) -> EventReason:
    """Return the reason in plain numbers. Raises KeyError, TypeError or ValueError for values that JSON cannot hold."""
    return EventReason.from_dict(json.loads(json.dumps(reason.to_dict(), default=_real, allow_nan=False)))


def without_credentials(source: str) -> str:
    """Return a source's address without user, password and query; a path is unchanged.

    Only its scheme is left if a query and a password cannot be distinguished, since both may hold any character.

    >>> without_credentials("rtsp://me:secret@10.0.0.5/live?token=1"), without_credentials("rtsp://me:s?cret@10.0.0.5")
    ('rtsp://10.0.0.5/live', 'rtsp://')
    """
    scheme, separator, rest = source.partition("://")
    if not separator:
        return source
    query = _QUERY.search(rest)
    if query is not None and "@" in query[0]:
        return scheme + separator
    return scheme + separator + _QUERY.sub("", rest).rpartition("@")[2]


def require_camera(name: object) -> str:
    """Return the name of a camera. Raises RecordsError for an empty, long or unprintable one."""
    if not isinstance(name, str) or not 0 < len(name) <= 100 or not name.isprintable():
        cure = "Use up to 100 printable characters"
        raise RecordsError(f"{str(name)[:80]!r} is no name of a camera", "camera", cure)
    return name


def require_time(unix_s: Any) -> float:
    """Return a time since 1970 that a calendar has. Raises RecordsError for others."""
    try:
        datetime.fromtimestamp(value := _real(unix_s), UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise RecordsError(f"{str(unix_s)[:40]} is no time", "time", "State seconds since 1970") from error
    return value


def iso_time(unix_s: float) -> str:
    """Return a time as people and programs read it.

    >>> iso_time(1.25)
    '1970-01-01T00:00:01.250+00:00'
    """
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds")


def _name(value: Any) -> str | None:
    if value is not None and not (isinstance(value, str) and len(value) <= LONGEST_NAME):
        raise ValueError(f"{str(value)[:40]!r} is no name")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool | str) or int(value) != value or abs(int(value)) >= 2**63:
        raise ValueError(f"{str(value)[:40]!r} is no whole number")
    return int(value)


def _real(value: Any) -> float:
    if isinstance(value, bool | str) or not isfinite(value):
        raise ValueError(f"{str(value)[:40]!r} is no number")
    return float(value)
