"""Events of footage that lies in files, put into the records: scored again, they change instead of doubling."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from maskedskipunet.detection.events import Event
from maskedskipunet.detection.kinds import Kinds, with_kind
from maskedskipunet.records.folder import day_of
from maskedskipunet.records.kinds import known_kinds
from maskedskipunet.records.recorded import RecordedEvent, plain_event, require_camera, require_time
from maskedskipunet.records.rows import fill, new_row
from maskedskipunet.records.store import Records
from maskedskipunet.records.tables import EventRow

DAY_S = 86400.0
SAME_S = 1.0  # by which the begin of the same footage may differ from one scoring to the next


@dataclass(frozen=True)
class ArchivedEvents:
    """The events of some footage, and how recording them changed the records.

    events: as they are recorded now, with the times at which they began, in their order. added, updated, removed: how
    many. kept: how many were answered before and are no alarms any more; they stay, with their answers.
    """

    events: tuple[tuple[Event, float], ...]
    added: int = 0
    updated: int = 0
    removed: int = 0
    kept: int = 0


def archive_events(
    records: Records, camera: str, footage: str, start_unix_s: float, events: Sequence[Event]
) -> ArchivedEvents:
    """Record the events of footage, and remove what an earlier scoring of the same footage found there besides.

    footage: the path or address that tells this footage from any other of the camera. start_unix_s: when it begins.
    events: in the order of time, by the footage's own seconds. An event that was there before keeps its id and its
    answer. Raises RecordsError for what cannot be recorded, DiskSpaceError where there is no room.
    """
    require_camera(camera)
    of_camera = records.events(camera=camera)
    before = [recorded for recorded in of_camera if recorded.event.source == footage]
    others = [recorded for recorded in of_camera if recorded.event.source != footage]
    kinds = Kinds(known_kinds(others))
    left, found = list(before), []
    added = 0
    for each in events:
        event = plain_event(replace(each, source=footage, kind_id=None))
        began_unix_s = require_time(start_unix_s + event.start_s)
        earlier = _same(event, left)
        moved = earlier is not None and not _is_same_start(earlier, start_unix_s)
        if earlier is not None:
            left.remove(earlier)
        if earlier is not None and not moved:
            event = replace(event, id=earlier.event.id)
            same_day = day_of(began_unix_s) == day_of(earlier.began_unix_s)  # in whose folder its files lie
            began_unix_s = began_unix_s if same_day else earlier.began_unix_s
        else:
            added += 1
        event = with_kind(event, kinds.add(event, began_unix_s))
        _put(records, event, camera, began_unix_s)
        if moved and earlier is not None:
            if earlier.answer is not None:
                records.answer(event.id, earlier.answer, earlier.answered_unix_s)
            records.remove(earlier.event.id)
        found.append((event, began_unix_s))
    gone = [recorded for recorded in left if recorded.answer is None]
    for recorded in gone:
        records.remove(recorded.event.id)
    return ArchivedEvents(tuple(found), added, len(found) - added, len(gone), len(left) - len(gone))


def _same(event: Event, earlier: Sequence[RecordedEvent]) -> RecordedEvent | None:
    """Return the earlier event that shares most time with this one, by the footage's own seconds; None if none does."""

    def shared_s(recorded: RecordedEvent) -> float:
        return min(event.end_s, recorded.event.end_s) - max(event.start_s, recorded.event.start_s)

    best = max(earlier, key=shared_s, default=None)
    return best if best is not None and shared_s(best) >= 0 else None


def _is_same_start(recorded: RecordedEvent, start_unix_s: float) -> bool:
    return abs(recorded.began_unix_s - recorded.event.start_s - start_unix_s) <= SAME_S


def _put(records: Records, event: Event, camera: str, began_unix_s: float) -> None:
    """Make an event's row, or bring it up to date; its age counts from now on where it is of an earlier day."""
    now_unix_s = records.clock()
    with records.write() as session:
        row = session.get(EventRow, event.id)
        if row is None:
            row = new_row(session, event, camera, began_unix_s)
        else:
            fill(row, event)
            row.revision += 1
        row.began_unix_s, row.updated_unix_s, row.phase = began_unix_s, now_unix_s, "end"
        if began_unix_s < now_unix_s - DAY_S:
            row.aged_from_unix_s = now_unix_s
    records.refresh_files(event.id)
