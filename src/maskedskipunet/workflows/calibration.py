"""Learn from held-back normal videos which scores are usual, and keep that with the model."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from maskedskipunet.data.clips import Clips
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.store import StoredVideo
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.errors import WeightsError
from maskedskipunet.inference.prepare import prepare
from maskedskipunet.inference.scorer import score_frames
from maskedskipunet.model.config import InputFormat
from maskedskipunet.model.pretrained import load_model, model_folder
from maskedskipunet.progress import Progress


def calibrate_on_holdback(model: Path, holdback: Clips, how: InputFormat, device: str, progress: Progress) -> None:
    """Score the frames of held-back videos and write the model's `calibration.json` from them, without a threshold.

    model: a run or a model folder.
    """
    folder = model_folder(model)
    network = prepare(load_model(folder), device, size_px=(how.height_px, how.width_px))
    scores = {}
    with progress.stage("scoring what was held back", sum(len(video.frames) for video in holdback.videos)) as advance:
        for video in holdback.videos:
            found = []
            for scored in score_frames(stored_frames(video), network, how, ignored=video.ignored):
                found.append(np.nan if scored.score is None else scored.score)
                advance(1)
            scores[video.name] = np.array(found)
    Calibration.of(scores).write(folder)


def calibration_of(model: Path) -> Calibration | None:
    """What a model's scores mean; None where it was not calibrated, as weights alone never are.

    Raises CalibrationError for a damaged calibration.
    """
    try:
        return Calibration.read(model_folder(model))
    except WeightsError:
        return None


def stored_frames(video: StoredVideo) -> Iterator[Frame]:
    """The frames of a stored video as a source would give them. Times are places: the store keeps none."""
    for at, (pixels, good) in enumerate(zip(video.frames, video.good, strict=True)):
        image = np.ascontiguousarray(np.broadcast_to(pixels, (3, *pixels.shape[1:])).transpose(1, 2, 0))
        yield Frame(int(video.index[at]), float(at), image if good else None)
