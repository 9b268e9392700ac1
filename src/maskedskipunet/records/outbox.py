"""Messages that wait for their receivers: put there in an event's own transaction, taken out one by one."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CursorResult, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from maskedskipunet.detection.events import Phase
from maskedskipunet.records.clock import EARLIEST_UNIX_S
from maskedskipunet.records.kinds import kind_figures
from maskedskipunet.records.recorded import RecordedEvent, message_key
from maskedskipunet.records.subscriptions import LATEST_DUE_S, Subscription
from maskedskipunet.records.tables import DeliveryRow

log = logging.getLogger(__name__)
TOO_MANY_EVENTS = "more events within the hour than allowed"
TOO_MANY = "too many waited"
TOO_OLD = "they waited too long"
NO_SINK = "there is no such sink any longer"
STATE_PREFIX = "state-"  # of what a message of a camera's state names it by
AHEAD_S = 60.0  # what was written later than this from now on was written while the clock was wrong
KEPT_DONE_S = 7 * 86400.0  # how long one can see what was delivered


@dataclass(frozen=True)
class Delivery:
    """One message to one sink.

    attempts: the number of earlier tries. message: the content. event_id: of an event, or a state's reference.
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
        """A key that stays the same in every attempt, so that a receiver recognises a message that it had before."""
        return message_key(self.event_id, self.phase, self.sequence)

    @property
    def kind(self) -> str:
        """The kind of the message: "event", "state" or "test"."""
        return str(self.message.get("kind", "event"))  # messages of earlier versions are all of events


@dataclass(frozen=True)
class QueueCount:
    """Counts of a sink's messages that wait, were delivered or were dropped, as far as they are still stored."""

    waiting: int = 0
    delivered: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class Waiting:
    """The waiting messages of a sink. since_unix_s: when the oldest was queued. fault: of the last try."""

    since_unix_s: float
    fault: str | None


def enqueue(
    session: Session,
    recorded: RecordedEvent,
    subscriptions: Sequence[Subscription],
    now_unix_s: float,
    *,
    by_age: bool = True,
) -> None:
    """Queue an event's message for each sink with a matching subscription.

    by_age: the clock can be trusted, so that messages that wait too long may be dropped.
    """
    for subscription in subscriptions:
        _enqueue(session, recorded, subscription, now_unix_s)
        bound(session, subscription, now_unix_s, by_age=by_age)


def enqueue_state(
    session: Session,
    reference: str,
    message: Mapping[str, Any],
    subscriptions: Sequence[Subscription],
    now_unix_s: float,
    *,
    by_age: bool = True,
) -> None:
    """Put the begin or the end of a camera's state into the queue of each sink that takes states of its kind.

    A begin is due when the state has lasted as long as the sink asks for; an end that comes before takes it back.
    """
    for subscription in subscriptions:
        if not subscription.takes_state(str(message["state"])):
            continue
        begin = _messages_of(session, subscription, reference)
        if message["phase"] == "new":
            due_unix_s = now_unix_s + subscription.states_after_s
            row = _put(session, subscription, reference, message, now_unix_s, due_unix_s)
            _drop_beyond(session, subscription, row, now_unix_s)
        elif begin and begin[0].status == "waiting" and not begin[0].attempts and begin[0].due_unix_s > now_unix_s:
            session.delete(begin[0])
        elif begin and begin[0].fault != TOO_MANY_EVENTS:
            _put(session, subscription, reference, message, now_unix_s, now_unix_s)
        bound(session, subscription, now_unix_s, by_age=by_age)


def _enqueue(session: Session, recorded: RecordedEvent, subscription: Subscription, now_unix_s: float) -> None:
    if recorded.phase not in subscription.phases:
        return
    earlier = _messages_of(session, subscription, recorded.event.id)
    if any(row.fault == TOO_MANY_EVENTS for row in earlier):
        return  # a receiver that did not get its begin does not get its end
    last = earlier[0] if earlier else None
    if recorded.phase == "update" and last is not None:
        if last.phase == "update" and last.status == "waiting" and not last.attempts:
            session.delete(last)  # this one says more
            session.flush()
        elif 0 <= now_unix_s - last.made_unix_s < subscription.update_every_s:
            return
    row = _put(
        session,
        subscription,
        recorded.event.id,
        recorded.message() | kind_figures(session, recorded),
        now_unix_s,
        now_unix_s,
    )
    if last is None:
        _drop_beyond(session, subscription, row, now_unix_s)
    session.flush()


def _messages_of(session: Session, subscription: Subscription, event_id: str) -> Sequence[DeliveryRow]:
    """Return a sink's messages of an event or a state, sent or waiting, the newest first."""
    of_event = select(DeliveryRow).where(DeliveryRow.sink == subscription.sink, DeliveryRow.event_id == event_id)
    return session.scalars(of_event.order_by(DeliveryRow.id.desc())).all()


def _put(
    session: Session,
    subscription: Subscription,
    event_id: str,
    message: Mapping[str, Any],
    now_unix_s: float,
    due_unix_s: float,
) -> DeliveryRow:
    row = DeliveryRow(
        sink=subscription.sink,
        event_id=event_id,
        phase=message["phase"],
        sequence=message["sequence"],
        message=dict(message),
        status="waiting",
        fault=None,
        attempts=0,
        made_unix_s=now_unix_s,
        due_unix_s=due_unix_s,
        done_unix_s=None,
    )
    session.add(row)
    return row


def _drop_beyond(session: Session, subscription: Subscription, row: DeliveryRow, now_unix_s: float) -> None:
    """Drop the first message of an event or a state if the sink's limit for this hour is reached.

    Events and states have separate limits.
    """
    if subscription.events_per_hour is None:
        return
    is_state = DeliveryRow.event_id.startswith(STATE_PREFIX)
    recent = select(func.count(DeliveryRow.event_id.distinct())).where(
        DeliveryRow.sink == subscription.sink,
        DeliveryRow.event_id != row.event_id,
        is_state if row.event_id.startswith(STATE_PREFIX) else ~is_state,
        DeliveryRow.made_unix_s.between(now_unix_s - 3600, now_unix_s + AHEAD_S),
        DeliveryRow.fault.is_distinct_from(TOO_MANY_EVENTS),
    )
    if (session.scalar(recent) or 0) >= subscription.events_per_hour:
        row.status, row.fault, row.done_unix_s = "dropped", TOO_MANY_EVENTS, now_unix_s
        log.warning("sink %s: event %s is not told, %s", subscription.sink, row.event_id, TOO_MANY_EVENTS)


def bound(session: Session, subscription: Subscription, now_unix_s: float, *, by_age: bool = True) -> int:
    """Drop messages that wait too long or exceed the number that may wait; log and return how many.

    by_age: the clock can be trusted. Messages written while it was unset have no known age.
    """
    session.flush()
    waiting = and_(DeliveryRow.sink == subscription.sink, DeliveryRow.status == "waiting")
    old = 0
    if by_age:
        is_old = DeliveryRow.made_unix_s.between(EARLIEST_UNIX_S, now_unix_s - subscription.waiting_s)
        old = _drop(session, and_(waiting, is_old), TOO_OLD, now_unix_s)
    count = session.scalar(select(func.count()).where(waiting)) or 0
    many = 0
    if count > subscription.waiting_at_most:
        first_to_go = select(DeliveryRow.id).where(waiting).order_by(DeliveryRow.phase != "update", DeliveryRow.id)
        chosen = session.scalars(first_to_go.limit(count - subscription.waiting_at_most)).all()
        many = _drop(session, DeliveryRow.id.in_(chosen), TOO_MANY, now_unix_s)
    for dropped, reason in ((old, TOO_OLD), (many, TOO_MANY)):
        if dropped:
            log.warning("sink %s: %d messages dropped, %s", subscription.sink, dropped, reason)
    return old + many


def forget_done(session: Session, before_unix_s: float) -> None:
    """Remove messages that were delivered or dropped long ago."""
    session.execute(delete(DeliveryRow).where(DeliveryRow.done_unix_s < before_unix_s))


def next_delivery(session: Session, sink: str, now_unix_s: float) -> Delivery | float | None:
    """Return the message to try now; else when one will be due, in seconds since 1970; None if none waits.

    A message waits until the earlier ones of its event are through. One that would be due in the far future was put
    off while the clock was wrong: it is due now.
    """
    row, earlier = DeliveryRow, aliased(DeliveryRow)
    is_later = exists().where(
        earlier.sink == row.sink, earlier.event_id == row.event_id, earlier.status == "waiting", earlier.id < row.id
    )
    first = select(row).where(row.sink == sink, row.status == "waiting", ~is_later)
    is_due = or_(row.due_unix_s <= now_unix_s, row.due_unix_s > now_unix_s + LATEST_DUE_S)
    found = session.scalars(first.where(is_due).order_by(row.id).limit(1)).first()
    if found is None:
        return session.scalar(first.with_only_columns(func.min(row.due_unix_s)))
    return _delivery(found)


def delivered(session: Session, delivery: Delivery, now_unix_s: float) -> None:
    """Mark a delivery as delivered."""
    row = session.get(DeliveryRow, delivery.id)
    if row is not None:  # else a newer message has taken its place
        row.status, row.fault, row.done_unix_s, row.attempts = "delivered", None, now_unix_s, row.attempts + 1


def failed(session: Session, delivery: Delivery, fault: str, due_unix_s: float) -> None:
    """Note a failed try, and when the delivery is due again."""
    row = session.get(DeliveryRow, delivery.id)
    if row is not None and row.status == "waiting":
        row.fault, row.due_unix_s, row.attempts = fault[:300], due_unix_s, row.attempts + 1


def drop_other_sinks(session: Session, sinks: Sequence[str], now_unix_s: float) -> int:
    """Drop messages that wait for sinks that no longer exist."""
    others = and_(DeliveryRow.sink.not_in(sinks), DeliveryRow.status == "waiting")
    count = _drop(session, others, NO_SINK, now_unix_s)
    if count:
        log.warning("%d messages to sinks that are no longer named were dropped", count)
    return count


def counts(session: Session) -> dict[str, QueueCount]:
    """Return the counts of messages for each sink."""
    found: dict[str, dict[str, int]] = {}
    rows = select(DeliveryRow.sink, DeliveryRow.status, func.count()).group_by(DeliveryRow.sink, DeliveryRow.status)
    for sink, status, count in session.execute(rows):
        found.setdefault(sink, {})[status] = count
    return {sink: QueueCount(**numbers) for sink, numbers in sorted(found.items())}


def waiting(session: Session) -> dict[str, Waiting]:
    """Return the waiting messages of each sink that has any."""
    found: dict[str, Waiting] = {}
    rows = select(DeliveryRow.sink, DeliveryRow.made_unix_s, DeliveryRow.fault)
    for sink, made_unix_s, fault in session.execute(rows.where(DeliveryRow.status == "waiting")):
        before = found.get(sink, Waiting(made_unix_s, None))
        found[sink] = Waiting(min(before.since_unix_s, made_unix_s), fault or before.fault)
    return dict(sorted(found.items()))


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
