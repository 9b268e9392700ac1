"""Loads a scorer from a trained model's files."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from maskedskipunet.cues.cue_model import CUES_NAME, CueModel
from maskedskipunet.detection.calibration import CALIBRATION_NAME, Calibration
from maskedskipunet.errors import CalibrationError, ConfigError, WeightsError
from maskedskipunet.inference.prepare import Precision, prepare
from maskedskipunet.input_format import InputFormat
from maskedskipunet.model.pretrained import load_model, model_folder
from maskedskipunet.model.storage import CONFIG_NAME, read_cues_only, read_description
from maskedskipunet.runtimes.backend import FileBackend, exported_file, open_backend, read_exported
from maskedskipunet.runtimes.description import Description
from maskedskipunet.scoring.backend import Backend
from maskedskipunet.scoring.scorer import Scorer

_COPY_EXPORT = "Copy the whole folder that export wrote"

OpenBackend = Callable[[Path, str, Precision], tuple[Backend, InputFormat]]
"""Makes a trained model's network ready: (path, device, precision) -> (the network, what it looks at)."""


def _open_torch(path: Path, device: str, precision: Precision) -> tuple[Backend, InputFormat]:
    network = load_model(path)
    input_format = network.input_format or InputFormat()
    return prepare(network, device, precision, (input_format.height_px, input_format.width_px)), input_format


def _open_exported(path: Path, device: str, precision: Precision) -> tuple[Backend, InputFormat]:
    if device not in ("auto", "cpu"):
        fault = f"an exported model runs on the CPU, not on {device}"
        raise ConfigError(fault, "device", "Use cpu, or score with the run itself")
    if precision != "float32":
        fault = f"an exported model computes in float32, not in {precision}"
        raise ConfigError(fault, "precision", "Leave --precision out")
    if (file := exported_file(path)) is None:
        raise WeightsError("not an exported model", str(path), "Name a file that `maskedskipunet export` wrote")
    backend = open_backend(file)
    return backend, _exported_input_format(file, backend.description)


# What computes a network, by name. A new backend is a file and a line here.
BACKENDS: dict[str, OpenBackend] = {"torch": _open_torch, "exported": _open_exported}


def load_scorer(
    path: Path,
    device: str = "auto",
    precision: Precision = "float32",
    *,
    calibrated: bool = True,
    backend: str | None = None,
) -> Scorer:
    """Return a trained model ready to score, at the published size if it states none.

    path: a run, an exported model, or anything else that load_model takes. calibrated: read its calibration; otherwise
    a damaged one is no fault. backend: the implementation of its network, one of BACKENDS; None: by the file.
    Raises WeightsError when there is no such model, CalibrationError for a damaged calibration, ConfigError for
    settings that cannot be.
    """
    folder = _model_folder(path)
    found = None if folder is None else read_cues_only(folder)
    if folder is not None and found is not None:
        scorer = _cue_scorer(folder, *found, precision)
    else:
        scorer = load_network_scorer(path, device, precision, backend)
    scorer = scorer if folder is None else _with_cues(scorer, folder)
    _ = scorer.ignored  # a damaged description is told before anything is read
    if calibrated:
        scorer = replace(scorer, calibration=calibration_of(path))
    if isinstance(scorer.backend, FileBackend):
        _require_whole(scorer, scorer.backend.description, path, calibrated=calibrated)
    return scorer


def input_format_of(path: Path) -> InputFormat:
    """Return a trained model's input format without preparing it. Raises WeightsError if there is no such model."""
    if (file := exported_file(path)) is not None:
        return _exported_input_format(file, read_exported(file))
    folder = _model_folder(path)
    found = None if folder is None else read_cues_only(folder)
    return found[0] if found is not None else load_model(path).input_format or InputFormat()


def load_network_scorer(
    path: Path, device: str = "auto", precision: Precision = "float32", backend: str | None = None
) -> Scorer:
    """Return a trained model's network ready to score alone, without its other cues and its calibration.

    Raises WeightsError when there is no such model, or it has no network, ConfigError when there is no such backend.
    """
    if backend is None:
        backend = "torch" if exported_file(path) is None else "exported"
    if backend not in BACKENDS:
        raise ConfigError(f"there is no backend {backend!r}", "backend", f"Use one of {', '.join(BACKENDS)}")
    return Scorer(*BACKENDS[backend](path, device, precision))


def _exported_input_format(file: Path, description: Description) -> InputFormat:
    """Return the input format of an exported model: that of the folder, which may have learned to ignore more.

    Raises WeightsError if the folder describes another model than the file.
    """
    if (folder := _model_folder(file)) is None:
        return description.input_format
    config, input_format = read_description(folder)
    stated, own = input_format or InputFormat(), description.input_format
    fits = (stated.height_px, stated.width_px, stated.spacing) == (own.height_px, own.width_px, own.spacing)
    if config.frames != description.network.frames or config.channels != description.network.channels or not fits:
        fault = f"the folder's {CONFIG_NAME} describes another model"
        raise WeightsError(fault, str(file), _COPY_EXPORT)
    return stated


def _require_whole(scorer: Scorer, description: Description, path: Path, *, calibrated: bool) -> None:
    """Require the cues and the calibration that an exported model had. Raises WeightsError or CalibrationError."""
    folder = path if path.is_dir() else path.parent
    if not set(description.cues) <= {cue.name for cue in scorer.cues}:
        fault = f"the model's cues are missing ({', '.join(description.cues)})"
        raise WeightsError(fault, str(folder / CUES_NAME), _COPY_EXPORT)
    if calibrated and description.calibration is not None and scorer.calibration is None:
        raise CalibrationError("the model's calibration is missing", str(folder / CALIBRATION_NAME), _COPY_EXPORT)


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
