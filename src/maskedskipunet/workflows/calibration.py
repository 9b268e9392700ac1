"""Learn from held-back normal videos which scores are usual, and keep that with the model."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from maskedskipunet.data.clips import Clips
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.store import StoredVideo
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.inference.prepare import prepare
from maskedskipunet.input_format import InputFormat
from maskedskipunet.model.pretrained import load_model, model_folder
from maskedskipunet.progress import Progress
from maskedskipunet.scoring.scorer import Scorer


def calibrate_on_holdback(
    model: Path, holdback: Clips, input_format: InputFormat, device: str, progress: Progress
) -> None:
    """Score the frames of held-back videos and write the model's `calibration.json` from them, without a threshold.

    model: a run or a model folder.
    """
    folder = model_folder(model)
    network = prepare(load_model(folder), device, size_px=(input_format.height_px, input_format.width_px))
    scorer = Scorer(network, input_format)
    scores = {}
    with progress.stage("scoring what was held back", sum(len(video.frames) for video in holdback.videos)) as advance:
        for video in holdback.videos:
            found = []
            for scored in scorer.score(stored_frames(video), ignored=video.ignored):
                found.append(np.nan if scored.score is None else scored.score)
                advance(1)
            scores[video.name] = np.array(found)
    Calibration.of(scores).write(folder)


def stored_frames(video: StoredVideo) -> Iterator[Frame]:
    """The frames of a stored video as a source would give them. Times are positions: the store keeps none."""
    for position, (pixels, good) in enumerate(zip(video.frames, video.good, strict=True)):
        image = np.ascontiguousarray(np.broadcast_to(pixels, (3, *pixels.shape[1:])).transpose(1, 2, 0))
        yield Frame(int(video.index[position]), float(position), image if good else None)
