import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskedskipunet.detection.budget import (
    AlarmCounts,
    AlarmSetting,
    Budget,
    NormalScores,
    count_alarms,
    set_threshold,
    threshold_for,
)
from maskedskipunet.detection.events import EventRule, find_events, find_spans
from maskedskipunet.errors import CalibrationError, ConfigError

NAN = float("nan")
RULE = EventRule(threshold=1, release=1, merge_s=20)


def camera(seed: int, hours: int, *, step_s: float = 2.0) -> list[NormalScores]:
    """An hour a video: scores that hang together over a minute, a third as high in the eight hours of each night."""
    random = np.random.default_rng(seed)
    weights = np.exp(-np.arange(60) * step_s / 20)
    videos = []
    for hour in range(hours):
        count = round(3600 / step_s)
        noise = np.convolve(random.standard_normal(count + len(weights) - 1), weights, "valid")
        level = 0.3 if hour % 24 < 8 else 1.0
        times = np.arange(count) * step_s
        videos.append(NormalScores(f"{hour}", times, level * np.exp(0.3 * noise / np.linalg.norm(weights))))
    return videos


def alarms(videos: list[NormalScores], rule: EventRule) -> int:
    return sum(len(find_spans(video.time_s, video.scores, rule)) for video in videos)


def test_the_footage_itself_keeps_within_the_budget_and_uses_most_of_it() -> None:
    videos = camera(0, 24)
    setting = set_threshold(videos, Budget(2, "hour"), RULE)

    assert 40 <= alarms(videos, setting.rule) <= 48
    assert setting.alarms == alarms(videos, setting.rule)
    assert setting.footage_h == pytest.approx(24)
    assert not setting.extrapolated
    assert setting.needed_h == 5
    assert setting.low_per_hour < 2 < setting.high_per_hour


def test_budgets_of_the_same_rate_are_the_same_budget() -> None:
    videos = camera(0, 6)
    hour, day, week = (set_threshold(videos, Budget(*b), RULE) for b in ((1, "hour"), (24, "day"), (168, "week")))

    assert hour.rule == day.rule == week.rule


COUNTS = [count_alarms(camera(seed, 3, step_s=5.0), RULE, lambda hours: 20 * hours) for seed in range(3)]


@settings(max_examples=30)
@given(st.sampled_from(COUNTS), st.lists(st.floats(0.001, 20), min_size=2, max_size=4, unique=True))
def test_a_lower_budget_never_gives_a_lower_threshold(counts: AlarmCounts, rates: list[float]) -> None:
    found = [threshold_for(counts, Budget(rate, "hour"))[0] for rate in sorted(rates)]

    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize(("rate", "extrapolated"), [(1.0, False), (0.02, True)])
def test_new_footage_has_a_rate_inside_the_stated_interval(rate: float, extrapolated: bool) -> None:
    inside = 0
    seeds = 3 if extrapolated else 20
    for seed in range(seeds):
        setting = set_threshold(camera(seed, 24, step_s=10.0), Budget(rate, "hour"), RULE, interval_h=24)
        assert setting.extrapolated == extrapolated
        seen = alarms(camera(1000 + seed, 24, step_s=10.0), setting.rule) / 24
        inside += setting.low_per_hour <= seen <= setting.high_per_hour

    # Of 20 draws at 95 %, 18 or more in 92 of 100 cases; the seeds are fixed. An extrapolation takes longer.
    assert inside >= 0.9 * seeds


def test_little_new_footage_has_a_wider_interval_than_much() -> None:
    short, long = (set_threshold(camera(1, 24), Budget(1, "hour"), RULE, interval_h=hours) for hours in (2, 200))

    assert short.rule == long.rule
    assert short.low_per_hour <= long.low_per_hour
    assert short.high_per_hour > long.high_per_hour
    assert short.high_per_hour * 2 == pytest.approx(round(short.high_per_hour * 2))  # a count in two hours


def test_a_rare_budget_is_extrapolated_beyond_every_score_that_was_seen() -> None:
    videos = camera(2, 8, step_s=10.0)
    weekly = set_threshold(videos, Budget(1, "week"), RULE)

    assert weekly.extrapolated
    assert weekly.alarms == 0
    assert weekly.needed_h == 1680
    assert set_threshold(videos, Budget(1, "hour"), RULE).rule.threshold < weekly.rule.threshold


def test_a_budget_bounds_the_rate_and_is_no_quota_a_quiet_part_fills() -> None:
    day, night = camera(3, 24), camera(4, 8)
    setting = set_threshold(day, Budget(2, "hour"), RULE)

    assert alarms(night, setting.rule) == 0


def test_every_alarm_is_counted_in_a_block_and_blocks_hold_all_footage() -> None:
    videos = camera(5, 5)
    counts = count_alarms(videos, RULE, lambda hours: 5 * hours)

    assert counts.hours == pytest.approx(5)
    assert counts.counts.shape == (len(counts.levels), len(counts.block_h))
    for row in (0, len(counts.levels) // 2, len(counts.levels) - 1):
        rule = RULE.with_threshold(float(counts.levels[row]), counts.median_score)
        assert counts.counts[row].sum() == alarms(videos, rule)


def test_frames_without_a_score_are_no_footage() -> None:
    (video,) = camera(6, 1)
    half = replace(video, scores=np.where(np.arange(len(video.scores)) % 2, NAN, video.scores))

    assert count_alarms([half], RULE).hours == pytest.approx(0.5)


def test_a_break_in_the_footage_is_no_footage() -> None:
    (video,) = camera(6, 1)
    broken = replace(video, time_s=video.time_s + np.where(np.arange(len(video.time_s)) > 900, 86400.0, 0.0))

    assert count_alarms([broken], RULE).hours == pytest.approx(1, rel=0.01)


def test_the_setting_is_the_same_for_the_same_footage() -> None:
    first, second = (set_threshold(camera(7, 6), Budget(1, "hour"), RULE) for _ in range(2))

    assert first == second


def test_a_setting_is_read_back_as_it_was() -> None:
    setting = set_threshold(camera(8, 3), Budget(1, "hour"), RULE)

    assert AlarmSetting.from_dict(json.loads(json.dumps(setting.to_dict()))) == setting


@pytest.mark.parametrize(
    "change",
    [{"usual": NAN}, {"rule": {"threshold": 1}}, {"rule": None}, {"budget": {"alarms": 0, "per": "day"}}, {"more": 1}],
)
def test_a_damaged_setting_is_not_taken(change: dict[str, Any]) -> None:
    told = set_threshold(camera(8, 3), Budget(1, "hour"), RULE).to_dict() | change

    with pytest.raises((TypeError, ValueError, KeyError, ConfigError)):
        AlarmSetting.from_dict(told)


def test_footage_without_a_score_is_refused_by_name() -> None:
    with pytest.raises(CalibrationError, match=r"a, b: no normal frame has a score"):
        set_threshold([NormalScores(name, np.zeros(1), np.full(1, NAN)) for name in "ab"], Budget(1, "day"), RULE)


def test_too_little_footage_for_a_budget_beyond_it_is_refused() -> None:
    video = NormalScores("a", np.arange(6) / 10, np.arange(6.0))

    with pytest.raises(
        CalibrationError, match=r"too few for a budget of less than one alarm.*Calibrate on more normal footage"
    ):
        set_threshold([video], Budget(1, "day"), RULE)


@pytest.mark.parametrize(
    ("scores", "told"), [([1.0, 1.0, 1.0, 1.0], "give no alarm"), ([0.0, 0.0, 5.0, 5.0], "give 1 alarm at most")]
)
def test_no_footage_is_said_to_give_less_than_no_alarm(scores: list[float], told: str) -> None:
    video = NormalScores("a", np.arange(len(scores)) * (0.3 if told == "give no alarm" else 1.0), np.array(scores))
    rule = replace(RULE, shortest_s=1.0)

    with pytest.raises(CalibrationError, match=told) as refused:
        set_threshold([video], Budget(1, "week"), rule)
    assert "-1" not in str(refused.value)


def test_footage_whose_scores_never_change_gives_no_threshold() -> None:
    video = NormalScores("a", np.arange(3600.0), np.ones(3600))

    with pytest.raises(CalibrationError, match="too few"):
        set_threshold([video], Budget(1, "week"), RULE)


@pytest.mark.parametrize(
    ("alarms", "per", "fault"),
    [(0, "hour", "0 false alarms per hour"), (NAN, "day", "nan"), (-1, "week", "-1"), (1, "year", "per 'year'")],
)
def test_a_budget_that_is_none_is_refused(alarms: float, per: Any, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        Budget(alarms, per)


def test_a_budget_is_told_as_a_person_says_it() -> None:
    assert [str(Budget(1, "hour")), str(Budget(0.5, "day")), str(Budget(2, "week"))] == [
        "1 false alarm an hour",
        "0.5 false alarms a day",
        "2 false alarms a week",
    ]


def test_events_found_with_a_set_threshold_are_those_that_were_counted() -> None:
    videos = camera(9, 3)
    setting = set_threshold(videos, Budget(2, "hour"), RULE)
    found = [
        event
        for video in videos
        for event in find_events(video.name, np.arange(len(video.scores)), video.time_s, video.scores, setting.rule)
    ]

    assert len(found) == setting.alarms
