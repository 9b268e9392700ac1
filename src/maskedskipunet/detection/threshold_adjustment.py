"""Raises a threshold above false alarms, no further than necessary, and estimates the new rate of alarms."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from maskedskipunet.detection.budget import ALARMS_NEEDED, Budget, NormalScores, scored_frames
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.events import EventRule, find_spans

BISECTIONS = 60
COMPRESSION = 0.1  # the largest change of a score by compression; at most 4 % were seen on real footage


def has_alarm(clip: NormalScores, rule: EventRule) -> bool:
    """Return whether these scores contain an alarm by the rule."""
    return bool(find_spans(*scored_frames(clip), rule))


def lost_by_compression(clip: NormalScores, rule: EventRule, top_score: float) -> float:
    """Return the factor by which compression lowered the scores of a clip, from the highest score of its event.

    1 if the scores differ by more than compression explains: then another model raised the alarm.
    """
    clock, scores = scored_frames(clip)
    kept = 1 - COMPRESSION  # of levels that the event was above before
    spans = find_spans(clock, scores, replace(rule, threshold=kept * rule.threshold, release=kept * rule.release))
    top = max((float(scores[first : last + 1].max()) for span in spans for first, last in span), default=0.0)
    if top <= 0 or abs(top_score / top - 1) > COMPRESSION:
        return 1.0
    return top_score / top


def silencing_threshold(clip: NormalScores, rule: EventRule, median_score: float) -> float:
    """Return the lowest threshold at which these scores are no alarm.

    clip: has at least one frame with a score. median_score: of normal frames. A higher threshold, with its higher
    release level, never gives an alarm that a lower one does not give, so bisection finds it.
    """
    low, high = float(np.nanmin(clip.scores)), float(np.nextafter(np.nanmax(clip.scores), np.inf))
    if not has_alarm(clip, rule.with_threshold(low, median_score)):
        return low
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if has_alarm(clip, rule.with_threshold(middle, median_score)) else (low, middle)
    return high


def lowest_silent_threshold(clips: Sequence[NormalScores], rule: EventRule, median_score: float) -> float:
    """Return the lowest threshold, not below the rule's own, at which none of these clips is an alarm."""
    loud = [silencing_threshold(clip, rule, median_score) for clip in clips if has_alarm(clip, rule)]
    return max([rule.threshold, *loud])


def raised_above(calibration: Calibration, clips: Sequence[NormalScores]) -> Calibration:
    """Return a calibration by which none of these clips is an alarm.

    The threshold of each part of the day is raised by clips of its time, the common one by all other clips.
    """
    setting = calibration.alarm
    assert setting is not None
    common = [clip for clip in clips if setting.rule_at(clip.starts_s) is setting.rule]
    raised = with_threshold(calibration, lowest_silent_threshold(common, setting.rule, setting.median_score))
    if setting.day is None or raised.alarm is None:
        return raised
    parts = []
    for part in setting.day.parts:
        if part.rule is not None and part.median_score is not None:
            part_clips = [clip for clip in clips if setting.rule_at(clip.starts_s) is part.rule]
            threshold = lowest_silent_threshold(part_clips, part.rule, part.median_score)
            if threshold > part.rule.threshold:
                parts.append(replace(part, rule=part.rule.with_threshold(threshold, part.median_score)))
                continue
        parts.append(part)
    day = replace(setting.day, parts=tuple(parts))
    if day == setting.day:
        return raised
    return replace(raised, alarm=replace(raised.alarm, day=day))


def with_threshold(calibration: Calibration, threshold: float) -> Calibration:
    """Return a calibration with a higher threshold, and with a budget and rates that shrink accordingly.

    They shrink as the share of calibration frames with such scores does. This is an estimate, because it counts frames
    and not alarms.
    """
    setting = calibration.alarm
    assert setting is not None
    if threshold <= setting.rule.threshold:
        return calibration
    rarer = calibration.share_of(threshold) / calibration.share_of(setting.rule.threshold)
    budget = Budget(setting.budget.alarms * rarer, setting.budget.per)
    return replace(
        calibration,
        alarm=replace(
            setting,
            rule=setting.rule.with_threshold(threshold, setting.median_score),
            budget=budget,
            alarms=round(setting.alarms * rarer),
            low_per_hour=setting.low_per_hour * rarer,
            high_per_hour=setting.high_per_hour * rarer,
            needed_h=ALARMS_NEEDED / budget.per_hour,
        ),
    )
