"""Kinds of recorded events, and the pictures of their nearest normal moments."""

import json
import sqlite3

import pytest

from maskedskipunet.detection.fusing import EventReason
from maskedskipunet.detection.reading import APPEARANCE, CueReading
from maskedskipunet.errors import RecordsError
from maskedskipunet.records.checking import check
from maskedskipunet.records.folder import RecordsFolder
from maskedskipunet.records.kinds import known_kinds, recorded_kinds, unanswered_of_kind
from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.records.store import Records
from maskedskipunet.records.subscriptions import Subscription

from .conftest import BEGAN_UNIX_S, PICTURE
from .test_database import made_by

REASON = EventReason(APPEARANCE, {APPEARANCE: 1.0}, {APPEARANCE: CueReading(4.0, look=(0.1,), spread=0.2)})


def normal_picture(book, event_id="a"):
    return book.records.folder.normal_picture(event_id, BEGAN_UNIX_S)


def test_a_kind_is_kept_in_row_and_file_and_one_that_is_no_id_is_refused(book):
    book.whole("a", reason=REASON, kind_id="a")
    book.whole("b", began_s=60, reason=REASON, kind_id="a")
    book.whole("c", began_s=120)
    found = book.records.events()
    assert [one.event.kind_id for one in found] == ["a", "a", None]
    assert RecordedEvent.read(book.description("b", 60)) == book.records.event("b")
    with pytest.raises(RecordsError, match="is no id of an event"):
        book.tell("new", "d", kind_id="../d")


def test_messages_say_how_many_there_are_of_a_kind_by_now_and_when_the_first_began(book):
    subscriptions = [Subscription(sink="hook")]
    book.tell("new", "c", subscriptions=subscriptions)
    for number, name in enumerate("ab"):
        book.tell("new", name, began_s=60.0 * number, reason=REASON, kind_id="a", subscriptions=subscriptions)
    book.tell("new", "y", camera="yard", reason=REASON, kind_id="a", subscriptions=subscriptions)
    with sqlite3.connect(book.records.folder.database) as connection:
        rows = connection.execute("SELECT message FROM deliveries ORDER BY id").fetchall()
    connection.close()
    told = [json.loads(text) for (text,) in rows]
    assert [(one.get("kind_id"), one.get("of_kind"), one["kind"]) for one in told] == [
        (None, None, "event"),
        ("a", 1, "event"),
        ("a", 2, "event"),
        ("a", 1, "event"),
    ]
    assert told[2]["kind_began_at"] == told[1]["began_at"]


def test_kinds_are_those_of_one_camera_and_an_answer_goes_to_the_unanswered(book):
    for number, (name, camera) in enumerate({"a": "door", "b": "door", "c": "yard", "d": "door"}.items()):
        book.tell("end", name, began_s=60.0 * number, camera=camera, reason=REASON, kind_id="a")
    book.records.answer("d", "anomaly")
    events = book.records.events()
    kinds = recorded_kinds(events)
    assert [(kind.camera, [one.event.id for one in kind.events], kind.unanswered) for kind in kinds] == [
        ("door", ["a", "b", "d"], 2),
        ("yard", ["c"], 1),
    ]
    assert [one.event.id for one in unanswered_of_kind(events, [book.records.event("b")])] == ["a"]
    (door,) = known_kinds(book.records.events(camera="door"))
    assert (door.id, door.reason, door.began, door.count) == ("a", REASON, BEGAN_UNIX_S, 3)


def test_the_picture_of_the_normal_moment_is_one_of_an_events_files(book):
    book.tell("new", picture=PICTURE, normal_picture=PICTURE)
    assert book.records.event("a").has_normal_picture
    assert json.loads(book.description().read_text())["has_normal_picture"] is True
    assert normal_picture(book).name == "a.normal.jpg"
    assert check(book.folder).is_clean

    book.tell("update", end_s=13.0)
    assert book.records.event("a").has_normal_picture  # no other peak
    book.tell("update", picture=PICTURE)
    assert (book.records.event("a").has_normal_picture, normal_picture(book).exists()) == (False, False)

    book.tell("end", picture=PICTURE, normal_picture=PICTURE)
    freed = book.records.remove("a")
    assert freed > 2 * len(PICTURE)
    assert not normal_picture(book).parent.exists()


def test_a_normal_moment_that_is_gone_or_belongs_to_no_event_is_found_and_mended(book):
    book.tell("end", picture=PICTURE, normal_picture=PICTURE)
    normal_picture(book, "stray").write_bytes(PICTURE)
    normal_picture(book).unlink()
    book.records.close()
    faults = {fault.where: fault.what for fault in check(book.folder, repair=True).faults}
    day = "events/2026-03-01"
    assert faults == {f"{day}/a.normal.jpg": "the file is gone", f"{day}/stray.normal.jpg": "belongs to no event"}
    assert (book.folder / "lost" / "stray.normal.jpg").is_file()
    assert check(book.folder).is_clean


def test_records_of_the_version_before_are_opened_and_their_events_have_no_kind(tmp_path):
    folder = RecordsFolder(tmp_path / "records")
    made_by(folder, "0004")
    told = {"source": "usb:0", "start_s": 1.0, "end_s": 2.0, "peak_s": 1.5, "start_frame": 1, "end_frame": 2}
    told |= {"peak_frame": 1, "top_score": 0.5, "mean_score": 0.4, "boxes": [[1, 2, 3, 4]], "normal_share": None}
    event = {"id": "old", **told, "reason": REASON.to_dict()}
    row = told | {
        "id": "old",
        "camera_id": 1,
        "boxes": json.dumps(told["boxes"]),
        "reason": json.dumps(event["reason"]),
    }
    kept = {"began_unix_s": BEGAN_UNIX_S, "updated_unix_s": BEGAN_UNIX_S, "phase": "end", "sequence": 1}
    kept |= {"has_clip": False, "has_picture": False, "revision": 2}
    row |= kept | {"filed_revision": 2, "is_removing": False}
    with sqlite3.connect(folder.database) as connection:
        connection.execute("INSERT INTO cameras (id, name, source, condition) VALUES (1, 'door', 'usb:0', '')")
        names = ", ".join(row)
        connection.execute(f"INSERT INTO events ({names}) VALUES ({', '.join('?' * len(row))})", [*row.values()])
    connection.close()
    path = folder.description("old", BEGAN_UNIX_S)
    path.parent.mkdir(parents=True)
    described = {"format": 1, "event": event, "camera": "door", **kept, "answer": None, "answered_unix_s": None}
    path.write_text(json.dumps(described))

    with Records.open(folder.path) as records:
        (recorded,) = records.events()
        assert recorded == RecordedEvent.read(path)
        assert (recorded.event.kind_id, recorded.has_normal_picture, recorded.event.reason) == (None, False, REASON)
        assert (recorded_kinds([recorded]), known_kinds([recorded])) == ([], [])
    assert check(folder.path).is_clean
