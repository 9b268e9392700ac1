"""Answers of people at the review page: many events at once, by whom, and each click can be taken back."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from maskedskipunet.errors import MaskedSkipUNetError, RecordsError
from maskedskipunet.records.page_tables import AnswerChangeRow
from maskedskipunet.records.query import answer_counts
from maskedskipunet.records.recorded import Answer
from maskedskipunet.records.rows import event_row, set_answer
from maskedskipunet.records.store import Records
from maskedskipunet.records.tables import AnswerRow, EventRow

log = logging.getLogger(__name__)
MOST_EVENTS = 500  # that one action answers


@dataclass(frozen=True)
class AnswerAction:
    """One click. events: ids of those whose answer it changed. answer: what it said; None where it took one back."""

    id: str
    user: str
    answer: Answer | None
    events: tuple[str, ...]
    changed_unix_s: float


@dataclass(frozen=True)
class AnswerChange:
    """One line of an event's history: who said what, and when."""

    user: str
    answer: Answer | None
    changed_unix_s: float
    is_undone: bool


@dataclass(frozen=True)
class UndoneAction:
    """events: ids of those that are answered as before. kept: of those that somebody has answered otherwise since."""

    action: AnswerAction
    events: tuple[str, ...]
    kept: tuple[str, ...]


def answer_events(records: Records, ids: Sequence[str], answer: Answer | None, *, by: str) -> AnswerAction:
    """Give events one answer, all of them or none; None takes their answers back.

    by: the name of whoever says it, empty where nobody logs in.
    Raises RecordsError for events that there are not, and too many.
    """
    ids = list(dict.fromkeys(ids))
    if not 1 <= len(ids) <= MOST_EVENTS:
        raise RecordsError(f"{len(ids)} events at once", "events", f"Answer 1 to {MOST_EVENTS}")
    action, now_unix_s = uuid4().hex, records.clock()
    with records.write() as session:
        for row in [event_row(session, event_id) for event_id in ids]:
            before = row.answer
            session.add(
                AnswerChangeRow(
                    action=action,
                    event_id=row.id,
                    user=by,
                    changed_unix_s=now_unix_s,
                    before=None if before is None else before.answer,
                    before_unix_s=None if before is None else before.answered_unix_s,
                    before_by=None if before is None else before.answered_by,
                    after=answer,
                    is_undone=False,
                )
            )
            set_answer(row, answer, now_unix_s, by)
    _file(records, ids)
    return AnswerAction(action, by, answer, tuple(ids), now_unix_s)


def last_action(records: Records, by: str) -> AnswerAction | None:
    """Return the last click of a user that was not taken back; None where there is none."""
    with records.read() as session:
        wanted = select(AnswerChangeRow.action).where(AnswerChangeRow.user == by, ~AnswerChangeRow.is_undone)
        found = session.scalars(wanted.order_by(AnswerChangeRow.id.desc()).limit(1)).first()
        return None if found is None else _action(_changes(session, found))


def open_actions(records: Records, ids: Sequence[str], *, by: str) -> dict[str, tuple[str, int]]:
    """Return the last click of a user on each of these events that was not taken back: its id, and of how many events.

    Events without one are left out.
    """
    own = AnswerChangeRow.user == by, ~AnswerChangeRow.is_undone
    with records.read() as session:
        wanted = select(AnswerChangeRow.event_id, AnswerChangeRow.action).where(AnswerChangeRow.event_id.in_(ids), *own)
        found = {row.event_id: row.action for row in session.execute(wanted.order_by(AnswerChangeRow.id))}
        of_actions = AnswerChangeRow.action.in_(set(found.values()))
        counted = select(AnswerChangeRow.action, func.count()).where(of_actions).group_by(AnswerChangeRow.action)
        counts = {action: int(count) for action, count in session.execute(counted)}
    return {event_id: (action, counts[action]) for event_id, action in found.items()}


def count_answers(records: Records) -> dict[str, int]:
    """Return how many events are answered how; under `none` those that nobody has answered."""
    with records.read() as session:
        return answer_counts(session)


def undo_action(records: Records, action_id: str, *, by: str) -> UndoneAction:
    """Give events the answers back that they had before a click.

    An answer that somebody else, or a later click, has given since then stays.
    Raises RecordsError where the user made no such click, or took it back already.
    """
    with records.write() as session:
        changes = [row for row in _changes(session, action_id) if row.user == by and not row.is_undone]
        if not changes:
            raise RecordsError("there is no such answer to take back", action_id[:40], "Reload the page")
        action, restored, kept = _action(changes), [], []
        for change in changes:
            change.is_undone = True
            row = session.get(EventRow, change.event_id)
            if row is None or row.is_removing or _is_newer(session, change):
                kept.append(change.event_id)
                continue
            before: Any = change.before
            row.answer = None if before is None else row.answer or AnswerRow(event_id=row.id)
            if row.answer is not None:
                row.answer.answer = before
                row.answer.answered_unix_s = change.before_unix_s or 0.0
                row.answer.answered_by = change.before_by
            row.revision += 1
            restored.append(change.event_id)
    _file(records, restored)
    return UndoneAction(action, tuple(restored), tuple(kept))


def answer_history(records: Records, event_id: str) -> list[AnswerChange]:
    """Return who said what of an event at the page, the first first."""
    with records.read() as session:
        wanted = select(AnswerChangeRow).where(AnswerChangeRow.event_id == event_id).order_by(AnswerChangeRow.id)
        return [
            AnswerChange(row.user, _answer(row), row.changed_unix_s, row.is_undone) for row in session.scalars(wanted)
        ]


def _changes(session: Session, action_id: str) -> list[AnswerChangeRow]:
    wanted = select(AnswerChangeRow).where(AnswerChangeRow.action == action_id).order_by(AnswerChangeRow.id)
    return [*session.scalars(wanted)]


def _is_newer(session: Session, change: AnswerChangeRow) -> bool:
    """Return whether a later click that still holds gave the event an answer."""
    wanted = select(AnswerChangeRow.id).where(
        AnswerChangeRow.event_id == change.event_id, AnswerChangeRow.id > change.id, ~AnswerChangeRow.is_undone
    )
    return session.scalars(wanted.limit(1)).first() is not None


def _action(changes: Sequence[AnswerChangeRow]) -> AnswerAction:
    first = changes[0]
    ids = tuple(change.event_id for change in changes)
    return AnswerAction(first.action, first.user, _answer(first), ids, first.changed_unix_s)


def _answer(row: AnswerChangeRow) -> Answer | None:
    answer: Any = row.after
    return None if answer is None else answer


def _file(records: Records, ids: Iterable[str]) -> None:
    """Write the files of events; the rows hold all of it, and whoever opens the records next writes what is missing."""
    for event_id in ids:
        try:
            records.file(event_id)
        except (MaskedSkipUNetError, OSError) as error:
            log.warning("the file of event %s is not written yet (%s)", event_id, error)
            return
