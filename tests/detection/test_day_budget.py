import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskedskipunet.detection.budget import AlarmSetting, Budget, NormalScores, set_threshold
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.day import read_parts
from maskedskipunet.detection.day_budget import set_thresholds
from maskedskipunet.detection.events import EventRule, find_spans
from maskedskipunet.errors import CalibrationError

RULE = EventRule(threshold=1, release=1, merge_s=20)
PARTS = read_parts("day=8-24,night=0-8")


def camera(seed: int, hours: range, *, step_s: float = 5.0) -> list[NormalScores]:
    """An hour a video, its scores hanging together over half a minute, a third as high in the eight hours of night."""
    random = np.random.default_rng(seed)
    weights = np.exp(-np.arange(20) * step_s / 20)
    videos = []
    for hour in hours:
        count = round(3600 / step_s)
        noise = np.convolve(random.standard_normal(count + len(weights) - 1), weights, "valid")
        level = 0.3 if hour % 24 < 8 else 1.0
        scores = level * np.exp(0.3 * noise / np.linalg.norm(weights))
        videos.append(NormalScores(f"{hour}", np.arange(count) * step_s, scores, float(hour % 24 * 3600)))
    return videos


def alarms(videos: list[NormalScores], setting: AlarmSetting) -> int:
    return sum(
        len(find_spans(video.time_s, video.scores, setting.rule, setting.levels_at(video.times_of_day_s)))
        for video in videos
    )


def test_each_part_has_the_budgets_rate_and_so_has_the_whole() -> None:
    videos = camera(0, range(24))
    setting = set_thresholds(videos, Budget(2, "hour"), RULE, PARTS, starts="%H")

    assert setting.day is not None
    day, night = setting.day.parts
    assert day.rule is not None
    assert night.rule is not None
    assert night.rule.threshold < 0.5 * day.rule.threshold
    assert (day.footage_h, night.footage_h) == (pytest.approx(16), pytest.approx(8))
    assert 26 <= day.alarms <= 32
    assert 13 <= night.alarms <= 16
    assert setting.alarms == alarms(videos, setting) <= 48
    assert setting.low_per_hour < 2 < setting.high_per_hour
    assert (setting.footage_h, setting.extrapolated, setting.day.starts) == (pytest.approx(24), False, "%H")


@settings(max_examples=5)
@given(
    st.integers(0, 100), st.sampled_from([1.0, 2.0, 5.0]), st.sampled_from(["day=8-24", "night=0-8", "a=3-5,b=6-12"])
)
def test_the_footage_keeps_the_budget_whatever_parts_are_made_of_the_day(seed: int, rate: float, parts: str) -> None:
    videos = camera(seed, range(24), step_s=20.0)
    setting = set_thresholds(videos, Budget(rate, "hour"), RULE, read_parts(parts))

    assert setting.alarms == alarms(videos, setting)
    assert setting.alarms <= rate * 24
    assert setting.rule.threshold >= set_threshold(videos, Budget(rate, "hour"), RULE).rule.threshold


def test_the_rate_of_new_footage_lies_in_the_stated_interval() -> None:
    budget, inside, fixed = Budget(2, "hour"), 0, camera(1000, range(192), step_s=20.0)
    for seed in range(8):
        setting = set_thresholds(camera(seed, range(24), step_s=20.0), budget, RULE, PARTS, interval_h=24)
        rate = alarms(fixed[24 * seed : 24 * seed + 24], setting) / 24
        inside += setting.low_per_hour <= rate <= setting.high_per_hour
    assert inside >= 7


def test_a_part_with_too_little_footage_takes_the_common_threshold() -> None:
    videos = camera(0, range(8, 20)) + camera(1, range(1))
    setting = set_thresholds(videos, Budget(1, "hour"), RULE, PARTS)

    assert setting.day is not None
    day, night = setting.day.parts
    assert day.rule is not None
    assert (night.rule, night.median_score, night.alarms) == (None, None, 0)
    assert night.footage_h == pytest.approx(1)
    assert setting.rule_at(3600.0) == setting.rule
    assert setting.rule_at(9 * 3600.0) == day.rule


def test_no_part_with_footage_enough_leaves_the_common_threshold_and_its_figures() -> None:
    videos = camera(0, range(24))
    common = set_threshold(videos, Budget(1, "day"), RULE)
    setting = set_thresholds(videos, Budget(1, "day"), RULE, PARTS)

    assert replace(setting, day=None) == common
    assert setting.day is not None
    assert [each.rule for each in setting.day.parts] == [None, None]


def test_times_that_are_not_known_take_the_common_threshold() -> None:
    setting = set_thresholds(camera(0, range(24)), Budget(2, "hour"), RULE, PARTS)

    assert setting.rule_at(None) == setting.rule
    assert replace(setting, day=None).rule_at(9 * 3600.0) == setting.rule
    levels = setting.levels_at(np.array([np.nan, 9 * 3600.0, 33 * 3600.0, 3600.0]))
    rules = [setting.rule_at(None), setting.rule_at(9 * 3600), setting.rule_at(9 * 3600), setting.rule_at(3600)]
    assert levels.threshold.tolist() == [rule.threshold for rule in rules]
    assert levels.release.tolist() == [rule.release for rule in rules]


def test_parts_are_kept_with_the_calibration_where_readers_who_do_not_know_them_do_not_look(tmp_path: Any) -> None:
    setting = set_thresholds(camera(0, range(24)), Budget(2, "hour"), RULE, PARTS, starts="%H")
    calibration = replace(Calibration.of({"a": np.arange(9.0)}), alarm=setting)
    calibration.write(tmp_path)

    assert Calibration.read(tmp_path) == calibration
    told = json.loads((tmp_path / "calibration.json").read_text())
    assert "day" not in told["alarm"]
    assert AlarmSetting.from_dict(told["alarm"]) == replace(setting, day=None)


@pytest.mark.parametrize(
    "damage",
    [
        lambda day: day.pop("parts"),
        lambda day: day.pop("starts"),
        lambda day: day.update(starts=3),
        lambda day: day["parts"][0].pop("rule"),
        lambda day: day["parts"][0]["rule"].update(threshold="high"),
        lambda day: day["parts"][0].update(footage_h=float("nan")),
        lambda day: day["parts"][0]["part"].update(start_s=3600),
        lambda day: day["parts"][0].update(part=None),
        lambda day: day.update(parts=3),
    ],
)
def test_damaged_parts_are_told(damage: Any, tmp_path: Any) -> None:
    setting = set_thresholds(camera(0, range(24), step_s=60.0), Budget(2, "hour"), RULE, PARTS, starts="%H")
    replace(Calibration.of({"a": np.arange(9.0)}), alarm=setting).write(tmp_path)
    path = tmp_path / "calibration.json"
    told = json.loads(path.read_text())
    damage(told["alarm_by_day"])
    path.write_text(json.dumps(told))

    with pytest.raises(CalibrationError, match="not a calibration"):
        Calibration.read(tmp_path)
