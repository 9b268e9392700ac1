"""Finds recorded events without an answer that a raised threshold would silence, by their highest scores."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.day import time_of_day_s
from maskedskipunet.records.recorded import RecordedEvent


@dataclass(frozen=True)
class OtherAlarms:
    """Recorded events besides those that are answered now.

    open: ids of those that nobody has answered. vanishing: ids of those of them that the raised threshold is above.
    """

    open: tuple[str, ...]
    vanishing: tuple[str, ...]


def other_alarms(
    events: Sequence[RecordedEvent], answered_now: Collection[str], before: Calibration, after: Calibration
) -> OtherAlarms:
    """Find the unanswered alarms that would vanish with a threshold that is raised.

    An event vanishes where its highest score reached the threshold before and does not reach the one after, at its
    time of day. How long a score lasted is not looked at: more may vanish, never fewer.
    """
    unanswered = [recorded for recorded in events if recorded.answer is None and recorded.event.id not in answered_now]
    vanishing = [
        recorded.event.id for recorded in unanswered if _reaches(recorded, before) and not _reaches(recorded, after)
    ]
    return OtherAlarms(tuple(recorded.event.id for recorded in unanswered), tuple(vanishing))


def _reaches(recorded: RecordedEvent, calibration: Calibration) -> bool:
    assert calibration.alarm is not None, "only a model with a threshold is given feedback"
    return recorded.event.top_score >= calibration.alarm.rule_at(time_of_day_s(recorded.began_unix_s)).threshold
