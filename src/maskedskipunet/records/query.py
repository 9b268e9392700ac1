"""Queries of recorded events, by camera, time and answer, in several orders and page by page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Literal, get_args

from sqlalchemy import Select, and_, exists, func, or_, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload

from maskedskipunet.errors import RecordsError
from maskedskipunet.records.page_tables import SeenRow
from maskedskipunet.records.recorded import Answer, RecordedEvent
from maskedskipunet.records.rows import recorded_event
from maskedskipunet.records.tables import AnswerRow, CameraRow, EventRow

Order = Literal["oldest", "newest", "strangest"]
LARGEST_PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class EventQuery:
    """A query of recorded events.

    since_unix_s, until_unix_s: limits of their begin; the second is excluded. camera: only of this one. answer: a
    person's answer, "none" for events without one. open_only: only events in progress. cue: only those that this
    cue raised. kind_id: only those of this kind. seen_by, unseen_by: only those that this user has seen, or has not.
    order: by their begin, or by their highest score, "strangest" first.
    """

    since_unix_s: float | None = None
    until_unix_s: float | None = None
    camera: str | None = None
    answer: Answer | Literal["none"] | None = None
    open_only: bool = False
    cue: str | None = None
    kind_id: str | None = None
    seen_by: str | None = None
    unseen_by: str | None = None
    order: Order = "oldest"


@dataclass(frozen=True)
class EventPage:
    """A page of the events that a query finds. next: the position of the next page; None after the last."""

    events: tuple[RecordedEvent, ...]
    next: str | None


def find_events(session: Session, query: EventQuery) -> list[RecordedEvent]:
    """Return all events that a query finds."""
    return [recorded_event(row) for row in session.scalars(_ordered(query))]


def count_events(session: Session, query: EventQuery) -> int:
    """Return how many events a query finds."""
    if query.answer is not None and replace(query, answer=None, order="oldest") == EventQuery():
        return answer_counts(session)[query.answer]
    return session.scalar(_filtered(select(func.count()).select_from(EventRow), query)) or 0


def answer_counts(session: Session) -> dict[str, int]:
    """Return how many events are answered how; under `none` those that nobody has answered.

    Answers are counted alone, and those of the few events that are being removed taken off: no event is looked up.
    """
    counts: dict[str, int] = dict.fromkeys(("none", *get_args(Answer)), 0)
    wanted = select(AnswerRow.answer, func.count()).group_by(AnswerRow.answer)
    for answer, count in session.execute(wanted):
        counts[answer] = count
    leaving = session.scalars(select(EventRow.id).where(text("is_removing = 1"))).all()
    for answer, count in session.execute(wanted.where(AnswerRow.event_id.in_(leaving))) if leaving else ():
        counts[answer] -= count
    every = (session.scalar(select(func.count()).select_from(EventRow)) or 0) - len(leaving)
    counts["none"] = every - sum(count for answer, count in counts.items() if answer != "none")
    return counts


def find_page(session: Session, query: EventQuery, *, after: str | None = None, size: int = 50) -> EventPage:
    """Return a page of the events that a query finds.

    after: `next` of the previous page; None for the first page. Events that are recorded or removed between two pages
    do not move others to another page. size: the largest number of events, 1 to LARGEST_PAGE.
    Raises RecordsError for another size, and for a text that is no `next` of a page.
    """
    if not 1 <= size <= LARGEST_PAGE:
        raise RecordsError(f"a page of {size} events", "size", f"Use 1 to {LARGEST_PAGE}")
    found = _ordered(query)
    if after is not None:
        found = found.where(_is_after(query.order, *_read_cursor(after)))
    rows: Sequence[EventRow] = session.scalars(found.limit(size + 1)).all()
    shown = rows[:size]
    cursor = _cursor(query.order, shown[-1]) if len(rows) > size else None
    return EventPage(tuple(recorded_event(row) for row in shown), cursor)


def _filtered(found: Select[Any], query: EventQuery) -> Select[Any]:
    found = found.where(~EventRow.is_removing)
    # The sum keeps SQLite from sorting all events of a time, instead of going through them by their scores.
    began = EventRow.began_unix_s + 0 if query.order == "strangest" else EventRow.began_unix_s
    if query.since_unix_s is not None:
        found = found.where(began >= query.since_unix_s)
    if query.until_unix_s is not None:
        found = found.where(began < query.until_unix_s)
    if query.camera is not None:
        found = found.where(EventRow.camera.has(CameraRow.name == query.camera))
    if query.answer == "none":
        found = found.where(~EventRow.answer.has())
    elif query.answer is not None:
        found = found.where(EventRow.answer.has(AnswerRow.answer == query.answer))
    if query.cue is not None:
        found = found.where(EventRow.cue == query.cue)
    if query.kind_id is not None:
        found = found.where(EventRow.kind_id == query.kind_id)
    for user, is_seen in ((query.seen_by, True), (query.unseen_by, False)):
        if user is not None:
            seen = exists().where(SeenRow.event_id == EventRow.id, SeenRow.user == user)
            found = found.where(seen if is_seen else ~seen)
    if query.open_only:
        found = found.where(EventRow.phase.in_(("new", "update")))
    return found


def _ordered(query: EventQuery) -> Select[Any]:
    found = _filtered(select(EventRow).options(joinedload(EventRow.camera), joinedload(EventRow.answer)), query)
    column = _column(query.order)
    if query.order == "oldest":
        return found.order_by(column, EventRow.id)
    return found.order_by(column.desc(), EventRow.id.desc())


def _column(order: Order) -> InstrumentedAttribute[float]:
    return EventRow.top_score if order == "strangest" else EventRow.began_unix_s


def _is_after(order: Order, value: float, event_id: str) -> Any:
    """Return the condition that an event comes after another: by its value, and by its id if the values are equal.

    The first part alone bounds the walk through an index; SQLite uses none for a condition that is one `or`.
    """
    column = _column(order)
    if order == "oldest":
        return and_(column >= value, or_(column > value, EventRow.id > event_id))
    return and_(column <= value, or_(column < value, EventRow.id < event_id))


def _cursor(order: Order, row: EventRow) -> str:
    """Return the position of an event in an order, as text that fits into a URL; no digit of its value is lost."""
    return f"{(row.top_score if order == 'strangest' else row.began_unix_s).hex()}_{row.id}"


def _read_cursor(text: str) -> tuple[float, str]:
    value, separator, event_id = text.partition("_")
    try:
        number = float.fromhex(value)
    except (ValueError, OverflowError):
        number = float("nan")
    if not separator or not event_id or not isfinite(number):
        raise RecordsError(f"{text[:40]!r} is no place in a list of events", "after", "Use `next` of the page before")
    return number, event_id
