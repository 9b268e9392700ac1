import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.errors import ConfigError
from maskedskipunet.notify.backoff import Backoff
from maskedskipunet.notify.dispatcher import Dispatcher, SubscribedSink
from maskedskipunet.notify.sink import RefusedError, RetryLaterError
from maskedskipunet.records.subscriptions import Subscription

from .conftest import PICTURE, QUICK, FakeSink, until


def dispatcher(desk, sink, **others):
    subscribed_sinks = {"hook": SubscribedSink(desk.subscription, sink)} | others
    return Dispatcher(desk.records, subscribed_sinks, backoff=QUICK, seed=0)


def test_what_waits_is_delivered_in_order_and_remembered_as_delivered(desk):
    keys = desk.life("a")
    sink = FakeSink()
    with dispatcher(desk, sink):
        keys += desk.life("b")
        until(lambda: desk.count().delivered == 4)
    assert sink.taken == keys == ["a:new:0", "a:end:1", "b:new:0", "b:end:1"]
    assert sink.is_closed


def test_an_event_files_are_handed_over_as_they_lie_there(desk):
    began = time.time()
    desk.tell("new", "a", began_unix_s=began, picture=PICTURE)
    sink = FakeSink()
    with dispatcher(desk, sink):
        until(lambda: sink.taken)
    assert sink.files[0].clip is None
    assert sink.files[0].picture == desk.records.picture_path("a", began)


def test_a_receiver_that_is_away_gets_everything_in_order_when_it_is_back(desk, caplog):
    sink = FakeSink(*[RetryLaterError("the connection was refused")] * 5)
    keys = desk.life("a")
    with dispatcher(desk, sink):
        until(lambda: len(sink.tried) >= 4)
        keys += desk.life("b")
        until(lambda: desk.count().delivered == 4)
    assert sink.taken == keys
    assert set(sink.tried[:5]) == {"a:new:0"}
    assert caplog.text.count("the connection was refused") == 1


def test_a_message_that_is_refused_holds_up_its_own_event_alone(desk):
    sink = FakeSink(lambda delivery: RefusedError("it answers 400"), RefusedError("it answers 400"))
    desk.life("a")
    desk.tell("new", "b")
    with dispatcher(desk, sink):
        until(lambda: desk.count().delivered == 3)
    assert sorted(sink.taken) == ["a:end:1", "a:new:0", "b:new:0"]
    assert sink.taken.index("a:new:0") < sink.taken.index("a:end:1")


def test_a_fault_of_a_library_is_kept_by_its_kind_alone(desk, caplog):
    sink = FakeSink(ValueError("https://me:hunter2@host"))
    desk.tell("new", "a")
    with dispatcher(desk, sink):
        until(lambda: (len(sink.tried) == 1 and "ValueError" in str(desk.faults())) or sink.taken)
        until(lambda: sink.taken)
    assert "ValueError" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_receiver_that_hangs_holds_up_neither_the_video_nor_other_sinks(desk):
    release = threading.Event()
    hanging, other = FakeSink(lambda delivery: release.wait(60) and None), FakeSink()
    subscriptions = [desk.subscription, Subscription(sink="other", update_every_s=0)]
    with dispatcher(desk, hanging, other=SubscribedSink(subscriptions[1], other)):
        desk.life("a", subscriptions=subscriptions)
        until(lambda: hanging.tried)
        desk.life("b", subscriptions=subscriptions)
        until(lambda: len(other.taken) == 4)
        assert hanging.taken == []
        release.set()
        until(lambda: len(hanging.taken) == 4)


def test_a_dispatcher_that_ends_leaves_what_waits_to_the_next(desk):
    keys = desk.life("a")
    with dispatcher(desk, FakeSink(*[RetryLaterError("away")] * 1000)) as first:
        until(lambda: "away" in desk.faults())
        first.close()
    sink = FakeSink()
    with dispatcher(desk, sink):
        until(lambda: desk.count().delivered == 2)
    assert sink.taken == keys


class Announcing(FakeSink):
    """Says what holds before any message; fails to as often as its faults say."""

    def __init__(self, *faults):
        super().__init__()
        self.faults, self.said, self.wake = [*faults], 0, lambda: None

    def when_due(self, wake):
        self.wake = wake

    def announce(self):
        if self.faults:
            raise self.faults.pop(0)
        self.said += 1
        return self.said == 1


def test_a_sink_that_announces_does_so_at_the_start_without_any_message_and_when_it_asks_to(desk):
    sink = Announcing()
    with dispatcher(desk, sink):
        until(lambda: sink.said == 1)
        sink.wake()
        until(lambda: sink.said == 2)
    assert sink.tried == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (RetryLaterError("the broker refuses the connection"), "refuses the connection"),
        (KeyError("hunter2"), "KeyError"),
    ],
)
def test_a_sink_that_cannot_announce_says_why_at_once_and_tries_again(desk, caplog, fault, words):
    keys = desk.life("a")
    sink = Announcing(*[fault] * 3)
    with dispatcher(desk, sink):
        until(lambda: desk.count().delivered == 2)
    assert sink.taken == keys
    assert (caplog.text.count(words), "hunter2" in caplog.text) == (1, False)


def test_a_state_of_a_camera_is_delivered_without_files(desk):
    subscription = Subscription(sink="hook", states=("all",), states_after_s=0)
    sink = FakeSink()
    with dispatcher(desk, sink):
        desk.records.begin_state("door", "dark", subscriptions=[subscription])
        until(lambda: sink.taken)
    assert (sink.files[0].clip, sink.files[0].picture) == (None, None)


def test_messages_to_a_sink_that_is_no_longer_named_are_dropped_and_said(desk, caplog):
    desk.tell("new", "a", subscriptions=[Subscription(sink="gone")])
    with dispatcher(desk, FakeSink()):
        pass
    assert desk.count("gone").dropped == 1
    assert "1 messages to sinks that are no longer named were dropped" in caplog.text


def test_a_receiver_that_asks_for_patience_gets_it_within_bounds(desk):
    desk.tell("new", "a")
    sink = FakeSink(RetryLaterError("it answers 429", 0.5))
    began_s = time.monotonic()
    with dispatcher(desk, sink):
        until(lambda: sink.taken)
    assert time.monotonic() - began_s >= 0.5


@pytest.mark.parametrize("kind", [FakeSink, Announcing])
def test_a_receiver_that_asks_for_more_patience_than_the_bound_is_tried_again_after_the_bound(desk, monkeypatch, kind):
    sink = kind(RetryLaterError("it answers 503", 1e6))
    monkeypatch.setattr("maskedskipunet.notify.dispatcher.LONGEST_RETRY_AFTER_S", 0.05)
    desk.tell("new", "a")
    with dispatcher(desk, sink):
        until(lambda: sink.taken)
    assert sink.taken == ["a:new:0"]


def test_what_waits_too_long_for_a_receiver_is_dropped_though_nothing_more_happens(desk, monkeypatch):
    monkeypatch.setattr("maskedskipunet.notify.dispatcher.MAINTAIN_S", 0.05)
    subscription = Subscription(sink="hook", waiting_s=0.3)
    desk.tell("new", "a", subscriptions=[subscription])
    with Dispatcher(desk.records, {"hook": SubscribedSink(subscription, Away())}, backoff=QUICK):
        until(lambda: desk.count().dropped == 1)
    assert desk.count().waiting == 0


class Away(FakeSink):
    """Never takes anything."""

    def send(self, delivery, files):
        raise RetryLaterError("the connection was refused")


@given(st.integers(1, 2000), st.floats(0, 1), st.randoms(use_true_random=False))
def test_waits_grow_to_a_bound_and_are_never_shorter_than_chance_allows(failures, jitter, chance):
    backoff = Backoff(first_s=1, longest_s=300, jitter=jitter)
    longest = min(300.0, 2.0 ** min(failures - 1, 60))
    assert longest * (1 - jitter) <= backoff.wait_s(failures, chance) <= longest


@pytest.mark.parametrize("wrong", [{"first_s": 0}, {"first_s": 9, "longest_s": 1}, {"jitter": 2}])
def test_waits_that_cannot_be_are_refused(wrong):
    with pytest.raises(ConfigError, match="waits that cannot be"):
        Backoff(**wrong)
