"""Finds changes in a model's folder while cameras are watched, so that new cues and thresholds apply at once."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from maskedskipunet.cues.cue_model import CUES_NAME, CueModel
from maskedskipunet.detection.calibration import CALIBRATION_NAME, Calibration
from maskedskipunet.errors import CalibrationError, WeightsError
from maskedskipunet.model.pretrained import model_folder
from maskedskipunet.model.storage import NETWORK_FILES

POLL_S = 2.0  # time between two looks at the folder
_AGAIN = "restart watch to use it"

FileStamp = tuple[int, int, int] | None  # identifies a version of a file; None if there is no file


@dataclass(frozen=True)
class ModelUpdate:
    """The parts of a model that changed and apply from now on.

    calibration: a new one, with a threshold. cues: new ones, with the same names and places as before. reason: why some
    other change is not applied; empty if there is none.
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
        self._clock, self._polled_s = clock, clock()
        self._network, self._calibration = self._network_stamps(), self._stamp(CALIBRATION_NAME)
        self._cues = self._stamp(CUES_NAME)
        self._is_retrained = False

    def poll(self) -> ModelUpdate | None:
        """Return what has changed since the last call, or None. Raises nothing: a fault becomes a reason."""
        if self._folder is None or self._is_retrained or self._clock() - self._polled_s < POLL_S:
            return None
        self._polled_s = self._clock()
        if self._network_stamps() != self._network:
            self._is_retrained = True  # later calibrations belong to the new network
            return ModelUpdate(None, f"{self._folder} was trained again, or ignores other shapes: {_AGAIN}")
        cues, cues_fault = self._new_cues(self._folder)
        calibration, fault = self._new_calibration(self._folder)
        reason = "; ".join(filter(None, (cues_fault, fault)))
        return ModelUpdate(calibration, reason, cues) if cues or calibration or reason else None

    def _new_cues(self, folder: Path) -> tuple[CueModel | None, str]:
        """Return cues that were written since the last call, or why they cannot be applied."""
        if (stamp := self._stamp(CUES_NAME)) == self._cues:
            return None, ""
        before, self._cues = self._cues, stamp
        if before is None or stamp is None:
            return None, f"{folder} {'no longer has cues' if stamp is None else 'now has cues'}: {_AGAIN}"
        try:
            return CueModel.read(folder), ""
        except WeightsError as error:
            return None, f"{str(error).removesuffix('.')}; scores continue as before"

    def _new_calibration(self, folder: Path) -> tuple[Calibration | None, str]:
        """Return a calibration that was written since the last call, or why it cannot be applied."""
        if (stamp := self._stamp(CALIBRATION_NAME)) == self._calibration:
            return None, ""
        self._calibration = stamp
        try:
            calibration = Calibration.read(folder)
        except CalibrationError as error:
            return None, f"{str(error).removesuffix('.')}; alarms continue as before"
        if calibration is None or calibration.alarm is None:
            return None, f"{folder / CALIBRATION_NAME} no longer holds a threshold; alarms continue as before"
        return calibration, ""

    def _network_stamps(self) -> tuple[FileStamp, ...]:
        return tuple(map(self._stamp, NETWORK_FILES))

    def _stamp(self, name: str) -> FileStamp:
        """Return the stamp of a file. Files are replaced whole, so each version has another stamp."""
        if self._folder is None:
            return None
        try:
            found = (self._folder / name).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
