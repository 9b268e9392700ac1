"""What the tests of records share: events, the smallest whole files, and records whose clock is set by hand."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from maskedskipunet.detection.events import Event, EventUpdate
from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.records.store import Records

BEGAN_UNIX_S = 1_772_355_600.0  # 2026-03-01 09:00 UTC


def _box(kind: bytes, content: bytes = b"") -> bytes:
    return (8 + len(content)).to_bytes(4) + kind + content


CLIP = _box(b"ftyp", b"isom") + _box(b"moov", b"index") + _box(b"mdat", b"pictures")
PICTURE = b"\xff\xd8 a picture \xff\xd9"


def make_event(event_id: str = "a", **changed: Any) -> Event:
    values: dict[str, Any] = {
        "id": event_id,
        "source": "rtsp://10.0.0.5/live",
        "start_s": 10.0,
        "end_s": 12.5,
        "peak_s": 11.0,
        "start_frame": 50,
        "end_frame": 62,
        "peak_frame": 55,
        "top_score": 0.31,
        "mean_score": 0.2,
        "boxes": ((4, 8, 16, 32),),
        "normal_share": 0.001,
    }
    return Event(**values | changed)


@dataclass
class Clock:
    """Tells the time that was set."""

    now_unix_s: float = BEGAN_UNIX_S

    def __call__(self) -> float:
        return self.now_unix_s


@dataclass
class Book:
    """Records in a folder, and short ways to fill them."""

    folder: Path
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.records = Records.open(self.folder, clock=self.clock)

    def tell(self, phase: Any, event_id: str = "a", *, began_s: float = 0.0, camera: str = "door", **more: Any) -> Any:
        changed = {key: more.pop(key) for key in [*more] if key in Event.__dataclass_fields__}
        return self.records.record(
            EventUpdate(phase, make_event(event_id, **changed)),
            camera=camera,
            began_unix_s=BEGAN_UNIX_S + began_s,
            **more,
        )

    def whole(self, event_id: str = "a", *, began_s: float = 0.0, clip: bytes = CLIP, **more: Any) -> RecordedEvent:
        """An event that is over, with clip and picture."""
        self.tell("new", event_id, began_s=began_s, picture=PICTURE, **more)
        self.clip(event_id, began_s).write_bytes(clip)
        return self.tell("end", event_id, began_s=began_s, **more)

    def clip(self, event_id: str = "a", began_s: float = 0.0) -> Path:
        return self.records.clip_path(event_id, BEGAN_UNIX_S + began_s)

    def description(self, event_id: str = "a", began_s: float = 0.0) -> Path:
        return self.records.folder.description(event_id, BEGAN_UNIX_S + began_s)

    def reopened(self) -> Records:
        self.records.close()
        self.records = Records.open(self.folder, clock=self.clock)
        return self.records


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new database, to be copied: its migrations take a while."""
    Records.open(folder := tmp_path_factory.mktemp("empty")).close()
    return folder / "records.db"


NewBook = Callable[[Path], AbstractContextManager[Book]]


@pytest.fixture(scope="session")
def new_book(empty_database: Path) -> NewBook:
    """Opens new records in a folder; they are closed at the end of the block."""

    @contextmanager
    def open_book(folder: Path) -> Iterator[Book]:
        folder.mkdir(parents=True)
        shutil.copy(empty_database, folder)
        book = Book(folder)
        try:
            yield book
        finally:
            book.records.close()

    return open_book


@pytest.fixture
def book(tmp_path: Path, new_book: NewBook) -> Iterator[Book]:
    with new_book(tmp_path / "records") as book:
        yield book
