"""What reduced precision does to scores, measured on the footage that is to be scored."""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.frames import Frame
from maskedskipunet.data.sources import Source
from maskedskipunet.evaluation.precision import PrecisionEffect, compare
from maskedskipunet.inference.prepare import PreparedNetwork, prepare
from maskedskipunet.inference.scorer import score_frames
from maskedskipunet.model.config import InputFormat
from maskedskipunet.model.pretrained import load_model

FRAMES = 32


def precision_effect(model: Path, reduced: PreparedNetwork, source: Source, how: InputFormat) -> PrecisionEffect | None:
    """Score a video's first frames in float32 too, and compare; None where none of them has a score."""
    exact = _scores(prepare(load_model(model), reduced.device), source, how)
    rough = _scores(reduced, source, how)
    scored = ~np.isnan(exact)
    if not scored.any():
        return None
    return compare(reduced.precision, exact[scored], rough[scored])


def _scores(network: PreparedNetwork, source: Source, how: InputFormat) -> NDArray[np.float64]:
    frames: Iterator[Frame] = islice(source.frames(), FRAMES)
    with closing(score_frames(frames, network, how)) as scores:
        return np.array([np.nan if scored.score is None else scored.score for scored in scores])
