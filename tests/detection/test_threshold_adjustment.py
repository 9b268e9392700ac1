from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.detection.budget import AlarmSetting, Budget, NormalScores
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.day import DayAlarms, PartAlarms, read_parts
from maskedskipunet.detection.events import EventRule
from maskedskipunet.detection.threshold_adjustment import (
    has_alarm,
    lost_by_compression,
    lowest_silent_threshold,
    raised_above,
    silencing_threshold,
    with_threshold,
)

RULE = EventRule(threshold=1.0, release=0.8, shortest_s=0.5, merge_s=0.6)
SCORES = st.lists(st.one_of(st.floats(0, 5), st.sampled_from([float("nan"), 0.9, 1.0, 3.0])), max_size=40)


FADED = [float("nan"), 1.9, 1.9, 1.9, 1.9, 0.1, 0.1, 0.1, 0.1, 0.1, 3.0]  # the last a flicker


def clip(scores: list[float]) -> NormalScores:
    return NormalScores("a", np.arange(len(scores)) / 5, np.array(scores, np.float64))


@given(st.lists(SCORES, max_size=3))
def test_the_threshold_is_raised_so_far_that_nothing_alarms_and_no_further(clips: list[list[float]]) -> None:
    scored = [clip(scores) for scores in clips]

    threshold = lowest_silent_threshold(scored, RULE, median_score=0.0)

    assert not any(has_alarm(one, RULE.with_threshold(threshold, 0.0)) for one in scored)
    if threshold > RULE.threshold:
        below = RULE.with_threshold(max(RULE.threshold, threshold * (1 - 1e-9)), 0.0)
        assert any(has_alarm(one, below) for one in scored)


def test_a_clip_counts_as_what_it_was_before_compression_unless_another_model_told_of_it() -> None:
    faded = clip(FADED)

    assert lost_by_compression(faded, RULE, 2.0) == pytest.approx(2 / 1.9)
    assert lost_by_compression(faded, RULE, 2.2) == 1
    assert lost_by_compression(faded, RULE, 1.6) == 1
    assert lost_by_compression(clip([0.0]), RULE, 1.0) == 1
    below = clip([0.97] * 5)
    restored = replace(below, scores=below.scores * lost_by_compression(below, RULE, 1.02))
    assert (has_alarm(below, RULE), has_alarm(restored, RULE)) == (False, True)


def test_a_higher_flicker_beside_an_event_is_not_how_high_it_lasts() -> None:
    assert silencing_threshold(clip(FADED), RULE, 0.0) == pytest.approx(1.9)
    assert silencing_threshold(clip([0.1, 3.0]), RULE, 0.0) == pytest.approx(0.1)


def test_each_part_of_the_day_is_raised_over_its_own_clips_alone() -> None:
    night, noon, dusk = read_parts("night=0-6,noon=12-13,dusk=20-22")
    low, high = RULE.with_threshold(0.5, 0.1), RULE.with_threshold(2.0, 0.1)
    parts = (
        PartAlarms(night, low, 0.1, 6.0, 1),
        PartAlarms(noon, high, 0.1, 6.0, 1),
        PartAlarms(dusk, None, None, 0.1, 0),
    )
    setting = AlarmSetting(RULE, Budget(4, "day"), 0.1, 24.0, 4, 0.1, 0.4, 24.0, 60.0, False, DayAlarms(parts, "%H"))
    calibration = replace(Calibration.of({"a": np.linspace(0, 3, 401)}), alarm=setting)

    def raised(hour: float | None, score: float) -> AlarmSetting:
        loud = replace(clip([score] * 10), starts_s=None if hour is None else hour * 3600)
        after = raised_above(calibration, [loud])
        assert after.alarm is not None
        assert not has_alarm(loud, after.alarm.rule_at(loud.starts_s))
        return after.alarm

    assert raised(3, 0.4) == raised(12.5, 1.9) == raised(None, 0.9) == setting
    for hour, score, changed in ((3, 0.7, "night"), (12.5, 2.5, "noon"), (21, 1.5, ""), (9, 1.5, ""), (None, 1.5, "")):
        found = raised(hour, score)
        assert found.day is not None
        for before, after in zip(parts, found.day.parts, strict=True):
            assert (after != before) == (before.part.name == changed)
        assert (found.rule != RULE) == (changed == "")


def test_what_is_no_alarm_raises_nothing() -> None:
    assert lowest_silent_threshold([clip([0.5] * 10)], RULE, median_score=0.0) == RULE.threshold
    assert lowest_silent_threshold([], RULE, median_score=0.0) == RULE.threshold


def test_a_raised_threshold_stands_for_a_budget_as_much_rarer_as_its_scores_are() -> None:
    setting = AlarmSetting(RULE, Budget(4, "day"), 0.0, 24.0, 4, 0.1, 0.4, 24.0, 60.0, extrapolated=False)
    calibration = replace(Calibration.of({"a": np.linspace(0, 2, 401)}), alarm=setting)

    raised = with_threshold(calibration, 1.5).alarm

    assert raised is not None
    assert raised.rule == RULE.with_threshold(1.5, 0.0)
    assert raised.budget.alarms == pytest.approx(4 * (101 / 401) / (201 / 401))
    assert (raised.alarms, raised.needed_h) == (2, pytest.approx(60 * 201 / 101))
    assert raised.high_per_hour == pytest.approx(0.4 * 101 / 201)
    assert with_threshold(calibration, 0.9) is calibration
