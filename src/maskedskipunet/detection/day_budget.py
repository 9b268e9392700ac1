"""Alarm budgets by the part of the day: each part gets the budget's rate, so that their mix keeps it too."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.detection.budget import (
    RESAMPLES,
    AlarmCounts,
    AlarmSetting,
    Budget,
    NormalScores,
    count_alarms,
    footage_hours,
    future_rates,
    lowest_threshold,
    middle,
    scored_frames,
    set_threshold,
    threshold_for,
)
from maskedskipunet.detection.day import DayAlarms, DayPart, PartAlarms
from maskedskipunet.detection.events import EventRule, find_spans

PART_ALARMS = 3.0  # that a budget must allow in a part's footage: with fewer, one moment would set its threshold


def set_thresholds(
    videos: Sequence[NormalScores],
    budget: Budget,
    rule: EventRule,
    parts: Sequence[DayPart],
    *,
    starts: str | None = None,
    interval_h: float = 24.0,
    seed: int = 0,
) -> AlarmSetting:
    """Return the lowest thresholds, one for each part of the day with footage enough, at which normal footage keeps a
    budget.

    The rest has the common threshold, that of all footage together; it is raised where the rest alone needs more than
    all together do. videos: with the time of day at which they start. starts: how that was known, to be kept.
    Raises what set_threshold does.
    """
    setting = set_threshold(videos, budget, rule, interval_h=interval_h, seed=seed)
    found, known = list[PartAlarms](), list[AlarmCounts]()
    rest = videos
    for part in parts:
        within = _where(videos, part, inside=True)
        hours = footage_hours(within)
        if budget.per_hour * hours < PART_ALARMS:
            found.append(PartAlarms(part, None, None, hours, 0))
            continue
        rest = _where(rest, part, inside=False)
        counts = _counted(within, budget, rule)
        own = rule.with_threshold(threshold_for(counts, budget)[0], counts.median_score)
        found.append(PartAlarms(part, own, counts.median_score, hours, _alarms(within, own)))
        known.append(counts)
    setting = replace(setting, day=DayAlarms(tuple(found), starts))
    if not known:
        return setting
    if rest:
        counts = _counted(rest, budget, rule)
        if (needed := lowest_threshold(counts, budget)) > setting.rule.threshold:
            setting = replace(setting, rule=rule.with_threshold(needed, counts.median_score))
    low, high = _interval(setting, known, rest, interval_h, seed)
    return replace(setting, alarms=_alarms_by_day(videos, setting), low_per_hour=low, high_per_hour=high)


def _interval(
    setting: AlarmSetting, known: Sequence[AlarmCounts], rest: Sequence[NormalScores], future_h: float, seed: int
) -> tuple[float, float]:
    """Return the interval of the alarm rate of all parts together: they vary each by itself, and each has
    its share of the day.
    """
    rates = np.zeros(RESAMPLES)
    for number, counts in enumerate(known):
        share = counts.hours / setting.footage_h
        rates += share * future_rates(counts, setting.budget, share * future_h, False, seed + 1 + number)
    if rest:
        # Too little to be drawn from in blocks: alarms that come singly, and a rate known from their count alone.
        random = np.random.default_rng(seed)
        hours = footage_hours(rest)
        share = hours / setting.footage_h
        each_h = random.gamma(_alarms(rest, setting.rule) + 0.5, 1 / hours, RESAMPLES)
        rates += random.poisson(each_h * share * future_h) / future_h
    return middle(rates)


def _where(videos: Sequence[NormalScores], part: DayPart, *, inside: bool) -> list[NormalScores]:
    """Return the parts of videos inside or outside a part of the day, without empty ones."""
    found = []
    for video in videos:
        kept: NDArray[np.bool_] = part.holds(video.times_of_day_s) == inside
        scores = np.where(kept, video.scores, np.nan)
        if not np.isnan(scores).all():
            found.append(replace(video, scores=scores))
    return found


def _counted(videos: Sequence[NormalScores], budget: Budget, rule: EventRule) -> AlarmCounts:
    return count_alarms(videos, rule, lambda hours: budget.per_hour * hours)


def _alarms(videos: Sequence[NormalScores], rule: EventRule) -> int:
    return sum(len(find_spans(*scored_frames(video), rule)) for video in videos)


def _alarms_by_day(videos: Sequence[NormalScores], setting: AlarmSetting) -> int:
    """Return how many alarms the footage gives by the rules of their times."""
    count = 0
    for video in videos:
        levels = setting.levels_at(video.times_of_day_s).among(~np.isnan(video.scores))
        count += len(find_spans(*scored_frames(video), setting.rule, levels))
    return count
