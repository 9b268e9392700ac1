"""What the calibration page knows of a model: its kept footage, read once, and thresholds that were worked out."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from maskedskipunet.web.refusals import BusyError
from maskedskipunet.workflows.kept_calibration import (
    AlarmBudget,
    KeptFootage,
    ModelCalibration,
    calibrated,
    files_of,
    go_back,
    read_kept,
    use,
)

WAIT_S = 20.0  # for another request that works a threshold out
KEPT_ANSWERS = 100
Stamp = tuple[tuple[int, int], ...]
Choice = tuple[AlarmBudget, tuple[str, ...]]


class CalibrationDesk:
    """Works thresholds of one run out, one at a time: who moves the slider quickly asks for many.

    run: a run or a model folder.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self._lock = threading.Lock()
        self._stamp: Stamp | None = None
        self._footage: KeptFootage | None = None
        self._answers: OrderedDict[Choice, ModelCalibration] = OrderedDict()

    def footage(self) -> KeptFootage:
        """Return the kept footage as it is now. Raises what `read_kept` does."""
        with self._alone():
            return self._fresh()

    def calibration(self, budget: AlarmBudget, exclude: tuple[str, ...]) -> ModelCalibration:
        """Return what a budget gives. Raises what `calibrated` does, and BusyError where others ask for too much."""
        with self._alone():
            footage = self._fresh()
            if (known := self._answers.get((budget, exclude))) is not None:
                self._answers.move_to_end((budget, exclude))
                return known
            found = calibrated(footage, budget, exclude)
            self._answers[budget, exclude] = found
            while len(self._answers) > KEPT_ANSWERS:
                self._answers.popitem(last=False)
            return found

    def use(self, budget: AlarmBudget, exclude: tuple[str, ...]) -> ModelCalibration:
        """Put a threshold in force. Raises what `use` of kept footage does."""
        return self._changed(lambda: use(self._fresh(), budget, exclude))

    def go_back(self, number: int) -> ModelCalibration:
        """Put the earlier calibration in force again. Raises what `go_back` of a run does."""
        return self._changed(lambda: go_back(self.run, number))

    def _changed(self, change: Callable[[], ModelCalibration]) -> ModelCalibration:
        with self._alone():
            try:
                return change()
            finally:
                self._stamp = None

    def _fresh(self) -> KeptFootage:
        stamp = self._now()
        if self._footage is None or stamp != self._stamp:
            self._footage, self._stamp = None, None
            self._answers.clear()
            self._footage, self._stamp = read_kept(self.run), stamp
        return self._footage

    def _now(self) -> Stamp:
        found = []
        for path in files_of(self.run):
            try:
                found.append((path.stat().st_mtime_ns, path.stat().st_size))
            except OSError:
                found.append((0, -1))
        return tuple(found)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=WAIT_S):
            raise BusyError("other thresholds are being worked out", "", "Try again in a moment")
        try:
            yield
        finally:
            self._lock.release()
