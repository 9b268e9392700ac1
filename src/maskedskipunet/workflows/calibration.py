"""Learn from held-back normal videos which scores are usual, and keep that with the model."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from maskedskipunet.data.clips import Clips
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.store import StoredVideo
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.model.pretrained import model_folder
from maskedskipunet.progress import Progress
from maskedskipunet.scoring.loading import load_scorer


def calibrate_on_holdback(model: Path, holdback: Clips, device: str, progress: Progress) -> None:
    """Score the frames of held-back videos and write the model's `calibration.json` from them, without a threshold.

    model: a run or a model folder.
    """
    folder = model_folder(model)
    scorer = load_scorer(folder, device, calibrated=False)
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
    """Yield the frames of a stored video like a source; unknown times are replaced by positions."""
    times = np.arange(len(video.frames)) if video.time_s is None else video.time_s
    for index, time_s, pixels, good in zip(video.index, times, video.frames, video.good, strict=True):
        image = np.ascontiguousarray(np.broadcast_to(pixels, (3, *pixels.shape[1:])).transpose(1, 2, 0))
        yield Frame(int(index), float(time_s), image if good else None)
