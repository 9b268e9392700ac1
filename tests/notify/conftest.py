"""What the tests of sinks share: records with events to tell of, and patience with a deadline."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from maskedskipunet.detection.events import Event, EventUpdate
from maskedskipunet.notify.backoff import Backoff
from maskedskipunet.notify.sink import Attachments
from maskedskipunet.records import outbox
from maskedskipunet.records.outbox import Delivery, QueueCount
from maskedskipunet.records.store import Records
from maskedskipunet.records.subscriptions import Subscription

PATIENCE_S = 60.0  # the machine may be busy; a test that passes never waits for it
QUICK = Backoff(first_s=0.02, longest_s=0.1)
PICTURE = b"\xff\xd8 a picture \xff\xd9"


def until(condition: Callable[[], Any]) -> None:
    """Waits until something is so; fails when it does not come."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come"
        time.sleep(0.01)


@dataclass
class Desk:
    """Records with one sink, `hook`, and short ways to tell of events."""

    records: Records
    subscription: Subscription = Subscription(sink="hook", update_every_s=0)  # noqa: RUF009  # frozen

    def tell(self, phase: Any, event_id: str, **more: Any) -> str:
        event = Event(event_id, "rtsp://10.0.0.5/x", 1.0, 2.5, 1.5, 5, 12, 7, 0.4, 0.3, ((1, 2, 3, 4),), 0.001)
        more = {"camera": "door", "began_unix_s": time.time(), "subscriptions": [self.subscription]} | more
        recorded = self.records.record(EventUpdate(phase, event), **more)
        return str(recorded.message()["key"])

    def life(self, event_id: str, **more: Any) -> list[str]:
        """An event from begin to end; returns the keys of its messages."""
        return [self.tell(phase, event_id, **more) for phase in ("new", "end")]

    def count(self, sink: str = "hook") -> QueueCount:
        with self.records.read() as session:
            return outbox.counts(session).get(sink, QueueCount())

    def faults(self) -> set[str | None]:
        with self.records.read() as session:
            return {row.fault for row in session.query(outbox.DeliveryRow)}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Records.open(tmp_path / "records", watching=True) as records:
        yield Desk(records)


def delivery(**changed: Any) -> Delivery:
    """One message, as the outbox gives it."""
    message = {
        "key": "a:new:0",
        "id": "a",
        "phase": "new",
        "camera": "door",
        "began_at": "2026-03-01T09:00:00.000+00:00",
        "updated_at": "2026-03-01T09:00:01.000+00:00",
        "has_clip": False,
        "has_picture": False,
        "start_s": 1.0,
        "end_s": 2.5,
        "top_score": 0.4,
        "normal_share": 0.001,
    }
    message |= changed.pop("message", {})
    values: dict[str, Any] = {"id": 1, "sink": "hook", "event_id": "a", "phase": "new", "sequence": 0, "attempts": 0}
    return Delivery(message=message, **values | changed)


class FakeSink:
    """Takes messages, or does what the next of its steps says."""

    def __init__(self, *steps: Any) -> None:
        self.steps = [*steps]
        self.tried: list[str] = []
        self.taken: list[str] = []
        self.files: list[Attachments] = []
        self.is_closed = False

    def send(self, delivery: Delivery, files: Attachments) -> None:
        self.tried.append(delivery.key)
        step = self.steps.pop(0) if self.steps else None
        if callable(step):
            step = step(delivery)
        if isinstance(step, Exception):
            raise step
        self.taken.append(delivery.key)
        self.files.append(files)

    def close(self) -> None:
        self.is_closed = True
