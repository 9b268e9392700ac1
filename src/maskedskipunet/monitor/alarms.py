"""Alarms of one camera: its scores become events, with boxes in its picture and the time of day they began at."""

from collections.abc import Callable, Iterator

from maskedskipunet.detection.budget import AlarmSetting
from maskedskipunet.detection.day import time_of_day_s
from maskedskipunet.detection.drift import DriftReference
from maskedskipunet.detection.events import Box, EventStream, EventUpdate, map_boxes
from maskedskipunet.detection.rule_in_force import RuleInForce
from maskedskipunet.monitor.news import Alarm, Drift, Scored


class AlarmFinder:
    """Finds the events of one camera as its scores come, and says when normal itself has changed.

    camera: its name. source: its address, without credentials. setting: when there is an event. normal_share: how
    rare a score is among normal frames. drift: what normal looked like when the model was calibrated; while it looks
    otherwise, the threshold is raised by as much. speed: of a file that is played faster than real time.
    """

    def __init__(
        self,
        camera: str,
        source: str,
        setting: AlarmSetting,
        *,
        normal_share: Callable[[float], float] | None = None,
        drift: DriftReference | None = None,
        speed: float = 1.0,
    ) -> None:
        self._camera, self._speed = camera, speed
        self._rule = RuleInForce(setting.rule, setting.day, drift)
        self._events = EventStream(source, setting.rule, normal_share=normal_share)
        self._began: tuple[str, float] = ("", 0.0)  # the running event, and when it began
        self._last: tuple[float, float] = (0.0, 0.0)  # of the newest frame: the camera's time, and the time of day

    @property
    def threshold(self) -> float:
        """The common one, whatever part of the day it is and whether it is raised."""
        return self._rule.common.threshold

    def take_over(
        self,
        setting: AlarmSetting,
        *,
        normal_share: Callable[[float], float] | None = None,
        drift: DriftReference | None = None,
    ) -> None:
        """Go by another calibration from the next frame on; an event that runs is held against it too."""
        self._rule.take_over(setting.rule, setting.day, drift)
        self._events.take_over(setting.rule, normal_share)

    def see(self, scored: Scored) -> Iterator[Alarm | Drift]:
        """The next frame, and what is to be told because of it."""
        frame, now_s = scored.frame, time_of_day_s(scored.unix_s)
        self._last = frame.time_s, scored.unix_s
        rule, change = self._rule.see(frame.time_s, frame.score, frame.map, time_of_day_s=now_s)
        if change is not None:
            yield Drift(self._camera, change, scored.unix_s)

        def boxes() -> tuple[Box, ...]:
            if frame.map is None or not scored.source_height_px:
                return ()
            size = {"height_px": scored.source_height_px, "width_px": scored.source_width_px}
            return map_boxes(frame.map, rule.release, **size)

        yield from map(self._told, self._events.add(frame.index, frame.time_s, frame.score, boxes, rule))

    def end(self) -> Iterator[Alarm]:
        """Nothing is seen of the camera for now, or any more: a running event is over."""
        yield from map(self._told, self._events.finish())

    def _told(self, update: EventUpdate) -> Alarm:
        event = update.event
        if self._began[0] != event.id:
            time_s, unix_s = self._last
            self._began = event.id, unix_s - (time_s - event.start_s) / self._speed
        return Alarm(self._camera, update, self._began[1])
