"""Measures the effect of reduced precision on the footage that is scored."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.frames import Frame
from maskedskipunet.data.sources import Source
from maskedskipunet.evaluation.precision import PrecisionEffect, compare
from maskedskipunet.inference.prepare import prepare
from maskedskipunet.model.pretrained import load_model
from maskedskipunet.scoring.scorer import Scorer

FRAMES = 32


def precision_effect(model: Path, reduced: Scorer, source: Source) -> PrecisionEffect | None:
    """Score a video's first frames in float32 too, and compare; None if none of them has a score."""
    assert reduced.backend is not None, "what was loaded with a precision has a network"
    exact = _scores(replace(reduced, backend=prepare(load_model(model), reduced.backend.device)), source)
    rough = _scores(reduced, source)
    scored = ~np.isnan(exact)
    if not scored.any():
        return None
    return compare(reduced.backend.precision, exact[scored], rough[scored])


def _scores(scorer: Scorer, source: Source) -> NDArray[np.float64]:
    frames: Iterator[Frame] = islice(source.frames(), FRAMES)
    with closing(scorer.score(frames)) as scores:
        return np.array([np.nan if scored.score is None else scored.score for scored in scores])
