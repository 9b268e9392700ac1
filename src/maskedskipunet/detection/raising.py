"""A threshold that is raised by hand, one kind of false alarm at a time: no further than needed, and what it costs."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from maskedskipunet.detection.budget import ALARMS_NEEDED, Budget, NormalScores, scored_frames
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.events import EventRule, find_spans

HALVINGS = 60
COMPRESSION = 0.1  # of its score at most that a clip loses or wins; 4 % at most were seen on real footage


def alarms(clip: NormalScores, rule: EventRule) -> bool:
    """Return whether anything in these scores is an alarm by the rule."""
    return bool(find_spans(*scored_frames(clip), rule))


def lost_by_compression(clip: NormalScores, rule: EventRule, top_score: float) -> float:
    """Return how many times as high a clip was before it was compressed, by the highest score that its event was told
    with.

    1 where that is further from the highest of the clip's alarms than compression explains: another model told of it
    then, and it says nothing.
    """
    clock, scores = scored_frames(clip)
    kept = 1 - COMPRESSION  # of levels that the event was above before
    spans = find_spans(clock, scores, replace(rule, threshold=kept * rule.threshold, release=kept * rule.release))
    top = max((float(scores[first : last + 1].max()) for span in spans for first, last in span), default=0.0)
    if top <= 0 or abs(top_score / top - 1) > COMPRESSION:
        return 1.0
    return top_score / top


def lasting_score(clip: NormalScores, rule: EventRule, usual: float) -> float:
    """Return the threshold from which on these scores are no alarm: how high they are for as long as an alarm has to
    last.

    clip: at least one frame with a score. usual: the score of an ordinary frame. A higher threshold, with its higher
    release level, never gives an alarm that a lower one does not, so halving finds it.
    """
    low, high = float(np.nanmin(clip.scores)), float(np.nextafter(np.nanmax(clip.scores), np.inf))
    if not alarms(clip, rule.at(low, usual)):
        return low
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if alarms(clip, rule.at(middle, usual)) else (low, middle)
    return high


def lowest_silent_threshold(clips: Sequence[NormalScores], rule: EventRule, usual: float) -> float:
    """Return the lowest threshold, not below the rule's own, at which none of these scores would have been an alarm."""
    loud = [lasting_score(clip, rule, usual) for clip in clips if alarms(clip, rule)]
    return max([rule.threshold, *loud])


def raised_over(calibration: Calibration, clips: Sequence[NormalScores]) -> Calibration:
    """Return a calibration by which none of these clips is an alarm.

    Each part's threshold is raised as far as clips of its time of day need, the common one by those of no such part.
    """
    setting = calibration.alarm
    assert setting is not None
    common = [clip for clip in clips if setting.rule_at(clip.starts_s) is setting.rule]
    raised = with_threshold(calibration, lowest_silent_threshold(common, setting.rule, setting.usual))
    if setting.day is None or raised.alarm is None:
        return raised
    parts = []
    for each in setting.day.parts:
        if each.rule is not None and each.usual is not None:
            own = [clip for clip in clips if setting.rule_at(clip.starts_s) is each.rule]
            threshold = lowest_silent_threshold(own, each.rule, each.usual)
            if threshold > each.rule.threshold:
                parts.append(replace(each, rule=each.rule.at(threshold, each.usual)))
                continue
        parts.append(each)
    day = replace(setting.day, parts=tuple(parts))
    if day == setting.day:
        return raised
    return replace(raised, alarm=replace(raised.alarm, day=day))


def with_threshold(calibration: Calibration, threshold: float) -> Calibration:
    """Return a calibration whose threshold is raised; its budget and rates become rarer as such scores are.

    How much rarer is told by how many frames of the calibration score so high: an estimate, for alarms are fewer than
    frames.
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
            rule=setting.rule.at(threshold, setting.usual),
            budget=budget,
            alarms=round(setting.alarms * rarer),
            low_per_hour=setting.low_per_hour * rarer,
            high_per_hour=setting.high_per_hour * rarer,
            needed_h=ALARMS_NEEDED / budget.per_hour,
        ),
    )
