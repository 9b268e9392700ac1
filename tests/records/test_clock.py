"""A wall clock that is wrong: before it was set, a year ahead, and put right again."""

import pytest

from maskedskipunet.records import outbox
from maskedskipunet.records.clock import EARLIEST_UNIX_S, SETTLE_S, ClockGuard, last_trusted_unix_s
from maskedskipunet.records.outbox import Delivery, QueueCount
from maskedskipunet.records.pruning import Retention, prune
from maskedskipunet.records.subscriptions import Subscription

from .conftest import BEGAN_UNIX_S, Clock

YEAR_S = 365 * 86400.0
SUBSCRIPTION = Subscription(sink="hook", states=("all",), states_after_s=0)
MONTH = Retention(older_than_s=30 * 86400.0)


class Machine:
    """A wall clock that can be set, and one that only grows."""

    def __init__(self, wall: Clock) -> None:
        self.wall, self.steady_s = wall, 1000.0

    def steady(self) -> float:
        return self.steady_s

    def passes(self, seconds: float) -> None:
        self.wall.now_unix_s += seconds
        self.steady_s += seconds


@pytest.fixture
def machine(book):
    """A machine that watches into the book."""
    machine = Machine(book.clock)
    boot(book, machine)
    return machine


def boot(book, machine, *, stands_at: float | None = None) -> None:
    """A watch begins, its clock as it stands or at another time."""
    with book.records.read() as session:
        trusted = last_trusted_unix_s(session)
    if stands_at is not None:
        machine.wall.now_unix_s = stands_at
    book.records.guard = ClockGuard(machine.wall, machine.steady, trusted_unix_s=trusted)


def alarm(book, event_id="a"):
    for phase in ("new", "end"):
        book.tell(phase, event_id, began_s=book.clock.now_unix_s - BEGAN_UNIX_S, subscriptions=[SUBSCRIPTION])


def counts(book) -> QueueCount:
    with book.records.read() as session:
        return outbox.counts(session).get("hook", QueueCount())


def names(book):
    return [recorded.event.id for recorded in book.records.events()]


@pytest.mark.parametrize("before", [100.0, BEGAN_UNIX_S - 40 * 86400], ids=["1970", "where the clock stopped"])
def test_an_alarm_from_before_the_clock_was_set_is_told_and_kept(book, machine, caplog, before):
    boot(book, machine, stands_at=before)
    alarm(book)
    book.records.begin_state("door", "dark", subscriptions=[SUBSCRIPTION])
    machine.passes(60)
    machine.wall.now_unix_s = BEGAN_UNIX_S  # the time server has been reached
    alarm(book, "b")
    assert counts(book) == QueueCount(waiting=5)
    assert "the clock was set forward" in caplog.text
    (dark,) = book.records.states()
    assert dark.began_unix_s == pytest.approx(BEGAN_UNIX_S - 60, abs=1e-3)
    assert prune(book.records, MONTH).removed == ()
    book.records.set_last_frames({"door": book.clock()})
    machine.passes(600)
    boot(book, machine)  # the next start
    assert prune(book.records, MONTH).removed == ()
    machine.passes(29 * 86400)
    assert prune(book.records, MONTH).removed == ()
    machine.passes(2 * 86400)
    assert [removed.id for removed in prune(book.records, MONTH).removed] == ["a", "b"]


def test_a_clock_that_is_a_year_ahead_removes_nothing_and_one_that_goes_on_does(book, machine, caplog):
    alarm(book)
    book.records.set_last_frames({"door": book.clock()})
    boot(book, machine, stands_at=BEGAN_UNIX_S + YEAR_S)
    assert "the clock is 365 days after the last watch" in caplog.text
    assert prune(book.records, MONTH).removed == ()
    alarm(book, "b")
    assert counts(book) == QueueCount(waiting=4)
    machine.passes(100)
    book.records.set_last_frames({"door": book.clock()})
    boot(book, machine)  # starting once more makes no wrong clock right
    assert prune(book.records, MONTH).removed == ()
    machine.wall.now_unix_s -= YEAR_S
    alarm(book, "c")
    assert counts(book) == QueueCount(waiting=6)
    machine.passes(SETTLE_S)
    assert prune(book.records, MONTH).removed == ()
    machine.passes(31 * 86400)
    assert {removed.id for removed in prune(book.records, MONTH).removed} == {"a", "b", "c"}


def test_a_watch_that_was_off_for_months_removes_what_is_old_half_a_day_later(book, machine):
    alarm(book)
    boot(book, machine, stands_at=BEGAN_UNIX_S + 90 * 86400)
    machine.passes(SETTLE_S - 1)
    assert prune(book.records, MONTH).removed == ()
    machine.passes(1)
    book.records.set_last_frames({"door": book.clock()})
    boot(book, machine)  # from then on the clock is trusted at each start
    assert [removed.id for removed in prune(book.records, MONTH).removed] == ["a"]


def test_a_clock_that_is_set_to_and_fro_leaves_what_it_stamped_where_it_was(book, machine):
    alarm(book)
    book.records.begin_state("door", "dark")
    made = [state.began_unix_s for state in book.records.states()]
    for step_s in (YEAR_S, -YEAR_S):
        machine.wall.now_unix_s += step_s
        book.records.add_camera("door", "")
    assert [state.began_unix_s for state in book.records.states()] == made
    assert book.records.ages_from() == {"a": pytest.approx(BEGAN_UNIX_S, abs=1e-3)}


def test_an_event_of_unknown_age_does_not_go_by_age_until_one_is_known(book):
    book.tell("new", "a", began_s=-BEGAN_UNIX_S)
    book.clock.now_unix_s = 10.0
    book.tell("end", "a")
    book.clock.now_unix_s = BEGAN_UNIX_S
    assert prune(book.records, MONTH).removed == ()
    book.whole("b", began_s=-100)
    book.clock.now_unix_s += 1000
    assert [one.id for one in prune(book.records, Retention(larger_than_bytes=0)).removed] == ["b", "a"]


def test_a_delivery_that_failed_while_the_clock_was_ahead_is_due_now(book):
    alarm(book)
    with book.records.write() as session:
        found = outbox.next_delivery(session, "hook", book.clock())
        assert isinstance(found, Delivery)
        outbox.failed(session, found, "away", book.clock() + YEAR_S)
    with book.records.read() as session:
        again = outbox.next_delivery(session, "hook", book.clock())
    assert isinstance(again, Delivery)
    assert (again.key, again.attempts) == ("a:new:0", 1)


def test_what_was_told_while_the_clock_was_ahead_uses_up_no_hour_and_holds_back_no_update(book):
    subscription = Subscription(sink="hook", events_per_hour=2, update_every_s=10)
    book.clock.now_unix_s += YEAR_S
    for phase in ("new", "end"):
        book.tell(phase, "a", subscriptions=[subscription])
    book.tell("new", "b", subscriptions=[Subscription(sink="hook")])
    book.clock.now_unix_s -= YEAR_S
    book.tell("update", "b", subscriptions=[subscription])
    book.tell("new", "c", subscriptions=[subscription])
    assert counts(book) == QueueCount(waiting=5)


def test_only_a_clock_that_was_set_and_has_gone_steadily_can_be_trusted():
    wall = Clock()
    machine = Machine(wall)
    guard = ClockGuard(wall, machine.steady)
    assert guard.is_trusted()
    machine.passes(1e6)
    wall.now_unix_s += 30  # kept in time
    assert (guard.is_trusted(), guard.jump()) == (True, None)
    wall.now_unix_s += 4000
    jump = guard.jump()
    assert (guard.is_trusted(), jump.by_s) == (False, pytest.approx(4030))
    guard.took(jump)
    assert (guard.is_trusted(), guard.jump()) == (False, None)
    machine.passes(SETTLE_S)
    assert guard.is_trusted()
    assert not ClockGuard(Clock(EARLIEST_UNIX_S - 1), machine.steady).is_trusted()
