"""From a trained model's files to a scorer."""

from pathlib import Path

from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.errors import WeightsError
from maskedskipunet.inference.prepare import Precision, prepare
from maskedskipunet.input_format import InputFormat
from maskedskipunet.model.pretrained import load_model, model_folder
from maskedskipunet.scoring.scorer import Scorer


def load_scorer(
    path: Path, device: str = "auto", precision: Precision = "float32", *, calibrated: bool = True
) -> Scorer:
    """A trained model ready to score, at the published size where it does not say which it looks at.

    path: a run or whatever load_model takes. calibrated: whether to read its calibration; without it a damaged one
    is no fault. Raises WeightsError when there is no such model, CalibrationError for a damaged calibration,
    ConfigError for settings that cannot be.
    """
    network = load_model(path)
    input_format = network.input_format or InputFormat()
    backend = prepare(network, device, precision, (input_format.height_px, input_format.width_px))
    scorer = Scorer(backend, input_format, calibration_of(path) if calibrated else None)
    _ = scorer.ignored  # a damaged description is told before anything is read
    return scorer


def calibration_of(model: Path) -> Calibration | None:
    """What a model's scores mean; None where it was not calibrated, as weights alone never are.

    Raises CalibrationError for a damaged calibration.
    """
    try:
        return Calibration.read(model_folder(model))
    except WeightsError:
        return None
