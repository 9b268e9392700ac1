"""Does what a watch does besides scoring: finds alarms, passes events to listeners and applies changes of the model."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from maskedskipunet.detection.alarm_finder import AlarmCriteria
from maskedskipunet.monitor.alarms import CameraAlarms
from maskedskipunet.monitor.model_changes import Changed
from maskedskipunet.monitor.news import CameraState, Listener, ModelChange, News, Scored
from maskedskipunet.monitor.service import ServiceManager
from maskedskipunet.scoring.loading import with_other_cues
from maskedskipunet.scoring.scorer import Scorer


class WatchSession:
    """Accompanies one watch of several cameras, from its first frame to its last event.

    scorer: that frames are scored with. finders: of each camera's alarms; none where the model has no threshold.
    listeners: are told everything, in this order. look: says what has changed in the model's folder since it was asked
    last, None where nothing has. service: is told of the progress.
    """

    def __init__(
        self,
        scorer: Scorer,
        finders: Mapping[str, CameraAlarms],
        listeners: Sequence[Listener],
        look: Callable[[], Changed | None] = lambda: None,
        service: ServiceManager | None = None,
    ) -> None:
        self._scorer, self._finders, self._listeners, self._look = scorer, finders, listeners, look
        self._service = service or ServiceManager()
        self._is_ready = False

    def tell(self, news: News) -> None:
        """Tell every listener, and then of the alarms that follow."""
        for listener in self._listeners:
            listener(news)
        for alarm in self._alarms(news):
            self.tell(alarm)

    def on_cycle(self) -> Scorer | None:
        """Report progress and apply what has changed in the model; returns the scorer to go on with, if it changed."""
        if not self._is_ready:
            self._service.ready()
            self._is_ready = True
        self._service.progress()
        if (changed := self._look()) is None:
            return None
        if changed.cues is not None:
            other = with_other_cues(self._scorer, changed.cues)
            self.tell(self._cue_change(other is not None))
            self._scorer = other or self._scorer
        if changed.calibration is not None or changed.reason:
            self.tell(self._apply_calibration(changed))
        return self._scorer

    def end(self) -> None:
        """End the events that still run."""
        for finder in self._finders.values():
            for alarm in finder.end():
                self.tell(alarm)

    def stopping(self) -> None:
        """Report that watching ends."""
        self._service.stopping()

    def _alarms(self, news: News) -> Iterator[News]:
        if not self._finders:
            return
        match news:
            case Scored():
                yield from self._finders[news.camera].see(news)
            case CameraState(condition="lost" | "ended"):
                yield from self._finders[news.camera].end()

    @property
    def _threshold(self) -> float | None:
        return next((finder.threshold for finder in self._finders.values()), None)

    def _cue_change(self, applied: bool) -> ModelChange:
        """Return an event which says that all cameras use a model's new cues, or why they do not."""
        told = "the model has learned more of what is normal: its cues now apply"
        if not applied:
            told = "the model's cues were trained again and do not fit: restart watch to use them"
        return ModelChange(self._threshold, applied, time.time(), told)

    def _apply_calibration(self, changed: Changed) -> ModelChange:
        """Apply a model's new calibration to all cameras; return an event that says so, or why it was not applied."""
        before = self._threshold
        calibration, criteria = changed.calibration, AlarmCriteria.of(changed.calibration)
        if calibration is None or calibration.alarm is None or criteria is None:
            return ModelChange(before, False, time.time(), changed.reason)
        threshold, budget = calibration.alarm.rule.threshold, calibration.alarm.budget
        if before is None:
            told = f"the model now has a threshold, {threshold:.5f} for {budget}: restart watch to get alarms"
            return ModelChange(None, False, time.time(), told)
        for finder in self._finders.values():
            finder.take_over(criteria)
        told = (
            f"the model was calibrated again: alarms at the threshold {threshold:.5f} (was {before:.5f}), for {budget}"
        )
        return ModelChange(threshold, True, time.time(), told, calibration.frames)
