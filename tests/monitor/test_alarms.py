"""One camera's alarms: the events of its scores, told with boxes and the time of day."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.detection.alarm_finder import AlarmCriteria
from maskedskipunet.detection.day import DayAlarms, DayPart, PartAlarms
from maskedskipunet.detection.drift import Blocks, DriftReference
from maskedskipunet.detection.events import EventRule, EventStream
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.detection.reading import CueReading
from maskedskipunet.monitor.alarms import CameraAlarms
from maskedskipunet.monitor.monitor_events import Alarm, Drift, ScoredFrame, event_to_dict

RULE = EventRule(threshold=0.5, release=0.4, shortest_s=0.2, merge_s=0.5, pause_s=0.0)
CRITERIA = AlarmCriteria(RULE)
STEP_S, BEGAN_UNIX_S = 0.1, 1_772_355_600.0


def scored(number, score, score_map=None, *, speed=1.0, size_px=(64, 96)):
    frame = FrameScore(number, number * STEP_S, score, score_map)
    return ScoredFrame("door", frame, BEGAN_UNIX_S + number * STEP_S / speed, 0.1, False, *size_px)


def watch(scores, **how):
    finder = CameraAlarms("door", "rtsp://10.0.0.5/live", CRITERIA, **how)
    alarms = [alarm for number, score in enumerate(scores) for alarm in finder.add(scored(number, score))]
    return [*alarms, *finder.finish()]


@given(st.lists(st.none() | st.sampled_from([0.1, 0.45, 0.6, 0.9]), max_size=60))
def test_a_camera_has_the_events_of_its_scores_each_with_one_begin(scores):
    stream = EventStream("rtsp://10.0.0.5/live", RULE, new_id=lambda: "")
    expected = [one for number, score in enumerate(scores) for one in stream.add(number, number * STEP_S, score)]
    expected += stream.finish()
    alarms = watch(scores)
    assert [(alarm.update.phase, alarm.update.event.start_frame) for alarm in alarms] == [
        (update.phase, update.event.start_frame) for update in expected
    ]
    for alarm in alarms:
        assert alarm.began_unix_s == pytest.approx(BEGAN_UNIX_S + alarm.update.event.start_s, abs=1e-3)


def test_an_event_of_a_file_that_is_played_faster_began_when_it_was_played():
    finder = CameraAlarms("door", "v.mp4", CRITERIA, speed=4.0)
    scores = [0.1] * 20 + [0.6] * 4
    (alarm,) = [one for number, score in enumerate(scores) for one in finder.add(scored(number, score, speed=4.0))]
    assert alarm.began_unix_s == pytest.approx(BEGAN_UNIX_S + 20 * STEP_S / 4, abs=1e-3)


def test_boxes_are_in_pixels_of_the_cameras_picture_and_left_out_for_a_damaged_one():
    strange = np.zeros((32, 48), np.float32)
    strange[8:24, 16:32] = 1
    alarms = []
    for size_px in ((64, 96), (0, 0)):
        finder = CameraAlarms("door", "x", CRITERIA)
        alarms += [one for at in range(3) for one in finder.add(scored(at, 0.9, strange, size_px=size_px))]
    assert [alarm.update.event.boxes for alarm in alarms] == [((30, 14, 36, 36),), ()]


def test_a_camera_that_is_lost_ends_its_event_and_may_have_another_afterwards():
    finder = CameraAlarms("door", "x", CRITERIA)
    for number in range(5):
        told = [*finder.add(scored(number, 0.9))]
    (over,) = finder.finish()
    assert (over.update.phase, [*finder.finish()]) == ("end", [])
    told = [one for number in range(100, 105) for one in finder.add(scored(number, 0.9))]
    assert [one.update.phase for one in told] == ["new"]
    assert told[0].update.event.id != over.update.event.id


@pytest.fixture(scope="module")
def reference():
    """What four hours of a still scene in changing light look like."""
    hours = []
    for number, light in enumerate((0.5, 1.0, 1.5, 0.8)):
        gathering = Blocks()
        frames = scene(light, number, 61)
        hours.append([block for at, each in frames if (block := gathering.add(5.0 * at, float(each.max()), each))])
    return DriftReference.of(hours)


def scene(light, seed, minutes):
    """A map of errors every five seconds."""
    random, pattern = np.random.default_rng(seed), 0.05 + 0.1 * np.random.default_rng(9).random((16, 16))
    for at in range(12 * minutes):
        yield at, (pattern * light * random.uniform(0.9, 1.1, (16, 16))).astype(np.float32)


def test_a_scene_that_looks_otherwise_for_long_is_told_once_and_is_no_alarm_any_more(reference):
    finder = CameraAlarms("door", "x", replace(CRITERIA, drift=reference))
    told = []
    for at, errors in scene(3.0, 7, 60):
        errors[8:14, 2:10] *= 2
        score = float(errors.max())  # above the threshold all the while
        frame = FrameScore(at, 5.0 * at, score, errors)
        told += finder.add(ScoredFrame("door", frame, BEGAN_UNIX_S + 5.0 * at, 0.1, False, 64, 96))
    (drift,) = [event for event in told if isinstance(event, Drift)]
    assert (drift.camera, drift.change.phase) == ("door", "begin")
    assert drift.change.time_s <= 20 * 60
    assert not [one for one in told if isinstance(one, Alarm) and one.update.event.start_s > drift.change.time_s]
    assert event_to_dict(drift)["raised_by"] > 0


def test_an_alarm_is_plain_values_on_a_line():
    told = event_to_dict(watch([0.9] * 5)[0])
    assert told["kind"] == "alarm"
    assert told["phase"] == "new"
    assert {"camera", "id", "start_s", "top_score", "boxes", "began_unix_s"} <= set(told)


@pytest.fixture
def far_east(monkeypatch):
    """A clock on the wall that is five and a half hours ahead."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_an_event_that_runs_is_held_against_a_threshold_that_is_set_meanwhile():
    finder = CameraAlarms("door", "x", CRITERIA)
    told = [one for at in range(10) for one in finder.add(scored(at, 0.6))]
    finder.set_criteria(AlarmCriteria(RULE.with_threshold(0.9, median_score=0.1), normal_share=lambda score: 0.25))
    assert finder.threshold == 0.9
    told += [one for at in range(10, 30) for one in finder.add(scored(at, 0.6))]
    assert [(one.update.phase, one.update.event.end_frame) for one in told if one.update.phase != "update"] == [
        ("new", 2),
        ("end", 9),
    ]
    (new, *_) = [one for at in range(30, 40) for one in finder.add(scored(at, 0.95))]
    assert new.update.event.normal_share == 0.25


def test_by_night_another_threshold_may_hold_by_the_clock_on_the_wall(far_east):
    lower = replace(RULE, threshold=0.2, release=0.15)
    night = PartAlarms(DayPart("night", 20 * 3600, 6 * 3600), lower, 0.1, 8.0, 1)
    criteria = replace(CRITERIA, day=DayAlarms((night,)))
    noon_unix_s = 1_772_280_000.0 - 5.5 * 3600  # 12:00 there
    found = {}
    for name, later_s in (("noon", 0.0), ("night", 10 * 3600.0)):
        finder = CameraAlarms("door", "x", criteria)
        frames = [scored(at, 0.3) for at in range(5)]
        told = [one for each in frames for one in finder.add(replace(each, unix_s=noon_unix_s + later_s))]
        found[name] = [one.update.phase for one in told]
    assert found == {"noon": [], "night": ["new"]}


def test_an_alarm_of_several_cues_tells_its_reason_on_the_line():
    finder = CameraAlarms("door", "rtsp://10.0.0.5/live", CRITERIA)
    told = []
    for number in range(5):
        one = scored(number, 0.9)
        readings = {"movement": CueReading(3.0, speed_ratio=2.5), "appearance": CueReading(1.0)}
        told += finder.add(replace(one, frame=replace(one.frame, readings=readings)))

    line = json.loads(json.dumps(event_to_dict(told[0])))
    assert line["reason"]["cue"] == "movement"
    assert line["reason"]["sentence"] == "moves 2.5 times as fast as 99 % of what passes here"
    assert line["reason"]["readings"]["appearance"] == {"surprise": 1.0}
    assert "reason" not in event_to_dict(watch([0.9] * 5)[0])
