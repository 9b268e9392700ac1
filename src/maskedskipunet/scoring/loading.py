"""From a trained model's files to a scorer."""

from dataclasses import replace
from pathlib import Path

from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.errors import WeightsError
from maskedskipunet.inference.prepare import Precision, prepare
from maskedskipunet.input_format import InputFormat
from maskedskipunet.model.pretrained import load_model, model_folder
from maskedskipunet.model.storage import read_cues_only
from maskedskipunet.scoring.scorer import Scorer


def load_scorer(
    path: Path, device: str = "auto", precision: Precision = "float32", *, calibrated: bool = True
) -> Scorer:
    """A trained model ready to score, at the published size where it does not say which it looks at.

    path: a run or whatever load_model takes. calibrated: whether to read its calibration; without it a damaged one
    is no fault. Raises WeightsError when there is no such model, CalibrationError for a damaged calibration,
    ConfigError for settings that cannot be.
    """
    scorer = _with_cues(_network_scorer(path, device, precision), path)
    _ = scorer.ignored  # a damaged description is told before anything is read
    return replace(scorer, calibration=calibration_of(path)) if calibrated else scorer


def _network_scorer(path: Path, device: str, precision: Precision) -> Scorer:
    """The scorer of a model's network; of a model without one, a scorer that `_with_cues` completes."""
    folder = _model_folder(path)
    found = None if folder is None else read_cues_only(folder)
    if folder is not None and found is not None:
        input_format, channels = found
        if (model := CueModel.read(folder)) is None:
            raise WeightsError("the model has neither a network nor cues", str(folder), "Train it again")
        return Scorer(None, input_format, cues=model.cues, cue_channels=channels)
    network = load_model(path)
    input_format = network.input_format or InputFormat()
    return Scorer(prepare(network, device, precision, (input_format.height_px, input_format.width_px)), input_format)


def _with_cues(scorer: Scorer, path: Path) -> Scorer:
    """A model's scorer with the cues that lie beside its network. Raises WeightsError for those of another model."""
    folder = _model_folder(path)
    model = None if folder is None else CueModel.read(folder)
    if model is None or folder is None:
        return scorer
    if (model.grid.height_px, model.grid.width_px) != scorer.size_px:
        raise WeightsError("the cues are of another picture size than the model", str(folder), "Train the model again")
    return replace(scorer, cues=model.cues, fuse=model.fusion)


def with_other_cues(scorer: Scorer, model: CueModel) -> Scorer | None:
    """The same scorer with cues that know more; None where these are other cues, or look at another picture."""
    names = [cue.name for cue in scorer.cues]
    has_network = model.reconstruction is not None
    if has_network != (scorer.backend is not None) or [cue.name for cue in model.cues] != names:
        return None
    if (model.grid.height_px, model.grid.width_px) != scorer.size_px:
        return None
    return replace(scorer, cues=model.cues, fuse=model.fusion)


def _model_folder(path: Path) -> Path | None:
    """The model folder that a path means; None where it names weights alone, or nothing."""
    try:
        return model_folder(path)
    except WeightsError:
        return None


def calibration_of(model: Path) -> Calibration | None:
    """What a model's scores mean; None where it was not calibrated, as weights alone never are.

    Raises CalibrationError for a damaged calibration.
    """
    try:
        return Calibration.read(model_folder(model))
    except WeightsError:
        return None
