"""Kinds of events, counted in the database: many thousands of events are not read to say how many are alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session, aliased

from maskedskipunet.records.tables import AnswerRow, CameraRow, EventRow


@dataclass(frozen=True)
class KindCount:
    """How many events of a camera are of one kind. id: of the kind. newest: the id of the one that began last."""

    id: str
    camera: str
    events: int
    unanswered: int
    first_unix_s: float
    last_unix_s: float
    newest: str


def largest_kinds(session: Session, *, camera: str | None = None, most: int = 50) -> list[KindCount]:
    """Return kinds of several events, those with the most unanswered first."""
    wanted = _counted().having(func.count() > 1).limit(most)
    wanted = wanted.order_by(_unanswered().desc(), func.max(EventRow.began_unix_s).desc())
    if camera is not None:
        wanted = wanted.where(CameraRow.name == camera)
    return [_kind(row) for row in session.execute(wanted)]


def counts_of(session: Session, kinds: Sequence[tuple[str, str]]) -> dict[tuple[str, str], KindCount]:
    """Return the counts of kinds, each given and found by its camera and its id."""
    ids = {kind_id for _, kind_id in kinds}
    found = [_kind(row) for row in session.execute(_counted().where(EventRow.kind_id.in_(ids)))] if ids else []
    return {(kind.camera, kind.id): kind for kind in found}


def unanswered_ids(session: Session, camera: str, kind_id: str, *, most: int) -> list[str]:
    """Return ids of events of a kind that nobody has answered, the newest first."""
    wanted = (
        select(EventRow.id)
        .join(CameraRow)
        .where(CameraRow.name == camera, EventRow.kind_id == kind_id, ~EventRow.answer.has(), ~EventRow.is_removing)
        .order_by(EventRow.began_unix_s.desc(), EventRow.id.desc())
        .limit(most)
    )
    return [*session.scalars(wanted)]


def _unanswered() -> Any:
    return func.sum(case((AnswerRow.event_id.is_(None), 1), else_=0))


def _counted() -> Any:
    other = aliased(EventRow)
    is_alike = other.camera_id == EventRow.camera_id, other.kind_id == EventRow.kind_id, ~other.is_removing
    newest = select(other.id).where(*is_alike).order_by(other.began_unix_s.desc()).limit(1)
    return (
        select(
            EventRow.kind_id,
            CameraRow.name,
            func.count(),
            _unanswered(),
            func.min(EventRow.began_unix_s),
            func.max(EventRow.began_unix_s),
            newest.scalar_subquery(),
        )
        .join(CameraRow, EventRow.camera_id == CameraRow.id)
        .outerjoin(AnswerRow, AnswerRow.event_id == EventRow.id)
        .where(EventRow.kind_id.is_not(None), ~EventRow.is_removing)
        .group_by(EventRow.camera_id, EventRow.kind_id)
    )


def _kind(row: Any) -> KindCount:
    kind_id, camera, events, unanswered, first_unix_s, last_unix_s, newest = row
    return KindCount(kind_id, camera, int(events), int(unanswered), first_unix_s, last_unix_s, newest)
