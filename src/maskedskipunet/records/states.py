"""States of cameras: their faults, since when, and messages about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from maskedskipunet.records.outbox import STATE_PREFIX
from maskedskipunet.records.recorded import iso_time, message_key
from maskedskipunet.records.rows import camera_row
from maskedskipunet.records.tables import CameraRow, StateRow


@dataclass(frozen=True)
class State:
    """A stretch in a camera's own life. ended_unix_s: None while it lasts."""

    camera: str
    kind: str
    detail: str
    began_unix_s: float
    ended_unix_s: float | None


@dataclass(frozen=True)
class CameraCondition:
    """The last known condition of a camera's connection.

    condition: connecting, running, lost or ended, empty if nothing is known; since_unix_s: since when.
    heard_unix_s: when its last frame came, to half a minute.
    """

    condition: str
    since_unix_s: float | None
    heard_unix_s: float | None


def begin(session: Session, camera: str, kind: str, detail: str, now_unix_s: float) -> Mapping[str, Any] | None:
    """Begin a state and return its message; None if one of its kind is open."""
    owner = camera_row(session, camera)
    if session.scalars(_lasting(owner.id, kind)).first():
        return None
    row = StateRow(
        camera_id=owner.id,
        kind=kind,
        detail=detail,
        began_unix_s=now_unix_s,
        ended_unix_s=None,
        reference=f"{STATE_PREFIX}{uuid4().hex}",
    )
    session.add(row)
    return _message(row, camera)


def end(session: Session, camera: str, kind: str, now_unix_s: float) -> list[Mapping[str, Any]]:
    """End a state and return its messages."""
    messages = []
    for row in session.scalars(_lasting(camera_row(session, camera).id, kind)):
        row.ended_unix_s = now_unix_s
        if row.reference is not None:
            messages.append(_message(row, camera))
    return messages


def all_states(session: Session, camera: str | None = None, *, lasting_only: bool = False) -> list[State]:
    """Return states in order of their begin, of one camera or of all."""
    found = select(StateRow, CameraRow.name).join(CameraRow).order_by(StateRow.began_unix_s, StateRow.id)
    if camera is not None:
        found = found.where(CameraRow.name == camera)
    if lasting_only:
        found = found.where(StateRow.ended_unix_s.is_(None))
    return [
        State(name, row.kind, row.detail, row.began_unix_s, row.ended_unix_s) for row, name in session.execute(found)
    ]


def conditions(session: Session) -> dict[str, CameraCondition]:
    """Return how each camera is, by its name."""
    return {
        row.name: CameraCondition(row.condition, row.condition_unix_s, row.heard_unix_s)
        for row in session.scalars(select(CameraRow).order_by(CameraRow.name))
    }


def _message(row: StateRow, camera: str) -> Mapping[str, Any]:
    """Return the message about a state; docs/records.md explains each key."""
    phase, sequence = ("new", 0) if row.ended_unix_s is None else ("end", 1)
    assert row.reference is not None
    return {
        "key": message_key(row.reference, phase, sequence),
        "kind": "state",
        "id": row.reference,
        "phase": phase,
        "sequence": sequence,
        "camera": camera,
        "state": row.kind,
        "detail": row.detail,
        "began_at": iso_time(row.began_unix_s),
        "updated_at": iso_time(row.began_unix_s if row.ended_unix_s is None else row.ended_unix_s),
    }


def _lasting(camera_id: int, kind: str) -> Any:
    return select(StateRow).where(
        StateRow.camera_id == camera_id, StateRow.kind == kind, StateRow.ended_unix_s.is_(None)
    )
