import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskedskipunet.errors import RecordsError
from maskedskipunet.records import store
from maskedskipunet.records.recorded import LARGEST_BYTES, RecordedEvent, plain_event, without_credentials
from maskedskipunet.records.store import Records

from .conftest import BEGAN_UNIX_S, CLIP, PICTURE, make_event


def test_an_event_is_a_row_and_a_file_that_say_the_same(book):
    book.tell("new")
    book.tell("update", top_score=0.5, boxes=((1, 2, 3, 4), (5, 6, 7, 8)))
    recorded = book.whole("b", began_s=60)
    assert recorded == book.records.event("b") == RecordedEvent.read(book.description("b", 60))
    assert (recorded.phase, recorded.sequence, recorded.has_clip, recorded.has_picture) == ("end", 1, True, True)
    other = book.records.event("a")
    assert other == RecordedEvent.read(book.description("a"))
    assert (other.event.top_score, len(other.event.boxes), other.is_open) == (0.5, 2, True)


def test_files_lie_side_by_side_in_the_folder_of_the_day_that_the_event_began(book):
    book.whole("a")
    book.tell("end", "late", began_s=86400)
    found = sorted(path.relative_to(book.folder).as_posix() for path in book.folder.rglob("events/*/*"))
    days = ("2026-03-01", "2026-03-02")
    assert found == [f"events/{days[0]}/a.{suffix}" for suffix in ("jpg", "json", "mp4")] + [
        f"events/{days[1]}/late.json"
    ]
    assert book.clip("a").read_bytes() == CLIP
    assert book.records.picture_path("a", BEGAN_UNIX_S).read_bytes() == PICTURE


def test_the_begin_that_was_told_first_holds(book):
    book.tell("new")
    assert book.tell("update", began_s=90_000).began_unix_s == BEGAN_UNIX_S
    assert len([*book.folder.rglob("*.json")]) == 1


def test_events_are_found_by_time_and_camera_in_order(book):
    for name, began_s, camera in (("c", 20, "yard"), ("a", 0, "door"), ("b", 10, "door")):
        book.tell("new", name, began_s=began_s, camera=camera)
    names = lambda **which: [recorded.event.id for recorded in book.records.events(**which)]  # noqa: E731
    assert names() == ["a", "b", "c"]
    assert names(since_unix_s=BEGAN_UNIX_S + 10) == ["b", "c"]
    assert names(until_unix_s=BEGAN_UNIX_S + 10) == ["a"]
    assert names(camera="door") == ["a", "b"]
    book.tell("end", "a")
    assert names(open_only=True) == ["b", "c"]


def test_an_event_cannot_begin_twice_nor_go_on_after_its_end(book):
    book.tell("new")
    with pytest.raises(RecordsError, match="a: the event begins twice"):
        book.tell("new")
    book.tell("end")
    for phase in ("update", "end"):
        with pytest.raises(RecordsError, match="a: the event is over"):
            book.tell(phase)
    assert book.records.event("a").sequence == 1


def test_an_answer_is_kept_with_its_event_and_the_last_one_counts(book):
    book.whole()
    book.clock.now_unix_s += 100
    book.records.answer("a", "normal")
    book.records.answer("a", "anomaly")
    recorded = RecordedEvent.read(book.description())
    assert (recorded.answer, recorded.answered_unix_s) == ("anomaly", BEGAN_UNIX_S + 100)
    assert recorded == book.records.event("a")
    with pytest.raises(RecordsError, match="there is no such event"):
        book.records.answer("b", "normal")


def test_a_state_lasts_from_its_begin_to_its_end_once(book):
    book.records.begin_state("door", "lost", "no frames for 10 s")
    book.clock.now_unix_s += 5
    book.records.begin_state("door", "lost")
    book.records.begin_state("yard", "dark")
    book.clock.now_unix_s += 5
    book.records.end_state("door", "lost")
    book.records.end_state("door", "lost")
    (lost,) = book.records.states("door")
    assert (lost.kind, lost.detail) == ("lost", "no frames for 10 s")
    assert (lost.began_unix_s, lost.ended_unix_s) == (BEGAN_UNIX_S, BEGAN_UNIX_S + 10)
    assert [state.ended_unix_s for state in book.records.states("yard")] == [None]


def test_events_that_a_killed_process_left_open_are_ended_as_they_were_known(book):
    book.tell("new", "a", top_score=0.7)
    book.tell("new", "b", camera="yard")
    book.whole("c")
    assert book.reopened().end_left_open(["door"]) == 1
    ended = book.records.event("a")
    assert (ended.phase, ended.event.top_score) == ("end", 0.7)
    assert book.records.event("b").is_open
    assert book.records.end_left_open() == 1
    assert not book.records.event("b").is_open


def test_a_disk_too_full_for_files_keeps_the_event_and_its_file_comes_later(
    book, no_file_larger_than, monkeypatch, caplog
):
    def too_large(_: RecordedEvent, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(2_000_000))

    with monkeypatch.context() as patched, no_file_larger_than(1_000_000):
        patched.setattr(store.RecordedEvent, "write", too_large)
        book.tell("new")
    assert "the file of event a is not written yet" in caplog.text
    book.description().unlink()
    records = book.reopened()
    assert records.finished == ["wrote the file of event a"]
    assert RecordedEvent.read(book.description()) == records.event("a")


def test_a_picture_that_finds_no_room_is_left_out(book, no_file_larger_than, caplog):
    with no_file_larger_than(1_000_000):
        recorded = book.tell("new", picture=PICTURE + bytes(2_000_000))
    assert "event a goes without a picture" in caplog.text
    assert recorded.has_picture  # as the message says that is on its way
    assert not book.records.event("a").has_picture


def test_one_process_watches_into_a_folder_and_others_may_look(book):
    with Records.open(book.folder, watching=True) as watching:
        half = book.folder / "events" / "2026-03-01" / ".a.mp4.1.part"
        half.parent.mkdir(parents=True)
        half.write_bytes(b"half a clip")
        with Records.open(book.folder) as looking:
            assert looking.finished == []
        assert half.exists()
        assert watching.finished == []
    with Records.open(book.folder) as looking:
        assert looking.finished == ["removed the half-written events/2026-03-01/.a.mp4.1.part"]


def test_a_second_process_that_watches_is_refused(book, monkeypatch):
    monkeypatch.setattr("maskedskipunet.records.watch_lock._TIMEOUT_S", 0.1)
    refused = pytest.raises(RecordsError, match="another process is watching into these records")
    with Records.open(book.folder, watching=True), refused:
        Records.open(book.folder, watching=True)
    Records.open(book.folder, watching=True).close()


def test_credentials_in_a_source_are_nowhere_in_the_records(book):
    secret = "rtsp://me:hunter2@10.0.0.5:554/live?token=hunter2#hunter2"
    book.records.add_camera("door", secret)
    book.tell("new", source=secret)
    book.tell("new", "b", source=secret, camera="yard")
    book.records.close()
    assert book.records.cameras() == dict.fromkeys(("door", "yard"), "rtsp://10.0.0.5:554/live")
    assert not any(b"hunter2" in path.read_bytes() for path in book.folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("source", ["videos/a?b@c.mp4", "/data/a@b/c#1.mp4", "0"])
def test_paths_are_kept_as_they_are(source):
    assert without_credentials(source) == source


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a" * 65, "a\nb", "a.b", "é"])
def test_an_id_that_cannot_name_a_file_is_refused(book, name):
    with pytest.raises(RecordsError, match="is no id of an event"):
        book.tell("new", name)
    assert not (book.folder / "events").exists()


@pytest.mark.parametrize("camera", ["", "a\nb", "a\x1b[31m", "x" * 101])
def test_a_name_that_no_camera_can_have_is_refused(book, camera):
    with pytest.raises(RecordsError, match="is no name of a camera"):
        book.tell("new", camera=camera)


@pytest.mark.parametrize(
    "changed",
    [
        {"top_score": math.nan},
        {"mean_score": math.inf},
        {"start_s": "1"},
        {"start_frame": 1.5},
        {"end_frame": True},
        {"peak_frame": 2**63},
        {"boxes": ((1, 2, 3),)},
        {"boxes": ((1, 2, 3, "x"),)},
        {"normal_share": "rare"},
    ],
)
def test_what_is_no_number_is_refused_and_nothing_is_written(book, changed):
    with pytest.raises(RecordsError, match="an event that cannot be recorded"):
        book.tell("new", **changed)
    assert book.records.events() == []


@pytest.mark.parametrize("began_s", [math.nan, math.inf, 1e18])
def test_a_time_that_no_calendar_has_is_refused(book, began_s):
    with pytest.raises(RecordsError, match="is no time"):
        book.tell("new", began_s=began_s)


def test_numbers_of_numpy_become_plain_ones():
    event = plain_event(make_event(top_score=np.float32(0.5), start_frame=np.int64(3), boxes=[np.array([1, 2, 3, 4])]))
    assert (type(event.top_score), type(event.start_frame), event.boxes) == (float, int, ((1, 2, 3, 4),))


def test_files_that_are_no_event_are_refused_each_in_one_line(book):
    book.whole()
    told = json.loads(book.description().read_text())
    event = told["event"]
    broken = [
        b"",
        b"\xff\xfe",
        b"[]",
        b"[" * 100_000,
        b" " * (LARGEST_BYTES + 1),
        *(
            json.dumps(changed).encode()
            for changed in (
                told | {"format": 2},
                told | {"phase": "old"},
                told | {"answer": "maybe"},
                told | {"has_clip": "yes"},
                told | {"camera": 3},
                told | {"began_unix_s": "now"},
                told | {"sequence": 0.5},
                told | {"event": event | {"extra": 1}},
                told | {"event": event | {"id": "../../x"}},
                told | {"event": event | {"top_score": None}},
                {key: value for key, value in told.items() if key != "revision"},
            )
        ),
    ]
    for content in broken:
        book.description().write_bytes(content)
        with pytest.raises(
            RecordsError, match=r"a\.json: not an event|is no id|is no name|is no time|cannot be rec"
        ) as error:
            RecordedEvent.read(book.description())
        assert "\n" not in str(error.value)


def test_a_file_under_anothers_name_is_refused(book):
    book.whole()
    book.description().rename(book.description("b"))
    with pytest.raises(RecordsError, match="holds another event than its name says"):
        RecordedEvent.read(book.description("b"))


@settings(max_examples=50)
@given(*[st.text(max_size=20)] * 3)
def test_no_password_survives_whatever_stands_around_it(before, after, path):
    hidden = without_credentials(f"rtsp://{before}hunter2{after}@host/{path}?{before}hunter2{after}")
    assert "hunter2" not in hidden
    assert hidden.startswith("rtsp://")
