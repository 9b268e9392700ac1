"""The records folder: the path of each file."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from maskedskipunet.errors import RecordsError

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class EventPaths(NamedTuple):
    """The paths of all files of an event, whether they exist or not.

    normal_picture: of its nearest normal moment. heat_map: where its peak is anomalous, a small PNG that is transparent
    where it is not. reconstruction: what the network made of the peak, small too.
    """

    clip: Path
    picture: Path
    normal_picture: Path
    heat_map: Path
    reconstruction: Path
    description: Path


class RecordsFolder:
    """The paths of everything that was recorded; each path has one name here.

    An event's files lie side by side in a folder of the day, in UTC, on which it began: `events/2026-03-01/ID.json`,
    `ID.mp4`, `ID.jpg`, `ID.normal.jpg`, `ID.heat.png` and `ID.rebuilt.jpg`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = path / "records.db"
        self.events = path / "events"
        self.curves = path / "curves"  # the score curve of each camera
        self.live = path / "live"  # how each camera is now, and its last picture
        self.lost = path / "lost"  # files that belong to no event, put aside by a repair
        self.lock = path / ".lock"  # held while the database is made or upgraded
        self.turn_lock = path / ".turn.lock"  # held by the one that is next to write
        self.watch_id = path / ".watch.id"  # what its watch is called where several publish
        self.watch_lock = path / ".watch.lock"  # held by the one process that writes clips and delivers

    def description(self, event_id: str, began_unix_s: float) -> Path:
        """Return the event as JSON."""
        return self._beside(event_id, began_unix_s, "json")

    def clip(self, event_id: str, began_unix_s: float) -> Path:
        return self._beside(event_id, began_unix_s, "mp4")

    def picture(self, event_id: str, began_unix_s: float) -> Path:
        return self._beside(event_id, began_unix_s, "jpg")

    def normal_picture(self, event_id: str, began_unix_s: float) -> Path:
        """Return the path of the picture of an event's nearest normal moment."""
        return self._beside(event_id, began_unix_s, "normal.jpg")

    def files(self, event_id: str, began_unix_s: float) -> EventPaths:
        """Return the paths of all files of an event."""
        suffixes = ("mp4", "jpg", "normal.jpg", "heat.png", "rebuilt.jpg", "json")
        return EventPaths(*(self._beside(event_id, began_unix_s, suffix) for suffix in suffixes))

    def files_named(self, event_id: str, day: str) -> tuple[Path, Path, Path]:
        """Return the paths of clip, picture and normal moment of an event that began on this day."""
        stem = self.events / day / require_id(event_id)
        return stem.with_suffix(".mp4"), stem.with_suffix(".jpg"), stem.with_suffix(".normal.jpg")

    def relative(self, path: Path) -> str:
        return path.relative_to(self.path).as_posix()

    def _beside(self, event_id: str, began_unix_s: float, suffix: str) -> Path:
        return self.events / day_of(began_unix_s) / f"{require_id(event_id)}.{suffix}"


def event_of(path: Path) -> str:
    """Return the id of the event that a file belongs to by its name.

    >>> event_of(Path("5f1c.normal.jpg"))
    '5f1c'
    """
    return path.name.partition(".")[0]


def require_id(event_id: str) -> str:
    """Return the id of an event, which is also the name of its files. Raises RecordsError for what cannot be both."""
    if not _ID.fullmatch(event_id):
        raise RecordsError(f"{event_id[:80]!r} is no id of an event", "event", "Use up to 64 letters, digits, - and _")
    return event_id


def day_of(unix_s: float) -> str:
    """Return the day in UTC.

    >>> day_of(0)
    '1970-01-01'
    """
    return datetime.fromtimestamp(unix_s, UTC).date().isoformat()
