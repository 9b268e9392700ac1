"""Alarms of one source: its frame scores become events, by the rule in force, with boxes in its picture."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import ceil

from maskedskipunet.detection.boxes import Box, map_boxes
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.day import DayAlarms, rule_of_day
from maskedskipunet.detection.drift import DriftChange, DriftReference, without_new_normal
from maskedskipunet.detection.events import Event, EventRule, EventStream, EventUpdate
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.detection.fusing import EventReason
from maskedskipunet.detection.kinds import with_kinds
from maskedskipunet.detection.rule_in_force import RuleInForce


@dataclass(frozen=True)
class AlarmCriteria:
    """The criteria by which scores are an alarm.

    rule: applies if no other does. day: parts of the day with their own rules. drift: the reference of normal footage;
    while the scene differs from it, thresholds are raised. normal_share: returns the share of normal frames that score
    as high.
    """

    rule: EventRule
    day: DayAlarms | None = None
    drift: DriftReference | None = None
    normal_share: Callable[[float], float] | None = None

    @classmethod
    def of(cls, calibration: Calibration | None, threshold: float | None = None) -> "AlarmCriteria | None":
        """Return the criteria of a calibration, with another threshold if one is given, or of a threshold alone.

        A given threshold applies all day. None if there is no threshold at all.
        """
        rule = _rule(calibration, threshold)
        if rule is None:
            return None
        if calibration is None:
            return cls(rule)
        alarm = calibration.alarm
        day = alarm.day if alarm is not None and alarm.rule == rule else None
        return cls(rule, day, calibration.drift, calibration.share_of)


def _rule(calibration: Calibration | None, threshold: float | None) -> EventRule | None:
    alarm = None if calibration is None else calibration.alarm
    if threshold is None:
        return None if alarm is None else alarm.rule
    if alarm is not None:
        return alarm.rule.with_threshold(threshold, alarm.median_score)
    rule = EventRule(threshold=threshold, release=threshold)
    return rule if calibration is None else rule.with_threshold(threshold, calibration.threshold(0.5))


@dataclass(frozen=True, slots=True)
class FrameAlarms:
    """The changes of events and drift at one frame. rule: the rule that held for it. drift: None unless it
    begins or ends with the frame.
    """

    rule: EventRule
    updates: tuple[EventUpdate, ...]
    drift: DriftChange | None


class AlarmFinder:
    """Finds the events of one source as its scores come, and detects drift.

    source: its name, in events. Its memory does not grow.
    """

    def __init__(self, source: str, criteria: AlarmCriteria) -> None:
        self._in_force = RuleInForce(criteria.rule, criteria.day, criteria.drift)
        self._events = EventStream(source, criteria.rule, normal_share=criteria.normal_share)
        self._peak: FrameScore | None = None  # of the open event, or of what may become one

    @property
    def threshold(self) -> float:
        """The threshold of the whole day, before any adjustment for drift."""
        return self._in_force.common.threshold

    @property
    def running(self) -> Event | None:
        """The open event in its present state; None if there is none."""
        return self._events.running

    def set_criteria(self, criteria: AlarmCriteria) -> None:
        """Apply other criteria from the next frame on, also to an event in progress."""
        self._in_force.set_rules(criteria.rule, criteria.day, criteria.drift)
        self._events.set_rule(criteria.rule, criteria.normal_share)

    def add(
        self, frame: FrameScore, *, height_px: int = 0, width_px: int = 0, time_of_day_s: float | None = None
    ) -> FrameAlarms:
        """Take the next frame, and return the updates and the drift that follow from it.

        height_px, width_px: size of the source's picture, for boxes; 0 if unknown, for no boxes. time_of_day_s: since
        midnight; None if unknown, and the common rule applies.
        """
        rule, change = self._in_force.see(frame.time_s, frame.score, frame.seen, time_of_day_s=time_of_day_s)
        before = self._peak

        def boxes() -> tuple[Box, ...]:
            self._peak = frame  # asked for at each highest score
            return _boxes(frame, rule.release, height_px, width_px)

        updates = self._events.add(frame.index, frame.time_s, frame.score, boxes, rule, frame.readings)
        return FrameAlarms(rule, tuple(_with_peak(update, before, self._peak) for update in updates), change)

    def finish(self) -> list[EventUpdate]:
        """End the event in progress, because nothing is seen of the source; return its end, if there is one."""
        peak, self._peak = self._peak, None
        return [_with_peak(update, peak) for update in self._events.finish()]


class VideoAlarms:
    """Collects the alarms of a whole video while its scores come.

    source: its name, in events. height_px, width_px: of its picture. starts_s: the time of day at its time 0, in
    seconds since midnight; None if it is not known. rule: the one that holds at its
    beginning. changes: where drift began or ended so far. on_end: receives the last update of each event, with the
    maps of its peak.
    """

    def __init__(
        self,
        source: str,
        criteria: AlarmCriteria,
        *,
        height_px: int,
        width_px: int,
        starts_s: float | None = None,
        on_end: Callable[[EventUpdate], None] = lambda update: None,
    ) -> None:
        self.changes: list[DriftChange] = []
        self.rule = rule_of_day(criteria.rule, criteria.day, starts_s)
        self._finder = AlarmFinder(source, criteria)
        self._starts_s, self._height_px, self._width_px, self._on_end = starts_s, height_px, width_px, on_end
        self._ended: list[Event] = []

    def add(self, frame: FrameScore) -> None:
        """Take the next frame."""
        time_of_day_s = None if self._starts_s is None else self._starts_s + frame.time_s
        size_px = {"height_px": self._height_px, "width_px": self._width_px}
        found = self._finder.add(frame, **size_px, time_of_day_s=time_of_day_s)
        self._end(update for update in found.updates if update.phase == "end")
        if found.drift is not None:
            self.changes.append(found.drift)

    def finish(self) -> tuple[Event, ...]:
        """Return the events of the video, which has ended; those within drift are judged by the raised threshold."""
        self._end(self._finder.finish())
        return tuple(with_kinds(without_new_normal(self._ended, self.changes, self.rule)))

    def _end(self, updates: Iterable[EventUpdate]) -> None:
        for update in updates:
            self._ended.append(update.event)
            self._on_end(update)


def _with_peak(update: EventUpdate, *frames: FrameScore | None) -> EventUpdate:
    """Return an update with the one of these frames that is its event's peak."""
    found = (frame for frame in frames if frame is not None and frame.index == update.event.peak_frame)
    return replace(update, peak=next(found, None))


def _boxes(frame: FrameScore, level: float, height_px: int, width_px: int) -> tuple[Box, ...]:
    """Return where a frame is anomalous, in pixels of its source; nothing if the source's size is not known.

    Where there is no map, or no pixel of it reaches the level, it is the place that the strangest cue names.
    """
    if not height_px or not width_px:
        return ()
    boxes = () if frame.map is None else map_boxes(frame.map, level, height_px=height_px, width_px=width_px)
    reason = EventReason.of(frame.readings)
    if boxes or reason is None or reason.reading.box is None:
        return boxes
    left, top, right, bottom = reason.reading.box
    x, y = int(left * width_px), int(top * height_px)
    return ((x, y, max(1, ceil(right * width_px) - x), max(1, ceil(bottom * height_px) - y)),)
