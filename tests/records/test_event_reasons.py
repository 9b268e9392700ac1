"""Why an event was raised is kept with it: in the database, in its file, in messages and tables."""

import json

import pytest

from maskedskipunet.detection.fusing import EventReason
from maskedskipunet.detection.reading import CueReading, Moment
from maskedskipunet.errors import RecordsError
from maskedskipunet.records.exporting import export
from maskedskipunet.records.recorded import RecordedEvent

REASON = EventReason.of(
    {
        "movement": CueReading(2.0, (0.1, 0.2, 0.3, 0.4), speed_ratio=1.5),
        "appearance": CueReading(4.5, (0.5, 0.5, 1.0, 1.0), nearest=Moment("monday", 12.0), lasting_s=60.0),
    }
)


def test_a_reason_is_read_again_as_it_was_from_database_and_file(book):
    book.whole(reason=REASON)

    (found,) = book.reopened().events()
    assert found.event.reason == REASON
    assert RecordedEvent.read(book.description()).event.reason == REASON


def test_an_event_without_a_reason_has_none_anywhere(book):
    book.whole()

    assert book.reopened().events()[0].event.reason is None
    assert "reason" not in json.loads(book.description().read_text())["event"]
    assert "reason" not in book.records.events()[0].message()


def test_messages_and_tables_say_which_cue_it_was(book, tmp_path):
    book.whole(reason=REASON)
    (found,) = book.records.events()

    assert found.message()["reason"]["cue"] == "appearance"
    assert json.loads(json.dumps(found.message()))["reason"]["readings"]["movement"]["speed_ratio"] == 1.5
    export([found], tmp_path / "events.json")
    assert json.loads((tmp_path / "events.json").read_text())[0]["cue"] == "appearance"


@pytest.mark.parametrize("damage", ["cue", "readings", "nan"])
def test_a_damaged_reason_is_told_like_any_damage(book, damage):
    book.whole(reason=REASON)
    told = json.loads(book.description().read_text())
    if damage == "cue":
        told["event"]["reason"]["cue"] = "smell"
    elif damage == "readings":
        del told["event"]["reason"]["readings"]
    else:
        told["event"]["reason"]["readings"]["movement"]["surprise"] = float("nan")
    book.description().write_text(json.dumps(told))

    with pytest.raises(RecordsError, match=r"not an event|cannot be recorded"):
        RecordedEvent.read(book.description())
