"""Loads a scorer from a trained model's files."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.errors import ConfigError, WeightsError
from maskedskipunet.inference.prepare import Precision, prepare
from maskedskipunet.input_format import InputFormat
from maskedskipunet.model.pretrained import load_model, model_folder
from maskedskipunet.model.storage import read_cues_only
from maskedskipunet.scoring.backend import Backend
from maskedskipunet.scoring.scorer import Scorer

OpenBackend = Callable[[Path, str, Precision], tuple[Backend, InputFormat]]
"""Makes a trained model's network ready: (path, device, precision) -> (the network, what it looks at)."""


def _open_torch(path: Path, device: str, precision: Precision) -> tuple[Backend, InputFormat]:
    network = load_model(path)
    input_format = network.input_format or InputFormat()
    return prepare(network, device, precision, (input_format.height_px, input_format.width_px)), input_format


# What computes a network, by name. A new backend is a file and a line here.
BACKENDS: dict[str, OpenBackend] = {"torch": _open_torch}


def load_scorer(
    path: Path,
    device: str = "auto",
    precision: Precision = "float32",
    *,
    calibrated: bool = True,
    backend: str = "torch",
) -> Scorer:
    """Return a trained model ready to score, at the published size if it states none.

    path: a run, or anything else that load_model takes. calibrated: read its calibration; otherwise a damaged one is no
    fault. backend: the implementation of its network, one of BACKENDS. Raises WeightsError when there is no such model,
    CalibrationError for a damaged calibration, ConfigError for settings that cannot be.
    """
    folder = _model_folder(path)
    found = None if folder is None else read_cues_only(folder)
    if folder is not None and found is not None:
        scorer = _cue_scorer(folder, *found, precision)
    else:
        scorer = load_network_scorer(path, device, precision, backend)
    scorer = scorer if folder is None else _with_cues(scorer, folder)
    _ = scorer.ignored  # a damaged description is told before anything is read
    return replace(scorer, calibration=calibration_of(path)) if calibrated else scorer


def input_format_of(path: Path) -> InputFormat:
    """Return a trained model's input format without preparing it. Raises WeightsError if there is no such model."""
    folder = _model_folder(path)
    found = None if folder is None else read_cues_only(folder)
    return found[0] if found is not None else load_model(path).input_format or InputFormat()


def load_network_scorer(
    path: Path, device: str = "auto", precision: Precision = "float32", backend: str = "torch"
) -> Scorer:
    """Return a trained model's network ready to score alone, without its other cues and its calibration.

    Raises WeightsError when there is no such model, or it has no network, ConfigError when there is no such backend.
    """
    if backend not in BACKENDS:
        raise ConfigError(f"there is no backend {backend!r}", "backend", f"Use one of {', '.join(BACKENDS)}")
    return Scorer(*BACKENDS[backend](path, device, precision))


def _cue_scorer(folder: Path, input_format: InputFormat, channels: int, precision: Precision) -> Scorer:
    """Return the scorer of a model without a network."""
    if precision != "float32":
        fault = f"the model has no network that could compute in {precision}"
        raise ConfigError(fault, "precision", "Leave --precision out")
    if (model := CueModel.read(folder)) is None:
        raise WeightsError("the model has neither a network nor cues", str(folder), "Train it again")
    if model.reconstruction is not None:
        raise WeightsError("the cues are those of a model with a network", str(folder), "Train the model again")
    return Scorer(None, input_format, cues=model.cues, cue_channels=channels)


def _with_cues(scorer: Scorer, folder: Path) -> Scorer:
    """Return a model's scorer with the cues in its folder. Raises WeightsError for cues of another model."""
    model = CueModel.read(folder)
    if model is None:
        return scorer
    if scorer.backend is not None and model.reconstruction is None:
        raise WeightsError("the cues are those of a model without a network", str(folder), "Train the model again")
    if not model.fits(*scorer.size_px, scorer.channels):
        raise WeightsError("the cues are of other frames than the model looks at", str(folder), "Train the model again")
    return replace(scorer, cues=model.cues, fuse=model.fusion, smoothing_s=model.smoothing_s)


def with_other_cues(scorer: Scorer, model: CueModel) -> Scorer | None:
    """Return a copy of the scorer with cues that have learned more.

    Returns None if these are other cues, are for another picture size, or smooth the score over another time.
    """
    names = [cue.name for cue in scorer.cues]
    has_network = model.reconstruction is not None
    if has_network != (scorer.backend is not None) or [cue.name for cue in model.cues] != names:
        return None
    if not model.fits(*scorer.size_px, scorer.channels) or model.smoothing_s != scorer.smoothing_s:
        return None
    return replace(scorer, cues=model.cues, fuse=model.fusion)


def _model_folder(path: Path) -> Path | None:
    """Return the model folder that a path means; None if it names weights alone, or nothing."""
    try:
        return model_folder(path)
    except WeightsError:
        return None


def calibration_of(model: Path) -> Calibration | None:
    """Return a model's calibration; None if it was not calibrated, like weights alone.

    Raises CalibrationError for a damaged calibration.
    """
    try:
        return Calibration.read(model_folder(model))
    except WeightsError:
        return None
