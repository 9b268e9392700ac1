"""Recorded events, grouped by their kinds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from maskedskipunet.detection.kinds import Kind
from maskedskipunet.records.recorded import RecordedEvent, iso_time
from maskedskipunet.records.tables import EventRow


@dataclass(frozen=True)
class RecordedKind:
    """Events of one camera that look and move alike, in order of their begin. id: of the first that there was."""

    id: str
    events: tuple[RecordedEvent, ...]

    @property
    def camera(self) -> str:
        """The camera of these events."""
        return self.events[0].camera

    @property
    def unanswered(self) -> int:
        """The number of these events that nobody has answered."""
        return sum(recorded.answer is None for recorded in self.events)

    def figures(self) -> dict[str, Any]:
        """Return the kind as plain values, for programs."""
        return {
            "kind_id": self.id,
            "camera": self.camera,
            "events": [recorded.event.id for recorded in self.events],
            "first_at": iso_time(self.events[0].began_unix_s),
            "last_at": iso_time(self.events[-1].began_unix_s),
            "unanswered": self.unanswered,
        }


def recorded_kinds(events: Iterable[RecordedEvent]) -> list[RecordedKind]:
    """Return the kinds of these events, in the order of the first event of each; events without a kind are left out."""
    groups: dict[tuple[str, str], list[RecordedEvent]] = {}
    for recorded in events:
        if recorded.event.kind_id is not None:
            groups.setdefault((recorded.camera, recorded.event.kind_id), []).append(recorded)
    return [RecordedKind(kind_id, tuple(alike)) for (_, kind_id), alike in groups.items()]


def known_kinds(events: Sequence[RecordedEvent]) -> list[Kind]:
    """Return what later events of the same camera are compared with: each kind's first event that is still recorded."""
    known = []
    for kind in recorded_kinds(events):
        first = kind.events[0]
        if first.event.reason is not None:
            known.append(Kind(kind.id, first.event.reason, first.began_unix_s, len(kind.events)))
    return known


def kind_figures(session: Session, recorded: RecordedEvent) -> dict[str, Any]:
    """Return what a message says of its event's kind: how many events are of it by now, and when the first began."""
    if recorded.event.kind_id is None:
        return {}
    is_alike = EventRow.kind_id == recorded.event.kind_id, EventRow.camera.has(name=recorded.camera)
    found = select(func.count(), func.min(EventRow.began_unix_s)).where(*is_alike, ~EventRow.is_removing)
    count, began_unix_s = session.execute(found).one()
    first_unix_s = recorded.began_unix_s if began_unix_s is None else began_unix_s
    return {"of_kind": int(count), "kind_began_at": iso_time(first_unix_s)}


def unanswered_of_kind(events: Sequence[RecordedEvent], chosen: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    """Return events without an answer that are of the kinds of the chosen ones, without these themselves."""
    kinds = {(recorded.camera, recorded.event.kind_id) for recorded in chosen if recorded.event.kind_id is not None}
    ids = {recorded.event.id for recorded in chosen}
    return [
        recorded
        for recorded in events
        if recorded.answer is None
        and recorded.event.id not in ids
        and (recorded.camera, recorded.event.kind_id) in kinds
    ]
