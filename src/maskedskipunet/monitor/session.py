"""Accompanies a watch: finds alarms, passes events to subscribers and applies changes of the model."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from maskedskipunet.detection.alarm_finder import AlarmCriteria
from maskedskipunet.monitor.alarms import CameraAlarms
from maskedskipunet.monitor.model_changes import ModelUpdate
from maskedskipunet.monitor.monitor_events import CameraState, ModelChange, MonitorEvent, ScoredFrame, Subscriber
from maskedskipunet.monitor.service import ServiceManager
from maskedskipunet.scoring.loading import with_other_cues
from maskedskipunet.scoring.scorer import Scorer


class WatchSession:
    """Accompanies one watch of several cameras, from its first frame to its last event.

    scorer: scores the frames. finders: find the alarms, by camera; empty if the model has no threshold. subscribers:
    receive every event, in this order. poll: returns what has changed in the model's folder since the last call, None
    if nothing has. service: the service manager to report progress to.
    """

    def __init__(
        self,
        scorer: Scorer,
        finders: Mapping[str, CameraAlarms],
        subscribers: Sequence[Subscriber],
        poll: Callable[[], ModelUpdate | None] = lambda: None,
        service: ServiceManager | None = None,
    ) -> None:
        self._scorer, self._finders, self._subscribers, self._poll = scorer, finders, subscribers, poll
        self._service = service or ServiceManager()
        self._is_ready = False

    def publish(self, event: MonitorEvent) -> None:
        """Pass an event to all subscribers, and then the alarms that follow from it."""
        for subscriber in self._subscribers:
            subscriber(event)
        for alarm in self._alarms(event):
            self.publish(alarm)

    def on_cycle(self) -> Scorer | None:
        """Report progress and apply what has changed in the model; returns the scorer to go on with, if it changed."""
        if not self._is_ready:
            self._service.ready()
            self._is_ready = True
        self._service.progress()
        if (changed := self._poll()) is None:
            return None
        if changed.cues is not None:
            other = with_other_cues(self._scorer, changed.cues)
            self.publish(self._cue_change(other is not None))
            self._scorer = other or self._scorer
        if changed.calibration is not None or changed.reason:
            self.publish(self._apply_calibration(changed))
        return self._scorer

    def end(self) -> None:
        """End the alarms that are still open."""
        for finder in self._finders.values():
            for alarm in finder.finish():
                self.publish(alarm)

    def stopping(self) -> None:
        """Report that watching ends."""
        self._service.stopping()

    def _alarms(self, event: MonitorEvent) -> Iterator[MonitorEvent]:
        if not self._finders:
            return
        match event:
            case ScoredFrame():
                yield from self._finders[event.camera].add(event)
            case CameraState(condition="lost" | "ended"):
                yield from self._finders[event.camera].finish()

    @property
    def _threshold(self) -> float | None:
        return next((finder.threshold for finder in self._finders.values()), None)

    def _cue_change(self, applied: bool) -> ModelChange:
        """Return an event which says that all cameras use a model's new cues, or why they do not."""
        description = "the model has learned more of what is normal: its cues now apply"
        if not applied:
            description = "the model's cues were trained again and do not fit: restart watch to use them"
        return ModelChange(self._threshold, applied, time.time(), description)

    def _apply_calibration(self, changed: ModelUpdate) -> ModelChange:
        """Apply a model's new calibration to all cameras; return an event that says so, or why it was not applied."""
        before = self._threshold
        calibration, criteria = changed.calibration, AlarmCriteria.of(changed.calibration)
        if calibration is None or calibration.alarm is None or criteria is None:
            return ModelChange(before, False, time.time(), changed.reason)
        threshold, budget = calibration.alarm.rule.threshold, calibration.alarm.budget
        if before is None:
            description = f"the model now has a threshold, {threshold:.5f} for {budget}: restart watch to get alarms"
            return ModelChange(None, False, time.time(), description)
        for finder in self._finders.values():
            finder.set_criteria(criteria)
        description = (
            f"the model was calibrated again: alarms at the threshold {threshold:.5f} (was {before:.5f}), for {budget}"
        )
        return ModelChange(threshold, True, time.time(), description, calibration.frames)
