"""Events of files in the records: scored again they change instead of doubling, and no answer is lost."""

from dataclasses import replace

import pytest

from maskedskipunet.detection.fusing import EventReason
from maskedskipunet.detection.reading import CueReading
from maskedskipunet.errors import RecordsError
from maskedskipunet.records.archiving import archive_events
from maskedskipunet.records.checking import check
from maskedskipunet.records.pruning import Retention, prune

from .conftest import BEGAN_UNIX_S, PICTURE, make_event

FOOTAGE = "/archive/monday.mp4"


def found(event_id, start_s, end_s=None, score=0.5, **more):
    return make_event(
        event_id, start_s=start_s, end_s=end_s or start_s + 2, peak_s=start_s + 1, top_score=score, **more
    )


def put(book, *events, footage=FOOTAGE, start_unix_s=BEGAN_UNIX_S, camera="hall"):
    return archive_events(book.records, camera, footage, start_unix_s, events)


def told(book):
    return [(one.event.id, one.event.top_score, one.began_unix_s - BEGAN_UNIX_S) for one in book.records.events()]


def test_events_of_a_file_are_over_at_once_and_began_where_it_shows_them(book):
    done = put(book, found("a", 10.0), found("b", 40.0))
    assert (done.added, done.updated, done.removed, done.kept) == (2, 0, 0, 0)
    assert told(book) == [("a", 0.5, 10.0), ("b", 0.5, 40.0)]
    assert {(one.phase, one.camera, one.event.source) for one in book.records.events()} == {("end", "hall", FOOTAGE)}
    assert check(book.folder).is_clean
    assert check(book.folder).queues == {}


def test_the_same_file_scored_again_updates_its_events_and_keeps_ids_answers_and_pictures(book):
    put(book, found("a", 10.0), found("b", 40.0), found("c", 70.0))
    book.records.picture_path("a", BEGAN_UNIX_S + 10).write_bytes(PICTURE)
    book.records.refresh_files("a")
    book.records.answer("a", "anomaly", 1234.0)
    done = put(book, found("x", 11.0, score=0.9), found("y", 100.0))
    assert (done.added, done.updated, done.removed, done.kept) == (1, 1, 2, 0)
    assert told(book) == [("a", 0.9, 11.0), ("y", 0.5, 100.0)]
    (first, _) = book.records.events()
    assert (first.answer, first.answered_unix_s, first.has_picture) == ("anomaly", 1234.0, True)
    assert check(book.folder).is_clean


def test_an_answered_event_that_is_no_alarm_any_more_stays_with_its_answer(book):
    put(book, found("a", 10.0), found("b", 40.0))
    book.records.answer("a", "normal")
    done = put(book)
    assert (done.added, done.updated, done.removed, done.kept) == (0, 0, 1, 1)
    assert [(one.event.id, one.answer) for one in book.records.events()] == [("a", "normal")]
    assert put(book).kept == 1


def test_other_footage_of_the_camera_and_other_cameras_are_left_alone(book):
    put(book, found("a", 10.0))
    put(book, found("b", 10.0), footage="/archive/tuesday.mp4", start_unix_s=BEGAN_UNIX_S + 86400)
    put(book, found("c", 10.0), camera="yard")
    book.tell("new", "d", camera="hall")
    put(book)
    assert [one.event.id for one in book.records.events()] == ["d", "c", "b"]


def test_footage_that_turns_out_to_begin_at_another_time_moves_with_its_answers(book):
    put(book, found("a", 10.0), found("b", 40.0))
    book.records.answer("b", "normal", 99.0)
    done = put(book, found("x", 10.0), found("y", 40.0), start_unix_s=BEGAN_UNIX_S - 7 * 86400)
    assert (done.added, done.removed) == (2, 0)
    assert [(one.event.id, one.answer, one.answered_unix_s) for one in book.records.events()] == [
        ("x", None, None),
        ("y", "normal", 99.0),
    ]
    assert check(book.folder).is_clean


def test_an_event_that_moves_over_midnight_keeps_its_day_in_whose_folder_its_files_are(book):
    midnight = BEGAN_UNIX_S + 15 * 3600
    put(book, found("a", 10.0, 30.0), start_unix_s=midnight - 20)
    put(book, found("x", 25.0, 30.0), start_unix_s=midnight - 20)
    (event,) = book.records.events()
    assert (event.event.id, event.began_unix_s) == ("a", midnight - 10)
    assert check(book.folder).is_clean


def test_events_of_old_footage_are_kept_as_long_as_if_they_had_been_seen_today(book):
    book.clock.now_unix_s = BEGAN_UNIX_S + 400 * 86400
    put(book, found("a", 10.0))
    month = Retention(older_than_s=30 * 86400.0)
    book.clock.now_unix_s += 3600
    assert prune(book.records, month).removed == ()
    book.clock.now_unix_s += 31 * 86400
    assert [removed.id for removed in prune(book.records, month).removed] == ["a"]


def test_alarms_of_one_kind_are_told_as_one_over_all_footage_of_a_camera(book):
    reason = EventReason("movement", {"movement": 4.0}, {"movement": CueReading(4.0, speed_ratio=3.0)})
    put(book, found("a", 10.0, reason=reason))
    put(book, found("b", 20.0, reason=reason), footage="/archive/tuesday.mp4", start_unix_s=BEGAN_UNIX_S + 86400)
    assert [one.event.kind_id for one in book.records.events()] == ["a", "a"]
    put(book, found("x", 10.0, reason=reason))
    assert [one.event.kind_id for one in book.records.events()][1] in ("a", "b")


@pytest.mark.parametrize("camera", ["", "x" * 101, "a\nb"])
def test_what_is_no_name_of_a_camera_is_refused_and_nothing_is_written(book, camera):
    with pytest.raises(RecordsError, match="no name of a camera"):
        put(book, found("a", 10.0), camera=camera)
    assert book.records.events() == []


def test_a_time_that_no_calendar_has_is_refused(book):
    with pytest.raises(RecordsError, match="is no time"):
        put(book, replace(found("a", 10.0), start_s=1e30))
