"""Answers at the page: by whom and when, all or none, each click taken back; and who has looked at what."""

import sqlite3
import threading

import pytest
from alembic.script import ScriptDirectory

from maskedskipunet.detection.fusing import EventReason
from maskedskipunet.detection.reading import CueReading
from maskedskipunet.errors import RecordsError
from maskedskipunet.records import database
from maskedskipunet.records.answering import answer_events, answer_history, last_action, open_actions, undo_action
from maskedskipunet.records.checking import check
from maskedskipunet.records.event_marks import event_marks
from maskedskipunet.records.kind_counts import counts_of, largest_kinds, unanswered_ids
from maskedskipunet.records.query import EventQuery
from maskedskipunet.records.seen import mark_seen, seen_by, seen_of
from maskedskipunet.records.store import Records

BEGAN_UNIX_S = 1_772_355_600.0
MOVES = EventReason("movement", {"movement": 1.0}, {"movement": CueReading(4.0, speed_ratio=3.0)})


def answers(book) -> dict[str, tuple[str | None, str | None]]:
    return {one.event.id: (one.answer, one.answered_by) for one in book.records.events()}


def test_an_answer_is_kept_with_who_gave_it_in_row_and_file_and_survives_a_rebuild(book):
    book.whole("a")
    answer_events(book.records, ["a"], "unsure", by="ann")
    book.records.close()
    book.records.folder.database.unlink()

    check(book.folder, repair=True)

    with Records.open(book.folder) as records:
        assert (records.event("a").answer, records.event("a").answered_by) == ("unsure", "ann")


def test_the_same_answer_again_by_a_command_stays_that_of_who_gave_it(book):
    book.whole("a")
    answer_events(book.records, ["a"], "normal", by="ann")

    book.records.answer("a", "normal")
    assert answers(book) == {"a": ("normal", "ann")}
    book.records.answer("a", "anomaly")
    assert answers(book) == {"a": ("anomaly", None)}


def test_several_events_are_answered_all_or_none(book):
    book.whole("a")
    book.whole("b")

    for wrong in (["a", "gone"], [], [f"e{number}" for number in range(501)]):
        with pytest.raises(RecordsError):
            answer_events(book.records, wrong, "normal", by="")
    assert answers(book) == {"a": (None, None), "b": (None, None)}
    action = answer_events(book.records, ["b", "a", "b"], "normal", by="")
    assert action.events == ("b", "a")
    assert open_actions(book.records, ["a", "b", "c"], by="") == {"a": (action.id, 2), "b": (action.id, 2)}


def test_clicks_are_taken_back_one_after_the_other(book):
    book.whole("a")
    for answer in ("normal", "anomaly", "unsure"):
        book.clock.now_unix_s += 10
        answer_events(book.records, ["a"], answer, by="ann")

    seen = []
    while (last := last_action(book.records, "ann")) is not None:
        undo_action(book.records, last.id, by="ann")
        seen.append(answers(book)["a"])

    assert seen == [("anomaly", "ann"), ("normal", "ann"), (None, None)]
    assert all(change.is_undone for change in answer_history(book.records, "a"))
    with pytest.raises(RecordsError, match="no such answer to take back"):
        undo_action(book.records, "nothing", by="ann")


def test_a_click_below_one_that_still_holds_keeps_what_that_says(book):
    book.whole("a")
    first = answer_events(book.records, ["a"], "normal", by="ann")
    answer_events(book.records, ["a"], "anomaly", by="ben")

    undone = undo_action(book.records, first.id, by="ann")

    assert (undone.events, undone.kept) == ((), ("a",))
    assert answers(book) == {"a": ("anomaly", "ben")}


def test_two_who_answer_at_once_both_are_kept(book):
    for number in range(20):
        book.whole(f"e{number}")

    def answer(by: str, answer: str) -> None:
        with Records.open(book.folder) as records:
            for number in range(20):
                answer_events(records, [f"e{number}"], answer, by=by)

    threads = [threading.Thread(target=answer, args=one) for one in (("ann", "normal"), ("ben", "anomaly"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for event_id, (said, by) in answers(book).items():
        history = answer_history(book.records, event_id)
        assert sorted(change.user for change in history) == ["ann", "ben"]
        assert (said, by) == (history[-1].answer, history[-1].user)
    assert check(book.folder).is_clean


def test_who_has_looked_is_kept_once_and_goes_with_the_event(book):
    book.whole("a")
    book.whole("b")

    mark_seen(book.records, ["a", "gone"], by="ann")
    first = seen_by(book.records, "a")
    book.clock.now_unix_s += 100
    mark_seen(book.records, ["a"], by="ann")

    assert seen_by(book.records, "a") == first
    assert seen_of(book.records, ["a", "b"], by="ann") == {"a"}
    assert [one.event.id for one in book.records.page(EventQuery(unseen_by="ann")).events] == ["b"]
    assert [one.event.id for one in book.records.page(EventQuery(seen_by="ann")).events] == ["a"]
    book.records.remove("a")
    assert seen_by(book.records, "a") == []


def test_kinds_are_counted_without_reading_their_events(book):
    for number in range(4):
        book.whole(f"e{number}", began_s=number, kind_id="e0", reason=MOVES)
    book.whole("other", began_s=9, kind_id="other", reason=MOVES)
    book.whole("yard", began_s=9, kind_id="e0", reason=MOVES, camera="yard")
    book.records.answer("e1", "normal")

    with book.records.read() as session:
        (kind,) = largest_kinds(session)
        assert (kind.id, kind.camera, kind.events, kind.unanswered, kind.newest) == ("e0", "door", 4, 3, "e3")
        assert (kind.first_unix_s, kind.last_unix_s) == (BEGAN_UNIX_S, BEGAN_UNIX_S + 3)
        assert counts_of(session, [("yard", "e0")])["yard", "e0"].events == 1
        assert unanswered_ids(session, "door", "e0", most=10) == ["e3", "e2", "e0"]
        assert largest_kinds(session, camera="yard") == []


def test_marks_of_a_timeline_are_the_strongest_of_a_time_in_order(book):
    for number, score in enumerate((0.1, 0.9, 0.5, 0.7)):
        book.whole(f"e{number}", began_s=60 * number, top_score=score)
    book.records.answer("e1", "unsure")

    with book.records.read() as session:
        marks, are_all = event_marks(session, "door", BEGAN_UNIX_S, BEGAN_UNIX_S + 180, most=2)
        assert ([(mark.id, mark.answer) for mark in marks], are_all) == ([("e1", "unsure"), ("e2", None)], False)
        assert event_marks(session, "door", BEGAN_UNIX_S, BEGAN_UNIX_S + 180, most=3)[1]
        assert event_marks(session, "nobody", 0, 1e10, most=3) == ([], True)


def test_events_of_earlier_versions_are_found_by_their_cue(book):
    book.whole("a", reason=MOVES)
    book.whole("b")
    book.records.close()
    with sqlite3.connect(book.folder / "records.db") as connection:  # as the version before left it
        for name in ("cue_began_unix_s", "phase", "kind_id_camera_id_is_removing_began_unix_s_id"):
            connection.execute(f"DROP INDEX ix_events_{name}")
        connection.execute("DROP INDEX ix_events_is_removing")
        connection.execute("DROP INDEX ix_answers_answer")
        for name in ("answer_changes", "seen", "sessions", "users", "login_failures"):
            connection.execute(f"DROP TABLE {name}")
        connection.execute("ALTER TABLE events DROP COLUMN cue")
        connection.execute("ALTER TABLE answers DROP COLUMN answered_by")
        for name in ("has_heat_map", "has_reconstruction"):
            connection.execute(f"ALTER TABLE events DROP COLUMN {name}")
        before = ScriptDirectory(str(database.MIGRATIONS)).get_revision("0007").down_revision
        connection.execute(f"UPDATE alembic_version SET version_num = '{before}'")
    connection.close()

    records = book.reopened()

    assert [one.event.id for one in records.page(EventQuery(cue="movement")).events] == ["a"]


def test_whoever_waits_for_no_more_than_a_moment_is_told_so(book):
    book.whole("a")
    other = sqlite3.connect(book.folder / "records.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(database.UnavailableError, match="for too long"):
        Records.open(book.folder, busy_timeout_s=0.05)
    other.execute("ROLLBACK")
    other.close()
