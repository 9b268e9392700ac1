"""Finds the rule that holds for a frame: it may differ by the part of the day, and during drift."""

from numpy import floating
from numpy.typing import NDArray

from maskedskipunet.detection.day import DayAlarms, rule_of_day
from maskedskipunet.detection.drift import DriftChange, DriftReference, DriftWatch
from maskedskipunet.detection.events import EventRule


class RuleInForce:
    """Follows one source, frame by frame; memory does not grow.

    rule: the common one. day: parts of the day with a rule of their own. drift: what normal looked like when the model
    was calibrated; while it looks otherwise, levels are raised by as much as the usual score has risen.
    """

    def __init__(self, rule: EventRule, day: DayAlarms | None = None, drift: DriftReference | None = None) -> None:
        self.common, self._day = rule, day
        self._watch = None if drift is None else DriftWatch(drift)

    def set_rules(self, rule: EventRule, day: DayAlarms | None = None, drift: DriftReference | None = None) -> None:
        """Apply another calibration from the next frame on; drift of the last minutes is judged by it, too."""
        self.common, self._day = rule, day
        if self._watch is None or drift is None:
            self._watch = None if drift is None else DriftWatch(drift)
        else:
            self._watch.take_over(drift)

    def see(
        self,
        time_s: float,
        score: float | None,
        seen: NDArray[floating] | None = None,
        *,
        time_of_day_s: float | None = None,
    ) -> tuple[EventRule, DriftChange | None]:
        """Return the rule that holds for the next frame, and whether drift begins or ends with it.

        time_s: since the source's first frame. score: None if the frame has none. seen: what drift is judged by, as
        Blocks takes it; without it nothing is known of drift. time_of_day_s: since midnight; None if that is not
        known, so that the common rule holds.
        """
        rule = rule_of_day(self.common, self._day, time_of_day_s)
        if self._watch is None:
            return rule, None
        change = self._watch.add(time_s, score, seen)
        return self._watch.rule(rule), change
