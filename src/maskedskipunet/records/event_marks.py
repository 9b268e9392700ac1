"""Events of a camera as marks of a timeline: little of each, so that thousands are read at once."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from maskedskipunet.records.tables import AnswerRow, CameraRow, EventRow


@dataclass(frozen=True)
class EventMark:
    """An event on a timeline. answer: None where nobody has answered."""

    id: str
    began_unix_s: float
    duration_s: float
    top_score: float
    answer: str | None


def event_marks(
    session: Session, camera: str, start_unix_s: float, end_unix_s: float, *, most: int
) -> tuple[list[EventMark], bool]:
    """Return events that began within a time, in order, and whether those are all.

    most: how many; where there are more, the strongest.
    """
    owner = select(CameraRow.id).where(CameraRow.name == camera).scalar_subquery()
    columns = EventRow.id, EventRow.began_unix_s, EventRow.end_s - EventRow.start_s, EventRow.top_score
    wanted = (
        select(*columns, AnswerRow.answer)
        .outerjoin(AnswerRow, AnswerRow.event_id == EventRow.id)
        .where(EventRow.camera_id == owner, ~EventRow.is_removing)
        .where(EventRow.began_unix_s >= start_unix_s, EventRow.began_unix_s < end_unix_s)
        .order_by(EventRow.top_score.desc(), EventRow.id)
        .limit(most + 1)
    )
    found = [EventMark(*row) for row in session.execute(wanted)]
    return sorted(found[:most], key=lambda mark: (mark.began_unix_s, mark.id)), len(found) <= most
