"""Learns a model's cues from normal footage, by the table of cues."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.learned_cue import LearnedCue, learned_cues
from maskedskipunet.cues.normal_footage import NormalVideo, split_in_halves
from maskedskipunet.cues.tails import Tails
from maskedskipunet.detection.reading import RECONSTRUCTION
from maskedskipunet.errors import CalibrationError
from maskedskipunet.progress import Advance


def learn_cues(
    videos: Sequence[NormalVideo],
    grid: PlaceGrid,
    names: Sequence[str],
    advance: Advance,
    aspect_ratio: float | None = None,
) -> CueModel:
    """Learn the named cues from normal footage; `with_reconstruction` adds the network's own.

    advance: called with the number of frames looked at, `looks` in all. aspect_ratio: width over height of the source's
    own picture; None if it is not known. Raises CalibrationError if the footage is too short.
    """
    require_footage(videos, names)
    halves = split_in_halves(videos)
    found = [cue.learn(halves, grid, aspect_ratio, advance) for cue in _classes(names)]
    return CueModel(grid, None, {cue.name: cue for cue in found})


def require_footage(videos: Sequence[NormalVideo], names: Sequence[str]) -> None:
    """Raise CalibrationError if footage is too short to learn the named cues."""
    needed = max((cue.needed_frames for cue in _classes(names)), default=1)
    for half in split_in_halves(videos):
        if not any(len(run.frames) >= needed for video in half for run in video.runs()):
            cure = f"Use a minute or more, or --cues {RECONSTRUCTION}"
            raise CalibrationError(f"too little footage to learn {' and '.join(names)}", "training", cure)


def looks(videos: Sequence[NormalVideo], names: Sequence[str]) -> int:
    """Return how many frames `learn_cues` looks at, counting a frame each time."""
    halves = split_in_halves(videos)
    return sum(cue.count_looks(halves) for cue in _classes(names))


def with_reconstruction(model: CueModel, scores: NDArray[np.floating]) -> CueModel:
    """Return the model with its network's cue.

    scores: (N,), the network's scores of normal frames that it was not trained on; NaN for frames without a score.
    """
    return replace(model, reconstruction=Tails.fit(scores[~np.isnan(scores)].astype(np.float32)[:, None]))


def _classes(names: Sequence[str]) -> list[type[LearnedCue]]:
    return [cue for name, cue in learned_cues().items() if name in names]
