"""The alarms of one source, found as its frames come."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.detection.alarm_finder import AlarmCriteria, AlarmFinder, VideoAlarms
from maskedskipunet.detection.budget import AlarmSetting, Budget
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.day import DayAlarms, DayPart, PartAlarms
from maskedskipunet.detection.drift import Blocks, DriftReference
from maskedskipunet.detection.events import EventRule, find_events
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.detection.reading import CueReading

RULE = EventRule(threshold=0.5, release=0.4, shortest_s=0.2, merge_s=0.5, pause_s=0.0)
LOWER = replace(RULE, threshold=0.2, release=0.15)
STEP_S, HOUR_S = 0.1, 3600.0
BY_DAY = DayAlarms((PartAlarms(DayPart("day", 7 * 3600, 20 * 3600), LOWER, 0.1, 8.0, 1),))
CRITERIA = AlarmCriteria(RULE)


def frame(number: int, score: float | None, score_map: np.ndarray | None = None) -> FrameScore:
    return FrameScore(number, number * STEP_S, score, score_map)


def facts(events):
    return [(event.start_frame, event.end_frame, event.peak_frame, event.top_score) for event in events]


scores = st.lists(st.none() | st.sampled_from([0.1, 0.45, 0.6, 0.9]), max_size=60)


@given(scores)
def test_a_video_has_the_events_of_its_scores(values):
    alarms = VideoAlarms("v", CRITERIA, height_px=64, width_px=96)
    for number, score in enumerate(values):
        alarms.add(frame(number, score))

    index, known = np.arange(len(values)), np.array([np.nan if value is None else value for value in values])
    assert facts(alarms.finish()) == facts(find_events("v", index, index * STEP_S, known, RULE))
    assert alarms.changes == []


@given(scores)
def test_the_running_event_is_the_one_that_was_reported_new_and_not_yet_at_its_end(values):
    finder, running = AlarmFinder("v", CRITERIA), None
    for number, score in enumerate(values):
        for update in finder.add(frame(number, score)).updates:
            running = None if update.phase == "end" else update.event.id
        assert (finder.running.id if finder.running else None) == running
    assert [update.event.id for update in finder.finish()] == ([running] if running else [])
    assert finder.running is None


@given(scores)
def test_each_update_comes_with_the_frame_of_its_highest_score(values):
    finder, ended = AlarmFinder("v", CRITERIA), []
    alarms = VideoAlarms("v", CRITERIA, height_px=0, width_px=0, on_end=ended.append)
    updates = []
    for number, score in enumerate(values):
        one = frame(number, score, np.full((2, 2), number, np.float32))
        updates += finder.add(one).updates
        alarms.add(one)
    updates += finder.finish()
    events = alarms.finish()

    for update in (*updates, *ended):
        assert update.peak.index == update.event.peak_frame == update.peak.map[0, 0]
    assert [update.event.peak_frame for update in ended] == [event.peak_frame for event in events]


def test_boxes_are_in_pixels_of_the_sources_picture_and_left_out_where_its_size_is_not_known():
    strange = np.zeros((32, 48), np.float32)
    strange[8:24, 16:32] = 1
    found = []
    for size_px in ({"height_px": 64, "width_px": 96}, {}):
        alarms = AlarmFinder("v", CRITERIA)
        found += [
            update for number in range(3) for update in alarms.add(frame(number, 0.9, strange), **size_px).updates
        ]
    assert [update.event.boxes for update in found] == [((30, 14, 36, 36),), ()]


def test_the_common_rule_holds_again_when_a_part_of_the_day_is_over():
    began_s = 20 * HOUR_S - 5  # five seconds before the day's own rule ends
    alarms = VideoAlarms("v", replace(CRITERIA, day=BY_DAY), height_px=64, width_px=96, starts_s=began_s)
    for number in range(100):
        alarms.add(frame(number, 0.3))

    (event,) = alarms.finish()
    assert alarms.rule == LOWER
    assert (event.start_frame, event.end_frame) == (0, 49)


def test_where_the_time_of_day_is_not_known_the_common_rule_holds():
    alarms = VideoAlarms("v", replace(CRITERIA, day=BY_DAY), height_px=64, width_px=96)
    for number in range(30):
        alarms.add(frame(number, 0.3))

    assert alarms.rule == RULE
    assert alarms.finish() == ()


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    setting = AlarmSetting(RULE, Budget(1, "hour"), 0.1, 8.0, 1, 0.0, 0.25, 24.0, 10.0, extrapolated=False, day=BY_DAY)
    return replace(Calibration.of({"a": np.linspace(0.05, 0.4, 500)}), alarm=setting)


def test_criteria_are_those_of_the_calibration(calibration):
    found = AlarmCriteria.of(calibration)
    assert found is not None
    assert (found.rule, found.day, found.drift) == (RULE, BY_DAY, None)
    assert found.normal_share is not None
    assert found.normal_share(0.2) == calibration.share_of(0.2)


def test_a_threshold_that_is_named_takes_the_place_of_the_models_all_day(calibration):
    found = AlarmCriteria.of(calibration, 9.0)
    assert found is not None
    assert (found.rule, found.day) == (RULE.with_threshold(9.0, 0.1), None)
    bare = AlarmCriteria.of(None, 2.0)
    assert bare is not None
    assert (bare.rule.threshold, bare.rule.release) == (2.0, 2.0)
    without_alarm = AlarmCriteria.of(replace(calibration, alarm=None), 9.0)
    assert without_alarm is not None
    assert calibration.threshold(0.5) < without_alarm.rule.release < 9.0


def test_there_are_no_criteria_without_a_threshold(calibration):
    assert AlarmCriteria.of(None) is None
    assert AlarmCriteria.of(replace(calibration, alarm=None)) is None


def test_a_video_whose_normal_has_changed_says_so_and_its_events_are_held_against_that():
    reference = DriftReference.of([[*still_blocks(seed)] for seed in range(4)])
    assert reference is not None
    alarms = VideoAlarms("v", replace(CRITERIA, drift=reference), height_px=64, width_px=96)
    for number, errors in enumerate(still(9, 60)):
        errors[8:14, 2:10] *= 8
        alarms.add(FrameScore(number, 5.0 * number, float(errors.max()), errors))

    events = alarms.finish()
    (change,) = alarms.changes
    assert change.phase == "begin"
    assert not [event for event in events if event.start_s > change.since_s]


def still(seed: int, minutes: int):
    """A map of errors every five seconds, of a scene in which nothing happens."""
    random, pattern = np.random.default_rng(seed), 0.05 + 0.1 * np.random.default_rng(9).random((16, 16))
    for _ in range(12 * minutes):
        yield (pattern * random.uniform(0.9, 1.1, (16, 16))).astype(np.float32)


def still_blocks(seed: int):
    gathering = Blocks()
    for number, errors in enumerate(still(seed, 61)):
        if block := gathering.add(5.0 * number, float(errors.max()), errors):
            yield block


def test_an_event_is_where_the_strangest_cue_says_where_no_pixel_reaches_the_level():
    readings = {"movement": CueReading(3.0, (0.5, 0.25, 0.75, 1.0)), "appearance": CueReading(1.0, (0, 0, 0.1, 0.1))}
    finder = AlarmFinder("v", CRITERIA)
    for number in range(4):
        scored = replace(frame(number, 0.9, np.zeros((32, 48), np.float32)), readings=readings)
        finder.add(scored, height_px=64, width_px=96)

    assert finder.running.boxes == ((48, 16, 24, 48),)
    assert (finder.running.reason.cue, finder.running.reason.shares["movement"]) == ("movement", 0.988)
