"""Finds changes in a model's folder while cameras are watched, so that new cues and thresholds apply at once."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from maskedskipunet.cues.cue_model import CUES_NAME, CueModel
from maskedskipunet.detection.calibration import CALIBRATION_NAME, Calibration
from maskedskipunet.errors import CalibrationError, WeightsError
from maskedskipunet.model.pretrained import model_folder
from maskedskipunet.model.storage import CONFIG_NAME, WEIGHTS_NAME

LOOK_S = 2.0  # from one look at the folder to the next
_AGAIN = "restart watch to use it"

Mark = tuple[int, int, int] | None  # of a file as it is now; None where there is none


@dataclass(frozen=True)
class Changed:
    """The parts of a model that changed and apply from now on.

    calibration: has a threshold. cues: have the same names and places as before. reason: says why some other change is
    not applied; empty if there is none.
    """

    calibration: Calibration | None
    reason: str = ""
    cues: CueModel | None = None


class ModelChanges:
    """Finds out whether a model was calibrated or trained again, or given feedback, since this object was made.

    model: as load_model takes it; weights alone never change. clock: seconds, of which LOOK_S pass between two looks.
    """

    def __init__(self, model: Path, clock: Callable[[], float] = time.monotonic) -> None:
        try:
            self._folder: Path | None = model_folder(model).resolve()  # `runs/latest` may come to mean another run
        except WeightsError:
            self._folder = None
        self._clock, self._looked_s = clock, clock()
        self._network, self._calibration = self._network_marks(), self._mark(CALIBRATION_NAME)
        self._cues = self._mark(CUES_NAME)
        self._is_another = False

    def look(self) -> Changed | None:
        """Return what has changed since the last look, or None. Raises nothing: a fault becomes a reason."""
        if self._folder is None or self._is_another or self._clock() - self._looked_s < LOOK_S:
            return None
        self._looked_s = self._clock()
        if self._network_marks() != self._network:
            self._is_another = True  # whatever is calibrated from now on is about that one
            return Changed(None, f"{self._folder} was trained again, or ignores other shapes: {_AGAIN}")
        cues, cues_fault = self._new_cues(self._folder)
        calibration, fault = self._new_calibration(self._folder)
        reason = "; ".join(filter(None, (cues_fault, fault)))
        return Changed(calibration, reason, cues) if cues or calibration or reason else None

    def _new_cues(self, folder: Path) -> tuple[CueModel | None, str]:
        """Return cues that were written since the last look, or why they cannot be applied."""
        if (mark := self._mark(CUES_NAME)) == self._cues:
            return None, ""
        before, self._cues = self._cues, mark
        if before is None or mark is None:
            return None, f"{folder} {'no longer has cues' if mark is None else 'now has cues'}: {_AGAIN}"
        try:
            return CueModel.read(folder), ""
        except WeightsError as error:
            return None, f"{str(error).removesuffix('.')}; scores continue as before"

    def _new_calibration(self, folder: Path) -> tuple[Calibration | None, str]:
        """Return a calibration that was written since the last look, or why it cannot be applied."""
        if (mark := self._mark(CALIBRATION_NAME)) == self._calibration:
            return None, ""
        self._calibration = mark
        try:
            calibration = Calibration.read(folder)
        except CalibrationError as error:
            return None, f"{str(error).removesuffix('.')}; alarms continue as before"
        if calibration is None or calibration.alarm is None:
            return None, f"{folder / CALIBRATION_NAME} no longer holds a threshold; alarms continue as before"
        return calibration, ""

    def _network_marks(self) -> tuple[Mark, ...]:
        return tuple(map(self._mark, (CONFIG_NAME, WEIGHTS_NAME)))

    def _mark(self, name: str) -> Mark:
        """Files are written beside and take their names whole, so that each writing is another file."""
        if self._folder is None:
            return None
        try:
            found = (self._folder / name).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
