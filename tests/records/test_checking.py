import json
import random
import sqlite3
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskedskipunet.errors import RecordsError
from maskedskipunet.records.checking import check
from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.records.store import Records
from maskedskipunet.records.subscriptions import Subscription
from maskedskipunet.records.watch_lock import WatchLock

from .conftest import CLIP, PICTURE


def faults(report):
    return [(fault.where, fault.what) for fault in report.faults]


@pytest.fixture
def filled(book):
    """Two events that are over, one that lasts, a message that waits."""
    book.whole("a", subscriptions=[Subscription(sink="hook", phases=("end",))])
    book.whole("b", began_s=86400)
    book.tell("new", "c", picture=PICTURE)
    book.records.answer("b", "normal")
    return book


DAY = "events/2026-03-01"


def damage(book, kind):
    a = book.description("a")
    match kind:
        case "no description":
            a.unlink()
        case "words in it":
            a.write_text("hello")
        case "cut off":
            a.write_bytes(a.read_bytes()[:-40])
        case "older":
            a.write_text(json.dumps(json.loads(a.read_text()) | {"revision": 1, "phase": "new"}))
        case "newer":
            a.write_text(json.dumps(json.loads(a.read_text()) | {"revision": 99, "camera": "yard"}))
        case "no clip":
            book.clip("a").unlink()
        case "half a clip":
            book.clip("a").write_bytes(CLIP[:-3])
        case "no picture":
            a.with_suffix(".jpg").unlink()
        case "half a picture":
            a.with_suffix(".jpg").write_bytes(PICTURE[:-1])
        case "an empty picture":
            a.with_suffix(".jpg").write_bytes(b"")
        case "no row":
            with sqlite3.connect(book.records.folder.database) as connection:
                connection.execute("DELETE FROM events WHERE id = 'a'")
            connection.close()
        case "a clip of nothing":
            (a.parent / "x.mp4").write_bytes(CLIP)
        case "a description of nothing":
            (a.parent / "x.json").write_text("{}")
        case "the wrong day":
            a.with_name("b.json").write_bytes(book.description("b", 86400).read_bytes())


DAMAGES = {
    "no description": (f"{DAY}/a.json", "the event's file is gone"),
    "words in it": (f"{DAY}/a.json", "not an event"),
    "cut off": (f"{DAY}/a.json", "not an event"),
    "older": (f"{DAY}/a.json", "row and file differ"),
    "newer": (f"{DAY}/a.json", "row and file differ"),
    "no clip": (f"{DAY}/a.mp4", "the file is gone"),
    "half a clip": (f"{DAY}/a.mp4", "the file is incomplete"),
    "no picture": (f"{DAY}/a.jpg", "the file is gone"),
    "half a picture": (f"{DAY}/a.jpg", "the file is incomplete"),
    "an empty picture": (f"{DAY}/a.jpg", "the file is incomplete"),
    "no row": (f"{DAY}/a.json", "the event has no row"),
    "a clip of nothing": (f"{DAY}/x.mp4", "belongs to no event"),
    "a description of nothing": (f"{DAY}/x.json", "not an event"),
    "the wrong day": (f"{DAY}/b.json", "is in the wrong folder"),
}


def test_whole_records_are_clean_and_counted(filled):
    report = check(filled.folder)
    assert (report.faults, report.finished, report.is_clean) == ([], [], True)
    assert (report.events, report.open_events, report.clips) == (3, 1, 2)
    assert report.file_bytes == sum(path.stat().st_size for path in filled.folder.rglob("events/*/*"))
    assert report.queues["hook"].waiting == 1
    assert json.loads(json.dumps(report.figures()))["deliveries"]["hook"]["waiting"] == 1


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_found_left_as_it_is_and_mended_when_asked(filled, kind):
    damage(filled, kind)
    where, what = DAMAGES[kind]
    for _ in range(2):
        report = check(filled.folder)
        assert not report.is_clean
        assert [fault.where for fault in report.faults] == [where]
        assert report.faults[0].what.startswith(what)
    repaired = check(filled.folder, repair=True)
    assert repaired.is_clean
    assert repaired.faults[0].mended
    again = check(filled.folder)
    assert (again.faults, again.events) == ([], 3)


def test_mending_loses_no_byte_of_footage(filled):
    for kind in ("half a clip", "half a picture", "a clip of nothing"):
        damage(filled, kind)
    check(filled.folder, repair=True)
    kept = {path.name: path.read_bytes() for path in (filled.folder / "lost").iterdir()}
    assert kept == {"a.mp4": CLIP[:-3], "a.jpg": PICTURE[:-1], "x.mp4": CLIP}


def test_of_row_and_file_the_one_changed_later_holds(filled):
    damage(filled, "newer")
    check(filled.folder, repair=True)
    assert filled.records.event("a").camera == "yard"
    damage(filled, "older")
    check(filled.folder, repair=True)
    assert RecordedEvent.read(filled.description("a")) == filled.records.event("a")
    assert filled.records.event("a").phase == "end"


def test_a_file_that_says_another_begin_than_its_row_never_holds_however_new_it_claims_to_be(filled):
    before, description = filled.records.event("a"), filled.description("a")
    claims = {"revision": 99, "camera": "yard", "began_unix_s": before.began_unix_s - 86400}
    description.write_text(json.dumps(json.loads(description.read_text()) | claims))
    repaired = check(filled.folder, repair=True)
    assert [(fault.what, fault.mended) for fault in repaired.faults] == [
        ("row and file differ", "written from the row")
    ]
    assert filled.records.event("a") == before == RecordedEvent.read(description)


@pytest.mark.parametrize("how", ["gone", "words", "overwritten", "cut"])
def test_a_damaged_database_is_made_anew_from_the_files_and_kept(filled, how):
    before, database = filled.records.events(), filled.records.folder.database
    with filled.records.read() as session:  # all of the log into the database, so that there is something to damage
        session.connection().exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    filled.records.close()
    content = bytearray(database.read_bytes())
    for path in filled.folder.glob("records.db*"):
        path.unlink()
    if how == "words":
        database.write_text("hello" * 1000)
    elif how == "overwritten":
        content[4096:] = random.Random(0).randbytes(len(content) - 4096)
        database.write_bytes(content)
    elif how == "cut":
        database.write_bytes(content[: len(content) // 2])
    found = check(filled.folder)
    assert not found.is_clean
    repaired = check(filled.folder, repair=True)
    assert repaired.is_clean
    assert check(filled.folder).faults == []
    with Records.open(filled.folder) as records:
        assert records.events() == before
    assert (how == "gone") == (not [*filled.folder.glob("records.db.damaged*")])


def test_a_clip_whose_writer_was_killed_before_it_could_tell_is_told_of(filled):
    filled.clip("c").write_bytes(CLIP)
    report = check(filled.folder)
    assert (report.faults, report.finished) == ([], [f"noted in its event: {DAY}/c.mp4"])
    assert filled.records.event("c").has_clip


def test_a_folder_without_records_is_refused(tmp_path):
    with pytest.raises(RecordsError, match="there are no records"):
        check(tmp_path)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("how", ["whole", "gone"])
def test_nothing_is_repaired_under_a_process_that_watches(filled, monkeypatch, how):
    monkeypatch.setattr("maskedskipunet.records.watch_lock._TIMEOUT_S", 0.1)
    lock = WatchLock(filled.records.folder.watch_lock)
    assert lock.take(wait=False)
    if how == "gone":
        filled.records.close()
        for path in filled.folder.glob("records.db*"):
            path.unlink()
    with pytest.raises(RecordsError, match="another process is watching"):
        check(filled.folder, repair=True)
    lock.give_back()
    assert check(filled.folder, repair=True).is_clean


def test_files_of_others_are_left_alone(filled):
    (filled.folder / "events" / "notes.txt").write_text("mine")
    (filled.folder / DAY / ".DS_Store").write_text("not mine")
    assert check(filled.folder, repair=True).faults == []
    assert (filled.folder / DAY / ".DS_Store").exists()


@settings(max_examples=10)
@given(st.lists(st.sampled_from([*DAMAGES]), max_size=5), st.booleans())
def test_after_any_damage_a_repair_gives_clean_records_with_every_event(new_book, kinds, lose_database):
    with tempfile.TemporaryDirectory() as place, new_book(Path(place) / "records") as book:
        book.whole("a")
        book.whole("b", began_s=86400)
        for kind in kinds:
            with suppress(OSError, ValueError):  # what is gone, or no JSON any more, cannot be damaged in this way
                damage(book, kind)
        book.records.close()
        is_described = not isinstance(_described(book), RecordsError)
        if lose_database:
            for path in book.folder.glob("records.db*"):
                path.unlink()
        assert check(book.folder, repair=True).is_clean
        again = check(book.folder)
        with Records.open(book.folder) as records:
            ids = {recorded.event.id for recorded in records.events()}
    assert again.faults == []
    assert "b" in ids
    assert "a" in ids or not is_described


def _described(book):
    try:
        return RecordedEvent.read(book.description("a"))
    except RecordsError as error:
        return error


def test_a_check_while_another_writes_finds_no_fault(filled):
    stop, failed = threading.Event(), []

    def write():
        number = 0
        with Records.open(filled.folder, clock=filled.clock) as records:
            filled.records = records
            while not stop.is_set():
                number += 1
                try:
                    filled.whole(f"w{number}", began_s=number)
                except Exception as error:  # noqa: BLE001  # told in the main thread
                    failed.append(error)
                    return

    writer = threading.Thread(target=write)
    filled.records.close()
    writer.start()
    try:
        reports = [check(filled.folder) for _ in range(3)]
    finally:
        stop.set()
        writer.join()
    assert failed == []
    assert [report.faults for report in reports] == [[]] * 3


def test_an_event_that_a_killed_watch_left_open_is_said_until_the_next_watch_ends_it(book):
    book.tell("new", "a")
    for repair in (False, True):
        report = check(book.folder, repair=repair)
        assert (report.is_clean, report.open_events, report.left_open) == (True, 1, 1)
    with Records.open(book.folder, watching=True) as watch:
        assert check(book.folder).left_open == 0  # someone watches: it may well go on
        watch.end_left_open()
    assert check(book.folder).left_open == 0
