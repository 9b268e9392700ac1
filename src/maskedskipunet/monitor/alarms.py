"""Finds the alarms of one camera from its scores, and adds the time of day."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from maskedskipunet.detection.alarm_finder import AlarmCriteria, AlarmFinder
from maskedskipunet.detection.day import time_of_day_s
from maskedskipunet.detection.events import EventUpdate
from maskedskipunet.detection.kinds import Kind, Kinds, with_kind
from maskedskipunet.monitor.monitor_events import Alarm, Drift, ScoredFrame


class CameraAlarms:
    """Finds the events of one camera as its scores arrive, and reports drift.

    camera: its name. source: its address, without credentials. criteria: define what is an event. speed: playing speed
    of a file, 1 for real time.
    """

    def __init__(self, camera: str, source: str, criteria: AlarmCriteria, *, speed: float = 1.0) -> None:
        self._camera, self._speed = camera, speed
        self._kinds = Kinds()
        self._finder = AlarmFinder(source, criteria)
        self._level = criteria.rule.threshold
        self._began: tuple[str, float] = ("", 0.0)  # the open event, and when it began
        self._last: tuple[float, float] = (0.0, 0.0)  # of the newest frame: the camera's time, and the time of day

    @property
    def threshold(self) -> float:
        """The threshold of the whole day, before any adjustment for drift."""
        return self._finder.threshold

    @property
    def level(self) -> float:
        """The threshold of the newest frame: that of its part of the day, adjusted for drift."""
        return self._level

    def load_kinds(self, kinds: Iterable[Kind]) -> None:
        """Compare alarms with kinds of earlier ones; `began` is in seconds since 1970."""
        self._kinds = Kinds(kinds)

    def set_criteria(self, criteria: AlarmCriteria) -> None:
        """Apply another calibration from the next frame on, also to an event in progress."""
        self._finder.set_criteria(criteria)

    def add(self, scored_frame: ScoredFrame) -> Iterator[Alarm | Drift]:
        """Take the next frame, and yield the alarms and the drift that follow from it."""
        self._last = scored_frame.frame.time_s, scored_frame.unix_s
        found = self._finder.add(
            scored_frame.frame,
            height_px=scored_frame.source_height_px,
            width_px=scored_frame.source_width_px,
            time_of_day_s=time_of_day_s(scored_frame.unix_s),
        )
        self._level = found.rule.threshold
        if found.drift is not None:
            yield Drift(self._camera, found.drift, scored_frame.unix_s)
        yield from map(self._alarm, found.updates)

    def finish(self) -> Iterator[Alarm]:
        """End the event in progress, because no frames come from the camera."""
        yield from map(self._alarm, self._finder.finish())

    def _alarm(self, update: EventUpdate) -> Alarm:
        event = update.event
        if self._began[0] != event.id:
            time_s, unix_s = self._last
            self._began = event.id, unix_s - (time_s - event.start_s) / self._speed
        began_unix_s = self._began[1]
        kind = (self._kinds.add if update.phase == "end" else self._kinds.find)(event, began_unix_s)
        if kind is None:
            return Alarm(self._camera, update, began_unix_s)
        update = replace(update, event=with_kind(event, kind))
        return Alarm(self._camera, update, began_unix_s, kind.count, kind.began, kind.start_s)
