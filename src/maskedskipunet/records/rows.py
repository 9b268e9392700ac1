"""Rows of the database as values, and values as rows."""

from dataclasses import replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from maskedskipunet.detection.events import Event
from maskedskipunet.errors import RecordsError
from maskedskipunet.records.recorded import PRESENCE, Answer, RecordedEvent, require_camera, without_credentials
from maskedskipunet.records.tables import AnswerRow, CameraRow, EventRow


def recorded_event(row: EventRow) -> RecordedEvent:
    """Return the row as a value."""
    values: dict[str, Any] = {name: getattr(row, name) for name in Event.__dataclass_fields__}
    event = Event.from_dict(values)
    answer: Any = row.answer
    phase: Any = row.phase
    return RecordedEvent(
        event=replace(event, boxes=tuple((x, y, width, height) for x, y, width, height in row.boxes)),
        camera=row.camera.name,
        began_unix_s=row.began_unix_s,
        updated_unix_s=row.updated_unix_s,
        phase=phase,
        sequence=row.sequence,
        has_clip=row.has_clip,
        has_picture=row.has_picture,
        has_normal_picture=row.has_normal_picture,
        has_heat_map=row.has_heat_map,
        has_reconstruction=row.has_reconstruction,
        answer=None if answer is None else answer.answer,
        answered_unix_s=None if answer is None else answer.answered_unix_s,
        answered_by=None if answer is None else answer.answered_by,
        revision=row.revision,
    )


def new_row(session: Session, event: Event, camera: str, began_unix_s: float) -> EventRow:
    row = EventRow(
        id=event.id,
        camera=camera_row(session, camera, event.source),
        began_unix_s=began_unix_s,
        updated_unix_s=began_unix_s,
        phase="new",
        sequence=0,
        has_clip=False,
        has_picture=False,
        has_normal_picture=False,
        has_heat_map=False,
        has_reconstruction=False,
        revision=1,
        filed_revision=0,
        is_removing=False,
        answer=None,
    )
    fill(row, event)
    session.add(row)
    return row


def fill(row: EventRow, event: Event) -> None:
    columns = {"reason": None, "kind_id": None} | event.to_dict() | {"boxes": [list(box) for box in event.boxes]}
    for name, value in columns.items():
        if name != "id":
            setattr(row, name, value)
    row.cue = None if event.reason is None else event.reason.cue


def set_answer(row: EventRow, answer: Answer | None, answered_unix_s: float, by: str | None) -> None:
    """Have a row hold what a person said of its event, instead of what was said before; None forgets it.

    by: who says it; None where that is not known. The same answer again by nobody known stays that of who gave it.
    """
    is_same = row.answer is not None and row.answer.answer == answer
    row.answer = None if answer is None else row.answer or AnswerRow(event_id=row.id)
    if row.answer is not None and answer is not None:
        row.answer.answer, row.answer.answered_unix_s = answer, answered_unix_s
        if by is not None or not is_same:
            row.answer.answered_by = by or None
    row.revision += 1


def restore(session: Session, recorded: RecordedEvent) -> None:
    """Insert or update the row of an event from its file."""
    row = session.get(EventRow, recorded.event.id)
    if row is None:
        row = new_row(session, recorded.event, recorded.camera, recorded.began_unix_s)
    fill(row, recorded.event)
    row.camera = camera_row(session, recorded.camera, recorded.event.source)
    for name in ("began_unix_s", "updated_unix_s", "phase", "sequence", "revision"):
        setattr(row, name, getattr(recorded, name))
    for name in PRESENCE:
        setattr(row, name, getattr(recorded, name))
    row.filed_revision, row.is_removing = recorded.revision, False
    if recorded.answer is None:
        row.answer = None
    else:
        row.answer = row.answer or AnswerRow(event_id=row.id)
        row.answer.answer, row.answer.answered_unix_s = recorded.answer, recorded.answered_unix_s or 0.0
        row.answer.answered_by = recorded.answered_by


def camera_row(session: Session, name: str, source: str = "") -> CameraRow:
    row = session.scalars(select(CameraRow).where(CameraRow.name == require_camera(name))).first()
    if row is None:
        row = CameraRow(name=name, source=without_credentials(source))
        session.add(row)
        session.flush()
    return row


def event_row(session: Session, event_id: str) -> EventRow:
    row = session.get(EventRow, event_id)
    if row is None or row.is_removing:
        raise RecordsError("there is no such event", event_id[:80], "See `maskedskipunet records export`")
    return row
