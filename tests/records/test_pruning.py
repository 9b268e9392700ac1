import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskedskipunet.errors import ConfigError
from maskedskipunet.records import outbox
from maskedskipunet.records.checking import check
from maskedskipunet.records.outbox import QueueCount
from maskedskipunet.records.pruning import Retention, choose, prune
from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.records.store import Records
from maskedskipunet.records.subscriptions import Subscription

from .conftest import BEGAN_UNIX_S, CLIP, make_event

DAY_S = 86400.0


@pytest.fixture
def month(book):
    """An event a day for five days, the second still lasts; it is the sixth day."""
    for day in range(5):
        if day == 1:
            book.tell("new", f"e{day}", began_s=day * DAY_S)
        else:
            book.whole(f"e{day}", began_s=day * DAY_S)
    book.clock.now_unix_s += 5 * DAY_S
    return book


def names(book):
    return [recorded.event.id for recorded in book.records.events()]


def test_what_is_too_old_goes_with_its_files_but_never_an_event_that_lasts(month):
    month.records.begin_state("door", "lost")
    month.records.end_state("door", "lost")
    pruned = prune(month.records, Retention(older_than_s=2.5 * DAY_S))
    assert [removed.id for removed in pruned.removed] == ["e0", "e2"]
    assert names(month) == ["e1", "e3", "e4"]
    assert sorted({path.stem for path in month.folder.rglob("events/*/*")}) == ["e1", "e3", "e4"]
    assert not (month.folder / "events" / "2026-03-01").exists()
    assert len(month.records.states()) == 1
    assert check(month.folder).faults == []
    month.clock.now_unix_s += 10 * DAY_S
    prune(month.records, Retention(older_than_s=2.5 * DAY_S))
    assert (names(month), month.records.states()) == (["e1"], [])


def test_the_oldest_go_until_the_rest_fits(month):
    total = check(month.folder).file_bytes
    pruned = prune(month.records, Retention(larger_than_bytes=total - 1))
    assert [removed.id for removed in pruned.removed] == ["e0"]
    assert (pruned.freed_bytes, pruned.kept_bytes) == (pruned.removed[0].bytes, total - pruned.freed_bytes)
    assert prune(month.records, Retention(larger_than_bytes=pruned.kept_bytes)).removed == ()
    assert [removed.id for removed in prune(month.records, Retention(larger_than_bytes=0)).removed] == [
        "e2",
        "e3",
        "e4",
    ]
    assert names(month) == ["e1"]


def test_a_dry_run_tells_the_same_and_removes_nothing(month):
    retention = Retention(older_than_s=DAY_S * 1.5, larger_than_bytes=1500)
    before = names(month)
    told = prune(month.records, retention, dry_run=True)
    assert names(month) == before
    assert check(month.folder).faults == []
    assert prune(month.records, retention) == told


def test_an_event_that_has_just_ended_may_still_get_its_clip(book):
    book.whole("a")
    book.clock.now_unix_s += 30
    assert prune(book.records, Retention(larger_than_bytes=0)).removed == ()
    book.clock.now_unix_s += 31
    assert len(prune(book.records, Retention(larger_than_bytes=0)).removed) == 1


def test_a_removal_that_was_cut_off_is_finished_by_whoever_opens_next(month):
    with month.records.write() as session:
        session.connection().exec_driver_sql("UPDATE events SET is_removing = 1 WHERE id = 'e0'")
    month.clip("e0").unlink()
    assert "e0" not in names(month)
    with Records.open(month.folder) as records:
        assert records.finished == ["finished the removal of event e0"]
    assert not month.description("e0").exists()
    assert check(month.folder).faults == []


def test_what_was_delivered_a_week_ago_is_forgotten_and_what_waits_since_then_is_not(book):
    subscription = Subscription(sink="hook")
    for event_id in "ab":
        book.tell("new", event_id, subscriptions=[subscription])
    with book.records.write() as session:
        outbox.delivered(session, outbox.next_delivery(session, "hook", book.clock()), book.clock())
    counts = []
    for days in (6, 2):
        book.clock.now_unix_s += days * DAY_S
        prune(book.records, Retention())
        with book.records.read() as session:
            counts.append(outbox.counts(session)["hook"])
    assert counts == [QueueCount(waiting=1, delivered=1), QueueCount(waiting=1)]


@pytest.mark.parametrize("bounds", [{"older_than_s": -1}, {"older_than_s": float("nan")}, {"larger_than_bytes": -1}])
def test_bounds_that_cannot_be_are_refused(bounds):
    with pytest.raises(ConfigError, match="is no bound"):
        Retention(**bounds)


events = st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 10**6), st.booleans()), max_size=30)
bounds = st.builds(
    Retention,
    older_than_s=st.none() | st.floats(0, 1e6),
    larger_than_bytes=st.none() | st.integers(0, 10**7),
)


@given(events, bounds)
def test_of_any_events_the_oldest_go_no_more_than_needed_and_none_that_lasts(drawn, retention):
    now = BEGAN_UNIX_S + 2e6
    sized = [
        (
            RecordedEvent(
                make_event(f"e{number}"), "door", BEGAN_UNIX_S + began, BEGAN_UNIX_S + began,
                "update" if is_open else "end", 0, False, False, None, None, 1,
            ),
            size,
        )
        for number, (began, size, is_open) in enumerate(drawn)
    ]  # fmt: skip
    chosen = choose(sized, retention, now)
    gone = {removed.id for removed in chosen}
    assert len(gone) == len(chosen)
    assert not any(recorded.is_open and recorded.event.id in gone for recorded, _ in sized)
    assert [removed.began_unix_s for removed in chosen] == sorted(removed.began_unix_s for removed in chosen)
    kept = [(recorded, size) for recorded, size in sized if recorded.event.id not in gone]
    closed = [(recorded, size) for recorded, size in kept if not recorded.is_open]
    if retention.older_than_s is not None:
        assert all(recorded.began_unix_s >= now - retention.older_than_s for recorded, _ in closed)
    if retention.larger_than_bytes is not None and closed:
        assert sum(size for _, size in kept) <= retention.larger_than_bytes
    if chosen and retention.larger_than_bytes is not None and retention.older_than_s is None:
        assert sum(size for _, size in kept) + chosen[-1].bytes > retention.larger_than_bytes


@settings(max_examples=8)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4000)), max_size=5), bounds)
def test_whatever_is_pruned_rows_and_files_agree_afterwards(new_book, drawn, retention):
    with tempfile.TemporaryDirectory() as place, new_book(Path(place) / "records") as book:
        for number, (day, size) in enumerate(drawn):
            padding = (8 + size).to_bytes(4) + b"free" + bytes(size)
            book.whole(f"e{number}", began_s=day * DAY_S, clip=CLIP + padding)
        book.clock.now_unix_s += 6 * DAY_S
        before = check(book.folder)
        pruned = prune(book.records, retention)
        after = check(book.folder)
    assert after.faults == []
    assert after.events == before.events - len(pruned.removed)
    assert after.file_bytes == before.file_bytes - pruned.freed_bytes == pruned.kept_bytes
