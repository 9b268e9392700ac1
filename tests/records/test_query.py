"""Recorded events by camera, time and answer, in each order, and a page at a time."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.event import listen, remove

from maskedskipunet.detection.events import Event, EventUpdate
from maskedskipunet.errors import RecordsError
from maskedskipunet.records.query import EventQuery, answer_counts
from maskedskipunet.records.store import Records
from maskedskipunet.records.tables import EventRow

BEGAN_UNIX_S = 1_772_355_600.0


def add(records: Records, event_id: str, *, camera: str = "door", minute: float = 0, score: float = 0.5) -> None:
    event = Event(event_id, "rtsp://10.0.0.5/x", 1.0, 2.0, 1.5, 5, 9, 7, score, score / 2, ())
    records.record(EventUpdate("new", event), camera=camera, began_unix_s=BEGAN_UNIX_S + 60 * minute)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Six events: two cameras, two of one minute and score, three answers, one that is over."""
    with Records.open(tmp_path_factory.mktemp("records")) as records:
        add(records, "a", minute=3, score=0.2)
        add(records, "b", minute=1, score=0.9, camera="yard")
        add(records, "c", minute=2, score=0.7)
        add(records, "d", minute=2, score=0.7, camera="yard")
        add(records, "e", minute=5, score=0.1 + 0.2)
        add(records, "f", minute=4, score=0.3)
        records.answer("a", "normal")
        records.answer("b", "anomaly")
        records.answer("c", "normal")
        event = records.event("e").event
        records.record(EventUpdate("end", event), camera="door", began_unix_s=BEGAN_UNIX_S)
        yield records


def ids(records: Records, **asked: Any) -> str:
    """What a query finds, all of it and page by page, which must be the same."""
    query = EventQuery(**asked)
    found = "".join(one.event.id for one in records.page(query).events)
    assert records.count(query) == len(found)
    for size in (1, 2, 3):
        assert "".join(paged(records, query, size)) == found
    return found


def paged(records: Records, query: EventQuery, size: int) -> list[str]:
    pages, after = [], None
    while True:
        page = records.page(query, after=after, size=size)
        pages.append("".join(one.event.id for one in page.events))
        if page.next is None:
            return pages
        assert len(page.events) == size
        after = page.next


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, "bcdafe"),
        ({"order": "newest"}, "efadcb"),
        ({"order": "strangest"}, "bdcefa"),
        ({"camera": "yard"}, "bd"),
        ({"camera": "nowhere"}, ""),
        ({"answer": "normal"}, "ca"),
        ({"answer": "anomaly", "order": "newest"}, "b"),
        ({"answer": "none", "order": "strangest"}, "def"),
        ({"since_unix_s": BEGAN_UNIX_S + 120, "until_unix_s": BEGAN_UNIX_S + 240}, "cda"),
        ({"open_only": True, "order": "newest"}, "fadcb"),
        ({"camera": "door", "answer": "none", "since_unix_s": BEGAN_UNIX_S + 270}, "e"),
    ],
)
def test_events_are_found_by_what_is_asked_for_in_the_order_asked_for(
    records: Records, asked: dict[str, Any], expected: str
) -> None:
    assert ids(records, **asked) == expected


def test_what_is_recorded_or_removed_between_two_pages_moves_no_other_event(tmp_path: Path) -> None:
    with Records.open(tmp_path / "records") as records:
        for minute, event_id in enumerate("abcdef"):
            add(records, event_id, minute=minute)
        query = EventQuery(order="newest")

        first = records.page(query, size=2)
        add(records, "new", minute=9)
        records.remove("e")  # the last of the first page
        second = records.page(query, after=first.next, size=2)

        assert [one.event.id for one in first.events + second.events] == ["f", "e", "d", "c"]


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.1 + 0.2]), st.integers(0, 3)), max_size=9), st.integers(1, 4))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_pages_hold_every_event_once_in_order(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[tuple[float, int]], size: int
) -> None:
    with Records.open(tmp_path_factory.mktemp("records")) as records:
        for number, (score, minute) in enumerate(kinds):
            add(records, f"{number}", score=score, minute=minute)
        for order in ("oldest", "newest", "strangest"):
            query = EventQuery(order=order)  # type: ignore[arg-type]
            found = [event_id for page in paged(records, query, size) for event_id in page]
            assert sorted(found) == [str(number) for number in range(len(kinds))]
            scores = [records.event(event_id).event.top_score for event_id in found]
            times = [records.event(event_id).began_unix_s for event_id in found]
            if order == "strangest":
                assert all(earlier >= later for earlier, later in pairwise(scores))
            else:
                assert times == sorted(times, reverse=order == "newest")


@pytest.mark.parametrize("after", ["", "a", "0x1p+0", "0x1p+0_", "nan_a", "inf_a", "0x1p+99999_a", "_a", "'; drop_x"])
def test_what_is_no_place_in_a_list_is_refused(records: Records, after: str) -> None:
    with pytest.raises(RecordsError, match="no place in a list of events"):
        records.page(EventQuery(), after=after)


@pytest.mark.parametrize("size", [0, -1, 1001])
def test_a_page_of_another_size_is_refused(records: Records, size: int) -> None:
    with pytest.raises(RecordsError, match=f"a page of {size} events"):
        records.page(EventQuery(), size=size)


@pytest.mark.parametrize(
    "asked",
    [
        {"order": "newest"},
        {"order": "oldest", "camera": "door"},
        {"order": "strangest"},
        {"order": "strangest", "camera": "yard", "answer": "none"},
        {"order": "strangest", "since_unix_s": BEGAN_UNIX_S, "until_unix_s": BEGAN_UNIX_S + 3600},
        {"order": "newest", "since_unix_s": BEGAN_UNIX_S, "camera": "door", "answer": "normal"},
    ],
)
def test_a_page_and_a_count_are_had_from_an_index_so_that_both_stay_quick(records: Records, asked: Any) -> None:
    def plan_of(ask: Any) -> str:
        statements: list[tuple[str, Any]] = []

        def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            statements.append((statement, parameters))

        with records.read() as session:
            engine = session.get_bind()
            listen(engine, "before_cursor_execute", note)
            try:
                ask()
            finally:
                remove(engine, "before_cursor_execute", note)
            statement, parameters = next(one for one in statements if " events" in one[0])
            rows = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            return "; ".join(str(row[3]) for row in rows)

    query = EventQuery(**asked)
    page, count = plan_of(lambda: records.page(query)), plan_of(lambda: records.count(query))
    assert "TEMP B-TREE" not in page, page
    assert re.match(r"(SCAN|SEARCH) events USING (COVERING )?INDEX ix_events_(began|top|camera)", page), page
    assert re.match(r"(SCAN|SEARCH) events USING COVERING INDEX ix_events_", count), count


def test_events_are_counted_by_answer_without_looking_any_up(tmp_path: Path) -> None:
    with Records.open(tmp_path) as records:
        for number in range(6):
            add(records, f"{number}", minute=number)
        check_counts(records)


def check_counts(records: Records) -> None:
    records.answer("0", "normal")
    records.answer("1", "normal")
    records.answer("2", "anomaly")
    with records.write() as session:
        for event_id in ("1", "3"):
            session.get_one(EventRow, event_id).is_removing = True
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    with records.read() as session:
        listen(engine := session.get_bind(), "before_cursor_execute", note)
        try:
            counts = answer_counts(session)
        finally:
            remove(engine, "before_cursor_execute", note)
        simple = [one for one in statements if one.startswith("SELECT") and "?" not in one]
        plans = [str(session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {one}").all()) for one in simple]

    assert counts == {"none": 2, "normal": 1, "anomaly": 1, "unsure": 0}
    assert [records.count(EventQuery(answer=answer)) for answer in counts] == [2, 1, 1, 0]  # type: ignore[arg-type]
    assert all(" INDEX " in plan for plan in plans), plans
    assert "SCAN answers USING COVERING INDEX ix_answers_answer" in plans[0]
    assert "INDEX ix_events_is_removing" in plans[1]
    assert "SCAN events USING COVERING INDEX" in plans[2]
