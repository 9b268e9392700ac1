"""Messages that wait for their receivers: put there in an event's own transaction, taken out one by one."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CursorResult, and_, delete, exists, func, select, update
from sqlalchemy.orm import Session, aliased

from maskedskipunet.detection.events import Phase
from maskedskipunet.records.recorded import RecordedEvent, message_key
from maskedskipunet.records.routes import Route
from maskedskipunet.records.tables import DeliveryRow

log = logging.getLogger(__name__)
TOO_MANY_EVENTS = "more events within the hour than allowed"
TOO_MANY = "too many waited"
TOO_OLD = "they waited too long"
NO_SINK = "there is no such sink any longer"
KEPT_DONE_S = 7 * 86400.0  # how long one can see what was delivered


@dataclass(frozen=True)
class Delivery:
    """One message to one sink.

    attempts: how often it was tried before. message: what the receiver is told.
    """

    id: int
    sink: str
    event_id: str
    phase: Phase
    sequence: int
    message: Mapping[str, Any]
    attempts: int

    @property
    def key(self) -> str:
        """The same in every try, so that a receiver knows a message that it had before."""
        return message_key(self.event_id, self.phase, self.sequence)


@dataclass(frozen=True)
class QueueCount:
    """How many messages to a sink wait, were delivered, or were dropped, of those that are still remembered."""

    waiting: int = 0
    delivered: int = 0
    dropped: int = 0


def enqueue(session: Session, recorded: RecordedEvent, routes: Sequence[Route], now_unix_s: float) -> None:
    """Put an event's message into the queue of each sink that it goes to."""
    for route in routes:
        _enqueue(session, recorded, route, now_unix_s)
        bound(session, route, now_unix_s)


def _enqueue(session: Session, recorded: RecordedEvent, route: Route, now_unix_s: float) -> None:
    if recorded.phase not in route.phases:
        return
    of_event = select(DeliveryRow).where(DeliveryRow.sink == route.sink, DeliveryRow.event_id == recorded.event.id)
    earlier = session.scalars(of_event.order_by(DeliveryRow.id.desc())).all()
    if any(row.fault == TOO_MANY_EVENTS for row in earlier):
        return  # who was not told of its begin is not told of its end
    last = earlier[0] if earlier else None
    if recorded.phase == "update" and last is not None:
        if last.phase == "update" and last.status == "waiting" and not last.attempts:
            session.delete(last)  # this one says more
            session.flush()
        elif now_unix_s - last.made_unix_s < route.update_every_s:
            return
    row = DeliveryRow(
        sink=route.sink,
        event_id=recorded.event.id,
        phase=recorded.phase,
        sequence=recorded.sequence,
        message=recorded.message(),
        status="waiting",
        fault=None,
        attempts=0,
        made_unix_s=now_unix_s,
        due_unix_s=now_unix_s,
        done_unix_s=None,
    )
    session.add(row)
    if last is None and _is_beyond(session, route, recorded.event.id, now_unix_s):
        row.status, row.fault, row.done_unix_s = "dropped", TOO_MANY_EVENTS, now_unix_s
        log.warning("sink %s: event %s is not told, %s", route.sink, recorded.event.id, TOO_MANY_EVENTS)
    session.flush()


def _is_beyond(session: Session, route: Route, event_id: str, now_unix_s: float) -> bool:
    """Whether the sink was told of as many other events within the hour as it may be."""
    if route.events_per_hour is None:
        return False
    told = select(func.count(DeliveryRow.event_id.distinct())).where(
        DeliveryRow.sink == route.sink,
        DeliveryRow.event_id != event_id,
        DeliveryRow.made_unix_s > now_unix_s - 3600,
        DeliveryRow.fault.is_distinct_from(TOO_MANY_EVENTS),
    )
    return (session.scalar(told) or 0) >= route.events_per_hour


def bound(session: Session, route: Route, now_unix_s: float) -> int:
    """Drop what waits too long or beyond the number that may wait; returns how many, and says so in the log."""
    waiting = and_(DeliveryRow.sink == route.sink, DeliveryRow.status == "waiting")
    old = _drop(session, and_(waiting, DeliveryRow.made_unix_s < now_unix_s - route.waiting_s), TOO_OLD, now_unix_s)
    count = session.scalar(select(func.count()).where(waiting)) or 0
    many = 0
    if count > route.waiting_at_most:
        first_to_go = select(DeliveryRow.id).where(waiting).order_by(DeliveryRow.phase != "update", DeliveryRow.id)
        chosen = session.scalars(first_to_go.limit(count - route.waiting_at_most)).all()
        many = _drop(session, DeliveryRow.id.in_(chosen), TOO_MANY, now_unix_s)
    for dropped, reason in ((old, TOO_OLD), (many, TOO_MANY)):
        if dropped:
            log.warning("sink %s: %d messages dropped, %s", route.sink, dropped, reason)
    return old + many


def forget_done(session: Session, before_unix_s: float) -> None:
    """Remove what was delivered or dropped long ago."""
    session.execute(delete(DeliveryRow).where(DeliveryRow.done_unix_s < before_unix_s))


def next_delivery(session: Session, sink: str, now_unix_s: float) -> Delivery | float | None:
    """The message to try now; else when one will be due, in seconds since 1970; None where none waits.

    A message waits until the earlier ones of its event are through.
    """
    row, earlier = DeliveryRow, aliased(DeliveryRow)
    is_later = exists().where(
        earlier.sink == row.sink, earlier.event_id == row.event_id, earlier.status == "waiting", earlier.id < row.id
    )
    first = select(row).where(row.sink == sink, row.status == "waiting", ~is_later)
    found = session.scalars(first.where(row.due_unix_s <= now_unix_s).order_by(row.id).limit(1)).first()
    if found is None:
        return session.scalar(first.with_only_columns(func.min(row.due_unix_s)))
    return _delivery(found)


def delivered(session: Session, delivery: Delivery, now_unix_s: float) -> None:
    """The receiver has it."""
    row = session.get(DeliveryRow, delivery.id)
    if row is not None:  # else a newer message has taken its place
        row.status, row.fault, row.done_unix_s, row.attempts = "delivered", None, now_unix_s, row.attempts + 1


def failed(session: Session, delivery: Delivery, fault: str, due_unix_s: float) -> None:
    """The try failed; it is not due again before."""
    row = session.get(DeliveryRow, delivery.id)
    if row is not None and row.status == "waiting":
        row.fault, row.due_unix_s, row.attempts = fault[:300], due_unix_s, row.attempts + 1


def drop_other_sinks(session: Session, sinks: Sequence[str], now_unix_s: float) -> int:
    """Drop what waits for sinks that there are no longer."""
    others = and_(DeliveryRow.sink.not_in(sinks), DeliveryRow.status == "waiting")
    count = _drop(session, others, NO_SINK, now_unix_s)
    if count:
        log.warning("%d messages to sinks that are no longer named were dropped", count)
    return count


def counts(session: Session) -> dict[str, QueueCount]:
    """How many messages there are for each sink."""
    found: dict[str, dict[str, int]] = {}
    rows = select(DeliveryRow.sink, DeliveryRow.status, func.count()).group_by(DeliveryRow.sink, DeliveryRow.status)
    for sink, status, count in session.execute(rows):
        found.setdefault(sink, {})[status] = count
    return {sink: QueueCount(**numbers) for sink, numbers in sorted(found.items())}


def _drop(session: Session, which: Any, reason: str, now_unix_s: float) -> int:
    changed = session.execute(
        update(DeliveryRow)
        .where(which)
        .values(status="dropped", fault=reason, done_unix_s=now_unix_s)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(changed, CursorResult)
    return int(changed.rowcount)


def _delivery(row: DeliveryRow) -> Delivery:
    phase: Any = row.phase
    return Delivery(row.id, row.sink, row.event_id, phase, row.sequence, row.message, row.attempts)
