import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from maskedskipunet.errors import ConfigError
from maskedskipunet.records import outbox
from maskedskipunet.records.outbox import Delivery, QueueCount
from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.records.subscriptions import Subscription
from maskedskipunet.records.tables import Table

from .conftest import BEGAN_UNIX_S, make_event


class Queue:
    """One sink's queue in a database in memory, with a clock that is set by hand."""

    def __init__(self, **subscription) -> None:
        self.subscription = Subscription(sink="hook", **subscription)
        engine = create_engine("sqlite://")
        Table.metadata.create_all(engine)
        self.session = Session(engine)
        self.engine = engine
        self.now = BEGAN_UNIX_S
        self.sequences: dict[str, int] = {}

    def tell(self, phase: str, event_id: str = "a") -> None:
        sequence = self.sequences[event_id] = self.sequences.get(event_id, -1) + 1
        times = (BEGAN_UNIX_S, self.now)
        recorded = RecordedEvent(
            make_event(event_id), "door", *times, phase, sequence, False, False, None, None, sequence + 1
        )
        outbox.enqueue(self.session, recorded, [self.subscription], self.now)

    def next(self) -> Delivery | float | None:
        return outbox.next_delivery(self.session, "hook", self.now)

    def take(self) -> str | None:
        found = self.next()
        if not isinstance(found, Delivery):
            return None
        outbox.delivered(self.session, found, self.now)
        self.session.flush()
        return found.key

    def all(self) -> list[str]:
        taken = []
        while key := self.take():
            taken.append(key)
        return taken

    def count(self) -> QueueCount:
        return outbox.counts(self.session).get("hook", QueueCount())


@pytest.fixture
def queue():
    made = []

    def make(**subscription) -> Queue:
        made.append(Queue(**subscription))
        return made[-1]

    yield make
    for one in made:
        one.session.close()
        one.engine.dispose()


def test_messages_come_out_in_the_order_they_went_in(queue):
    q = queue(update_every_s=0)
    for phase, event_id in (("new", "a"), ("new", "b"), ("end", "a"), ("end", "b")):
        q.tell(phase, event_id)
    assert q.all() == ["a:new:0", "b:new:0", "a:end:1", "b:end:1"]
    assert q.next() is None


def test_only_the_phases_that_a_sink_is_told_are_queued(queue):
    q = queue(phases=("end",))
    for phase in ("new", "update", "end"):
        q.tell(phase)
    assert q.all() == ["a:end:2"]


def test_of_updates_that_wait_the_last_one_is_told(queue):
    q = queue(update_every_s=0)
    q.tell("new")
    for _ in range(5):
        q.tell("update")
    assert q.all() == ["a:new:0", "a:update:5"]


def test_updates_come_no_more_often_than_stated_and_the_end_always(queue):
    q = queue(update_every_s=10)
    q.tell("new")
    taken = q.all()
    for _ in range(24):
        q.now += 1
        q.tell("update")
        taken += q.all()
    q.now += 1
    q.tell("end")
    assert taken + q.all() == ["a:new:0", "a:update:10", "a:update:20", "a:end:25"]


def test_events_beyond_the_hours_number_are_not_told_at_all_and_counted(queue, caplog):
    q = queue(events_per_hour=2, update_every_s=0)
    for event_id in "abcd":
        for phase in ("new", "update", "end"):
            q.tell(phase, event_id)
    assert {key[0] for key in q.all()} == {"a", "b"}
    assert q.count().dropped == 2
    assert "event c is not told, more events within the hour than allowed" in caplog.text
    q.now += 3601
    q.tell("new", "e")
    assert q.all() == ["e:new:0"]


def test_what_waits_too_long_is_dropped_and_said(queue, caplog):
    q = queue(waiting_s=100)
    q.tell("new", "a")
    q.now += 101
    q.tell("new", "b")
    assert "sink hook: 1 messages dropped, they waited too long" in caplog.text
    assert q.all() == ["b:new:0"]


def test_of_too_many_that_wait_updates_go_first_and_then_the_oldest(queue, caplog):
    q = queue(waiting_at_most=3, update_every_s=0)
    for event_id in "abc":
        q.tell("new", event_id)
        q.tell("update", event_id)
    assert q.all() == ["a:new:0", "b:new:0", "c:new:0"]
    for event_id in "wxyz":
        q.tell("new", event_id)
    assert q.all() == ["x:new:0", "y:new:0", "z:new:0"]
    assert q.count().dropped == 4
    assert "too many waited" in caplog.text


def test_a_failed_message_is_due_later_and_holds_up_its_own_event_alone(queue):
    q = queue(update_every_s=0)
    for phase, event_id in (("new", "a"), ("end", "a"), ("new", "b")):
        q.tell(phase, event_id)
    outbox.failed(q.session, q.next(), "it answers 400", q.now + 60)
    assert q.all() == ["b:new:0"]
    assert q.next() == q.now + 60
    q.now += 60
    found = q.next()
    assert (found.key, found.attempts) == ("a:new:0", 1)
    assert q.all() == ["a:new:0", "a:end:1"]


def test_a_message_replaced_while_it_was_on_its_way_does_not_take_the_new_one_with_it(queue):
    q = queue(update_every_s=0)
    q.tell("update")
    on_its_way = q.next()
    q.tell("update")
    outbox.delivered(q.session, on_its_way, q.now)
    assert q.all() == ["a:update:1"]


def test_an_update_that_was_tried_is_not_replaced_because_the_receiver_may_have_it_already(queue):
    q = queue(update_every_s=0)
    q.tell("new")
    q.take()
    q.tell("update")
    outbox.failed(q.session, q.next(), "no answer in time", q.now)
    q.tell("update")
    q.tell("update")  # the one before was never tried: this one takes its place
    assert q.all() == ["a:update:1", "a:update:3"]


def test_the_begin_of_a_state_that_was_tried_is_not_taken_back_and_its_end_is_told(queue):
    q = queue(states=("all",), states_after_s=0)
    tell_state(q, "new")
    outbox.failed(q.session, q.next(), "no answer in time", q.now + 60)
    q.now += 9
    tell_state(q, "end")
    q.now += 60
    assert q.all() == ["state-1:new:0", "state-1:end:1"]


def test_a_message_dropped_while_it_was_on_its_way_stays_dropped_for_its_own_reason_when_the_try_fails(queue):
    q = queue(waiting_at_most=1)
    q.tell("new", "a")
    on_its_way = q.next()
    q.tell("new", "b")
    outbox.failed(q.session, on_its_way, "no answer in time", q.now + 60)
    dropped = q.session.get(outbox.DeliveryRow, on_its_way.id)
    assert (dropped.status, dropped.fault, dropped.attempts) == ("dropped", "too many waited", 0)
    assert q.all() == ["b:new:0"]


def test_what_is_done_is_forgotten_after_a_while_and_what_waits_is_not(queue):
    q = queue()
    q.tell("new", "a")
    q.all()
    q.tell("new", "b")
    outbox.forget_done(q.session, q.now + 1)
    assert q.count() == QueueCount(waiting=1)


def tell_state(q, phase, kind="dark", reference="state-1"):
    message = {"phase": phase, "sequence": int(phase == "end"), "state": kind, "camera": "door"}
    outbox.enqueue_state(q.session, reference, message, [q.subscription], q.now)


def test_a_state_is_told_to_who_takes_it_once_it_has_lasted_and_its_end_too(queue):
    q = queue(states=("dark", "lost"), states_after_s=10)
    for kind in ("dark", "moved"):
        tell_state(q, "new", kind, f"state-{kind}")
    assert (q.take(), q.next()) == (None, q.now + 10)
    q.now += 10
    assert q.all() == ["state-dark:new:0"]
    q.now += 100
    for kind in ("dark", "moved"):
        tell_state(q, "end", kind, f"state-{kind}")
    assert q.all() == ["state-dark:end:1"]


def test_a_state_that_is_over_at_once_is_not_told_at_all(queue):
    q = queue(states=("all",), states_after_s=10)
    tell_state(q, "new")
    q.now += 9
    tell_state(q, "end")
    q.now += 100
    assert (q.all(), q.count()) == ([], QueueCount())


def test_states_and_events_do_not_use_up_one_anothers_hour(queue):
    q = queue(states=("all",), states_after_s=0, events_per_hour=2)
    for number in range(4):
        for phase in ("new", "end"):
            tell_state(q, phase, reference=f"state-{number}")
    for event_id in "abc":
        q.tell("new", event_id)
    assert q.count() == QueueCount(waiting=6, dropped=3)
    assert q.all() == ["state-0:new:0", "state-0:end:1", "state-1:new:0", "state-1:end:1", "a:new:0", "b:new:0"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"sink": ""},
        {"states_after_s": -1},
        {"states_after_s": 3600},
        {"phases": ()},
        {"phases": ("over",)},
        {"update_every_s": -1},
        {"events_per_hour": 0},
        {"waiting_at_most": 0},
        {"waiting_s": 0},
        {"waiting_s": float("nan")},
    ],
)
def test_routes_that_cannot_be_are_refused(wrong):
    with pytest.raises(ConfigError):
        Subscription(**{"sink": "hook"} | wrong)


steps = st.lists(
    st.tuples(st.sampled_from(["tell", "take", "fail", "wait"]), st.integers(0, 3), st.floats(0, 50)), max_size=40
)


@settings(max_examples=40)
@given(steps, st.integers(1, 5))
def test_every_begin_and_end_is_delivered_once_and_in_order_or_counted_as_dropped(drawn, waiting_at_most):
    q = Queue(update_every_s=5, waiting_at_most=waiting_at_most)
    told, taken = [], []
    phases = {}
    for step, event, seconds in drawn:
        event_id = f"e{event}"
        if step == "tell" and phases.get(event_id) != "end":
            phase = "new" if event_id not in phases else "end" if seconds > 30 else "update"
            phases[event_id] = phase
            q.tell(phase, event_id)
            if phase != "update":
                told.append(f"{event_id}:{phase}")
        elif step == "take":
            taken += filter(None, [q.take()])
        elif step == "fail" and isinstance(found := q.next(), Delivery):
            outbox.failed(q.session, found, "away", q.now + seconds)
        q.now += seconds
        assert q.count().waiting <= waiting_at_most
    q.now += 1000
    taken += q.all()
    dropped = q.count().dropped
    q.session.close()
    q.engine.dispose()
    lasting = [key.rpartition(":")[0] for key in taken if ":update:" not in key]
    assert len(taken) == len(set(taken))
    assert set(lasting) <= set(told)
    assert len(told) - len(lasting) <= dropped
    for event_id in phases:
        of_event = [int(key.rpartition(":")[2]) for key in taken if key.startswith(f"{event_id}:")]
        assert of_event == sorted(of_event)
