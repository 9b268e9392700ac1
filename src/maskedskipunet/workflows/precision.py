"""What reduced precision does to scores, measured on the footage that is to be scored."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.sources import Source
from maskedskipunet.inference.prepare import PreparedNetwork, prepare
from maskedskipunet.inference.scorer import score_frames
from maskedskipunet.model.config import InputFormat
from maskedskipunet.model.pretrained import load_model

FRAMES = 32


@dataclass(frozen=True)
class PrecisionEffect:
    """How scores differ from those in float32, on the first frames of a video.

    largest_difference, mean_difference: relative to the float32 score. order_correlation: of the two orders of frames
    (Spearman), 1 where they are the same; None for fewer than two frames.
    """

    precision: str
    frames: int
    largest_difference: float
    mean_difference: float
    order_correlation: float | None

    def told(self) -> str:
        """A sentence.

        >>> PrecisionEffect("bfloat16", 30, 0.0123, 0.004, 0.9987).told()
        'bfloat16 changes the scores of the first 30 frames by 0.4%, at most 1.2%; their order correlates 0.999'
        """
        order = "" if self.order_correlation is None else f"; their order correlates {self.order_correlation:.3f}"
        return (
            f"{self.precision} changes the scores of the first {self.frames} frames by {self.mean_difference:.1%}, "
            f"at most {self.largest_difference:.1%}{order}"
        )

    def figures(self) -> dict[str, Any]:
        return asdict(self)


def precision_effect(model: Path, reduced: PreparedNetwork, source: Source, how: InputFormat) -> PrecisionEffect | None:
    """Score a video's first frames in float32 too, and compare; None where none of them has a score."""
    exact = _scores(prepare(load_model(model), reduced.device), source, how)
    rough = _scores(reduced, source, how)
    scored = ~np.isnan(exact)
    if not scored.any():
        return None
    return compare(reduced.precision, exact[scored], rough[scored])


def compare(precision: str, exact: NDArray[np.float64], rough: NDArray[np.float64]) -> PrecisionEffect:
    """exact, rough: scores of the same frames, finite, (N,), N >= 1."""
    from scipy.stats import spearmanr  # a second to import

    difference = np.abs(rough - exact) / np.maximum(np.abs(exact), np.finfo(np.float32).tiny)
    varied = len(exact) > 1 and np.ptp(exact) > 0 and np.ptp(rough) > 0
    order = float(spearmanr(exact, rough).statistic) if varied else None
    return PrecisionEffect(precision, len(exact), float(difference.max()), float(difference.mean()), order)


def _scores(network: PreparedNetwork, source: Source, how: InputFormat) -> NDArray[np.float64]:
    frames: Iterator[Any] = islice(source.frames(), FRAMES)
    with closing(score_frames(frames, network, how)) as scores:
        return np.array([np.nan if scored.score is None else scored.score for scored in scores])
