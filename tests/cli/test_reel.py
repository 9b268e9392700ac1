"""`maskedskipunet reel`: what it makes, what it refuses, and the mail."""

import json

import numpy as np
import pytest

from maskedskipunet.cli.reel import read_time
from maskedskipunet.cli.values import UsageError
from maskedskipunet.data.jpeg import to_jpeg
from maskedskipunet.detection.events import Event, EventUpdate
from maskedskipunet.records.store import Records
from maskedskipunet.workflows import reel_mail

BEGAN_UNIX_S = 1_772_355_600.0


@pytest.fixture
def records(place):
    with Records.open(place / "records") as records:
        for number in range(3):
            event = Event(f"e{number}", "usb:0", 1.0, 2.0, 1.5, 1, 2, 1, 0.5 + number, 0.3, (), 0.01)
            records.record(
                EventUpdate("end", event),
                camera="door",
                began_unix_s=BEGAN_UNIX_S + 3600 * number,
                picture=to_jpeg(np.full((48, 64, 3), 90, np.uint8)),
            )
    return place / "records"


def test_a_film_and_a_sheet_are_made_of_the_records_and_listed(cli, records, place):
    answer = cli("reel", "--moments", 2, "--json", "r.json")
    assert answer.code == 0, answer.err
    assert "The 2 strangest moments, Sun 01 Mar 2026" in answer.out
    assert answer.out.splitlines()[-2:] == ["reel.mp4", "reel.jpg"]
    told = json.loads((place / "r.json").read_text())
    assert [(one["rank"], one["source"], one["score"]) for one in told["moments"]] == [
        (2, "door", 1.5),
        (1, "door", 2.5),
    ]
    assert (place / "reel.mp4").is_file()
    assert (place / "reel.jpg").is_file()


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--records", "none"], "there are no records"),
        (["--camera", "hall"], "there is no camera 'hall'"),
        (["--since", "yesterday"], "'yesterday' is no time"),
        (["--since", "2027-01-01"], "there is no moment to show"),
        (["--since", "2026-03-02", "--until", "2026-03-01"], "the end is not after the begin"),
        (["--moments", "0"], "0 moments"),
        (["--seconds", "-1"], "-1 seconds"),
        (["--out", "reel.gif"], "no name of a film"),
        (["--scores", "scores"], "--scores and --videos belong together"),
        (["--videos", "a.mp4"], "--scores and --videos belong together"),
        (["--records", "records", "--scores", "s", "--videos", "a.mp4"], "cannot be used together"),
        (["--starts", "%H"], "--starts needs --scores"),
        (["--mail", "post"], "--mail and --config belong together"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_written(cli, records, place, arguments, fault):
    before = {path.name for path in place.iterdir()}
    assert fault in cli("reel", *arguments).refusal()
    assert {path.name for path in place.iterdir()} == before


def camera_file(place):
    sinks = {
        "post": {
            "type": "mail", "host": "127.0.0.1", "port": 9, "security": "none", "sender": "a@b.c", "to": ["d@e.f"]
        },
        "nas": {"type": "folder", "path": str(place / "nas")},
    }  # fmt: skip
    path = place / "cameras.yaml"
    path.write_text(f"model: not/yet\ncameras: {{door: rtsp://10.0.0.5/x}}\nsinks: {json.dumps(sinks)}\n")
    return path


def test_the_sheet_is_mailed_through_a_mail_sink(cli, records, place, monkeypatch):
    sent = []
    monkeypatch.setattr(reel_mail.MailSink, "_submit", lambda self, mail: sent.append(mail))
    answer = cli("reel", "--mail", "post", "--config", camera_file(place))
    assert (answer.code, answer.out.splitlines()[-1]) == (0, "mailed through post")
    (mail,) = sent
    assert mail["Subject"] == "maskedskipunet: the 3 strangest moments, Sun 01 Mar 2026"
    assert (mail["From"], mail["To"]) == ("a@b.c", "d@e.f")
    (sheet,) = mail.iter_attachments()
    assert (sheet.get_content_type(), sheet.get_filename()) == ("image/jpeg", "reel.jpg")
    assert sheet.get_content() == (place / "reel.jpg").read_bytes()
    text = mail.get_body().get_content()
    assert "door: no reason is known (strangest of 3)" in text
    assert "reel.mp4" in text


def test_a_server_that_is_away_is_told_and_the_film_stays(cli, records, place):
    answer = cli("reel", "--mail", "post", "--config", camera_file(place))
    assert answer.code == 1
    assert answer.out.splitlines()[-1].startswith("not mailed through post: the server cannot be reached")
    assert (place / "reel.mp4").is_file()


@pytest.mark.parametrize(("sink", "fault"), [("nas", "the sink sends no mail"), ("hook", "there is no sink 'hook'")])
def test_a_sink_that_sends_no_mail_is_refused_before_anything_is_made(cli, records, place, sink, fault):
    assert fault in cli("reel", "--mail", sink, "--config", camera_file(place)).refusal()
    assert not (place / "reel.mp4").exists()


def test_a_time_is_a_date_or_an_age():
    assert read_time("7d", "--since", 8 * 86400.0) == 86400.0
    assert read_time("1970-01-01T01:00+01:00", "--since", 0.0) == 0.0
    assert read_time("999999w", "--since", 5.0) == 0.0
    for text in ("", "7", "7y", "-1d", "2026-13-01"):
        with pytest.raises(UsageError):
            read_time(text, "--since", 0.0)
