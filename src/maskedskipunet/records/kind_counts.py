"""Kinds of events, counted in the database: many thousands of events are not read to say how many are alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from maskedskipunet.records.tables import AnswerRow, CameraRow, EventRow


@dataclass(frozen=True)
class KindCount:
    """The number of events of one kind at a camera. id: of the kind. newest: the id of the event that began last."""

    id: str
    camera: str
    events: int
    unanswered: int
    first_unix_s: float
    last_unix_s: float
    newest: str


def largest_kinds(session: Session, *, camera: str | None = None, most: int = 50) -> list[KindCount]:
    """Return kinds of several events, those with the most unanswered first."""
    wanted = _counted().having(func.count() > 1)
    if camera is not None:
        wanted = wanted.where(_camera_id(camera) == EventRow.camera_id)
    answered = _answered(session)
    groups = [_group(row, answered) for row in session.execute(wanted)]
    groups.sort(key=lambda group: (group.answered - group.events, -group.last_unix_s))
    return _with_newest(session, groups[:most])


def counts_of(session: Session, kinds: Sequence[tuple[str, str]]) -> dict[tuple[str, str], KindCount]:
    """Return the counts of kinds, each given and found by its camera and its id."""
    ids = {kind_id for _, kind_id in kinds}
    if not ids:
        return {}
    is_wanted = EventRow.kind_id.in_(ids)
    answered = _answered(session, is_wanted)
    rows = session.execute(_counted().where(is_wanted))
    found = _with_newest(session, [_group(row, answered) for row in rows])
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


@dataclass(frozen=True)
class _Group:
    kind_id: str
    camera_id: int
    events: int
    first_unix_s: float
    last_unix_s: float
    answered: int


def _group(row: Any, answered: dict[tuple[str, int], int]) -> _Group:
    kind_id, camera_id, events, first_unix_s, last_unix_s = row
    return _Group(kind_id, camera_id, events, first_unix_s, last_unix_s, answered.get((kind_id, camera_id), 0))


def _counted() -> Any:
    """Return the question for all kinds, which an index answers by itself."""
    began = EventRow.began_unix_s
    columns = EventRow.kind_id, EventRow.camera_id, func.count(), func.min(began), func.max(began)
    is_there = EventRow.kind_id.is_not(None), ~EventRow.is_removing
    return select(*columns).where(*is_there).group_by(EventRow.kind_id, EventRow.camera_id)


def _answered(session: Session, *conditions: Any) -> dict[tuple[str, int], int]:
    """Return how many events of each kind and camera are answered."""
    wanted = select(EventRow.kind_id, EventRow.camera_id, func.count()).join(AnswerRow)
    wanted = wanted.where(EventRow.kind_id.is_not(None), ~EventRow.is_removing, *conditions)
    grouped = wanted.group_by(EventRow.kind_id, EventRow.camera_id)
    return {(str(kind_id), camera_id): count for kind_id, camera_id, count in session.execute(grouped)}


def _with_newest(session: Session, groups: Sequence[_Group]) -> list[KindCount]:
    names = {row.id: row.name for row in session.execute(select(CameraRow.id, CameraRow.name))}
    kinds = []
    for group in groups:
        is_alike = EventRow.kind_id == group.kind_id, EventRow.camera_id == group.camera_id, ~EventRow.is_removing
        newest = session.scalars(
            select(EventRow.id).where(*is_alike, EventRow.began_unix_s == group.last_unix_s)
        ).first()
        unanswered, camera = group.events - group.answered, names[group.camera_id]
        times = group.first_unix_s, group.last_unix_s
        kinds.append(KindCount(group.kind_id, camera, group.events, unanswered, *times, newest or ""))
    return kinds


def _camera_id(camera: str) -> Any:
    return select(CameraRow.id).where(CameraRow.name == camera).scalar_subquery()
