"""What a watch records: events with clips and pictures, states of cameras, and nothing lost for want of room."""

from dataclasses import replace

import numpy as np
import pytest

from maskedskipunet.data.jpeg import from_jpeg, to_jpeg
from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.detection.drift import DriftChange
from maskedskipunet.detection.events import Event, EventUpdate
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.errors import DiskSpaceError, RecordsError
from maskedskipunet.monitor.clips import ClipConfig
from maskedskipunet.monitor.monitor_events import Alarm, CameraState, Drift, Health, ScoredFrame
from maskedskipunet.monitor.recorder import MAX_FRAMES, Recorder, RecordingConfig
from maskedskipunet.records import outbox
from maskedskipunet.records.checking import check
from maskedskipunet.records.pruning import Retention
from maskedskipunet.records.store import Records
from maskedskipunet.records.subscriptions import Subscription

from .conftest import wait_until

RATE, BEGAN_UNIX_S = 5, 1_772_355_600.0
CLIPS = ClipConfig(before_s=1, after_s=1, longest_s=20)
CONFIG = RecordingConfig(clips=CLIPS, retention=Retention(), keep_free_bytes=0)
BOX = (16, 8, 20, 16)


def scored(number, camera="door", picture=None):
    image = np.full((48, 64, 3), 2 * number % 250, np.uint8)
    frame = FrameScore(number, number / RATE, 0.1, None)
    jpeg = to_jpeg(image) if picture is None else picture
    return ScoredFrame(camera, frame, BEGAN_UNIX_S + number / RATE, 0.1, False, 48, 64, jpeg)


def alarm(phase, event_id="a", start_s=2.0, end_s=4.0, peak_s=3.0, camera="door"):
    at = [round(time_s * RATE) for time_s in (start_s, end_s, peak_s)]
    event = Event(event_id, "rtsp://10.0.0.5/x", start_s, end_s, peak_s, *at, 0.5, 0.4, (BOX,), 0.01)
    return Alarm(camera, EventUpdate(phase, event), BEGAN_UNIX_S + start_s)


@pytest.fixture
def records(tmp_path):
    with Records.open(tmp_path / "records", watching=True) as records:
        yield records


def recorder(records, **how):
    cameras = {"door": "rtsp://10.0.0.5/x", "yard": "usb:0"}
    return Recorder(records, cameras, config=how.pop("config", CONFIG), retry_s=0.05, **how)


def test_an_event_has_its_row_its_clip_and_its_picture_with_boxes(records, tmp_path):
    with recorder(records, subscriptions=[Subscription(sink="hook")]) as tell:
        for number in range(14):
            tell(scored(number))
        tell(alarm("new", end_s=2.6, peak_s=2.4))
        for number in range(14, 30):
            tell(scored(number))
            if number == 20:
                tell(alarm("end"))
    (event,) = records.events()
    assert (event.phase, event.camera, event.has_clip, event.has_picture) == ("end", "door", True, True)
    assert event.began_unix_s == BEGAN_UNIX_S + 2
    assert len([*read_video(records.clip_path("a", event.began_unix_s))]) == 21
    shown = from_jpeg(records.picture_path("a", event.began_unix_s).read_bytes())
    x, y, width, height = BOX
    edge, middle = shown[y, x + 2 : x + width - 2].mean(axis=0), shown[y + height // 2, x + width // 2]
    assert edge[0] - edge[2] > 40 > abs(int(middle[0]) - int(middle[2]))  # red around grey
    report = check(tmp_path / "records")
    assert (report.is_clean, report.queues["hook"].waiting) == (True, 2)


def test_an_end_is_told_with_the_clip_and_at_once_where_the_camera_is_lost(records):
    def messages():
        with records.read() as session:
            return [row.message for row in session.query(outbox.DeliveryRow).order_by(outbox.DeliveryRow.id)]

    with recorder(records, subscriptions=[Subscription(sink="hook")]) as tell:
        for event_id, first in (("a", 0), ("b", 100)):
            for number in range(first, first + 14):
                tell(scored(number))
            times = {"start_s": first / RATE + 2, "end_s": first / RATE + 2.6, "peak_s": first / RATE + 2.4}
            tell(alarm("new", event_id, **times))
            tell(alarm("end", event_id, **times))
            if event_id == "a":
                for number in range(14, 30):
                    tell(scored(number))
            else:
                tell(CameraState("door", "lost", 1.0, "no frame for 10.0 s", 1.0))
        wait_until(lambda: len(messages()) == 4)
        told = [(one["id"], one["phase"], one["has_clip"]) for one in messages()]
    assert told == [("a", "new", False), ("a", "end", True), ("b", "new", False), ("b", "end", True)]


def test_the_end_of_an_event_waits_for_no_more_frames_of_a_file_that_has_ended(records):
    with recorder(records) as tell:
        for number in range(14):
            tell(scored(number))
        tell(alarm("new", end_s=2.6, peak_s=2.4))
        tell(alarm("end", end_s=2.6, peak_s=2.4))
        tell(CameraState("door", "ended", 1.0))
        wait_until(lambda: [(event.phase, event.has_clip) for event in records.events()] == [("end", True)], 30.0)


def test_an_event_that_lasts_when_watching_ends_has_a_clip_of_what_was_seen(records):
    with recorder(records) as tell:
        for number in range(14):
            tell(scored(number))
        tell(alarm("new"))
        tell(alarm("end"))
    (event,) = records.events()
    assert event.has_clip


def without_room(records, monkeypatch):
    """Let the disk have no room for records until what is returned says that there is some."""
    there, record = {"room": False}, records.record

    def take(*told, **more):
        if not there["room"]:
            raise DiskSpaceError("no space left for the records", "records.db", "Free some space")
        return record(*told, **more)

    monkeypatch.setattr(records, "record", take)
    return there


def test_what_the_records_cannot_take_now_waits_and_is_written_in_its_order(records, monkeypatch, caplog):
    there = without_room(records, monkeypatch)
    with recorder(records) as tell:
        for event_id in "ab":
            for phase in ("new", "update", "end"):
                tell(alarm(phase, event_id))
        wait_until(lambda: "wait in memory" in caplog.text)
        assert records.events() == []
        there["room"] = True
        wait_until(lambda: len(records.events()) == 2)
    assert [(event.event.id, event.phase, event.sequence) for event in records.events()] == [
        ("a", "end", 2),
        ("b", "end", 2),
    ]
    assert (caplog.text.count("wait in memory"), caplog.text.count("written again")) == (1, 1)


def test_of_more_events_than_memory_may_hold_the_newest_wait_for_the_disk_and_the_others_are_said(
    records, monkeypatch, caplog
):
    monkeypatch.setattr("maskedskipunet.monitor.recorder.MAX_UPDATES", 4)
    there = without_room(records, monkeypatch)
    with recorder(records) as tell:
        for event_id in "abcdef":
            tell(alarm("new", event_id))
        wait_until(lambda: "new of event b is lost" in caplog.text, 30.0)
        there["room"] = True
        wait_until(lambda: len(records.events()) == 4)
    assert sorted(event.event.id for event in records.events()) == ["c", "d", "e", "f"]
    assert caplog.text.count("is lost: nothing could be written for too long") == 2


def test_an_event_that_can_never_be_recorded_holds_up_no_other(records, caplog):
    with recorder(records) as tell:
        for event_id in ("a", "not/an/id", "b"):
            tell(alarm("new", event_id))
    assert [event.event.id for event in records.events()] == ["a", "b"]
    assert "not/an/id" in caplog.text


def test_a_fault_that_nobody_thought_of_costs_its_event_alone(records, monkeypatch, caplog):
    record = records.record

    def take(update, **more):
        if update.event.id == "b":
            raise KeyError("hunter2")
        return record(update, **more)

    monkeypatch.setattr(records, "record", take)
    with recorder(records) as tell:
        for event_id in "abc":
            tell(alarm("new", event_id))
    assert [event.event.id for event in records.events()] == ["a", "c"]
    assert "event b is not recorded: KeyError" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_cameras_own_states_begin_and_end(records):
    with recorder(records) as tell:
        tell(CameraState("door", "lost", 1.0, "no frame for 10.0 s", 1.0))
        tell(CameraState("door", "lost", 2.0, "refused", 2.0))
        tell(Health("yard", "dark", True, 3.0, "contrast 2 of 255"))
        tell(CameraState("door", "running", 4.0))
        tell(Health("door", "frozen", True, 5.0, "not a pixel"))
        tell(Health("door", "frozen", False, 6.0, "pixels"))
        tell(Drift("yard", DriftChange("begin", 900.0, 300.0, 2.0, 1.0, 0.3, 0.2, 0.1), 7.0))
        tell(Drift("door", DriftChange("begin", 900.0, 300.0, 2.0, 1.0, 0.3, 0.2, 0.1), 7.0))
        tell(Drift("door", DriftChange("end", 1900.0, 1300.0, 0.5, 1.0, 0.1, 0.2, 0.0), 8.0))
    states = [state for state in records.states() if state.kind != "drift"]
    drifts = [state for state in records.states() if state.kind == "drift"]
    assert [(state.camera, state.ended_unix_s is None) for state in drifts] == [("yard", True), ("door", False)]
    assert "the scene has looked different" in drifts[0].detail
    told = {(state.camera, state.kind, state.detail, state.ended_unix_s is None) for state in states}
    assert told == {
        ("door", "lost", "no frame for 10.0 s", False),
        ("yard", "dark", "contrast 2 of 255", True),
        ("door", "frozen", "not a pixel", False),
    }


def test_what_a_killed_watch_left_open_is_over_when_the_next_begins(records):
    records.record(alarm("new").update, camera="door", began_unix_s=BEGAN_UNIX_S)
    records.begin_state("door", "lost")
    with recorder(records):
        assert [event.phase for event in records.events()] == ["end"]
        assert all(state.ended_unix_s is not None for state in records.states())


def test_what_is_too_much_goes_while_watching_goes_on_and_not_only_at_its_start(records, monkeypatch):
    monkeypatch.setattr("maskedskipunet.monitor.recorder.TIDY_S", 0.05)
    monkeypatch.setattr("maskedskipunet.monitor.recorder.POLL_S", 0.01)
    monkeypatch.setattr("maskedskipunet.records.pruning.SETTLING_S", 0.0)
    nothing_stays = replace(CONFIG, retention=Retention(larger_than_bytes=0))
    with recorder(records, config=nothing_stays) as tell:
        tell(alarm("new"))
        wait_until(lambda: [event.phase for event in records.events()] == ["new"])
        tell(alarm("end"))
        tell(CameraState("door", "lost", 1.0, "no frame for 10.0 s", 1.0))  # so that it waits for no clip
        wait_until(lambda: records.events() == [], 30.0)


def test_frames_that_find_no_time_are_left_out_and_counted_and_no_event_is(records, monkeypatch, caplog):
    one = recorder(records)  # its thread is not begun yet, as if it were stuck
    for number in range(MAX_FRAMES + 20):
        one(scored(number, picture=b""))
    one(alarm("new"))
    assert (one.frames_left_out, caplog.text.count("left out of clips")) == (20, 1)
    monkeypatch.setattr("maskedskipunet.monitor.clips.ClipCutter.see", lambda self, frame: [])
    with one:
        pass
    assert [event.event.id for event in records.events()] == ["a"]


def test_records_that_cannot_be_opened_are_an_error_before_anything_is_watched(tmp_path):
    (tmp_path / "records").write_text("a file")
    with pytest.raises(RecordsError):
        Records.open(tmp_path / "records", watching=True)


def messages(records, sink="hook"):
    with records.read() as session:
        rows = session.query(outbox.DeliveryRow).filter_by(sink=sink).order_by(outbox.DeliveryRow.id)
        return [row.message for row in rows]


def test_what_a_killed_watch_left_of_a_camera_that_is_no_longer_there_is_over_and_told(records):
    subscriptions = [Subscription(sink="hook", states=("all",), states_after_s=0)]
    records.record(alarm("new").update, camera="old door", began_unix_s=BEGAN_UNIX_S, subscriptions=subscriptions)
    records.begin_state("old door", "dark", "contrast 2", subscriptions=subscriptions)
    with recorder(records, subscriptions=subscriptions):
        pass
    assert [event.phase for event in records.events()] == ["end"]
    told = [(one["kind"], one["camera"], one["phase"]) for one in messages(records)]
    assert sorted(told) == sorted(
        [(kind, "old door", phase) for kind in ("event", "state") for phase in ("new", "end")]
    )


@pytest.mark.parametrize(
    ("begin", "end", "kind"),
    [
        (CameraState("door", "lost", 1.0, "no frame for 10.0 s", 1.0), CameraState("door", "running", 2.0), "lost"),
        (Health("door", "dark", True, 1.0, "contrast 2"), Health("door", "dark", False, 2.0, "contrast 90"), "dark"),
        (Health("door", "moved", True, 1.0, "agree by 0.1"), Health("door", "moved", False, 2.0, ""), "moved"),
        (
            Drift("door", DriftChange("begin", 900.0, 300.0, 2.0, 1.0, 0.3, 0.2, 0.1), 7.0),
            Drift("door", DriftChange("end", 1900.0, 1300.0, 0.5, 1.0, 0.1, 0.2, 0.0), 8.0),
            "drift",
        ),
    ],
)
def test_whatever_is_wrong_with_a_camera_is_told_to_the_sinks_that_take_it(records, begin, end, kind):
    takes, does_not = Subscription(sink="hook", states=(kind,), states_after_s=0), Subscription(sink="other")
    with recorder(records, subscriptions=[takes, does_not]) as tell:
        tell(begin)
        tell(end)
    begun, over = messages(records)
    assert (begun["kind"], begun["state"], begun["camera"], begun["phase"]) == ("state", kind, "door", "new")
    assert (over["id"], over["phase"]) == (begun["id"], "end")
    assert begun["detail"]
    assert messages(records, "other") == []


def test_how_cameras_are_and_when_they_were_heard_of_is_kept(records):
    with recorder(records) as tell:
        for camera, condition in (("door", "connecting"), ("yard", "connecting"), ("door", "running")):
            tell(CameraState(camera, condition, 1.0))
        tell(scored(3))
        tell(CameraState("yard", "lost", 1.0, "refused", 1.0))
    found = records.camera_conditions()
    assert {name: one.condition for name, one in found.items()} == {"door": "running", "yard": "lost"}
    assert found["door"].heard_unix_s == BEGAN_UNIX_S + 3 / RATE
    assert found["yard"].heard_unix_s is None
    with recorder(records):
        assert {one.condition for one in records.camera_conditions().values()} == {""}
