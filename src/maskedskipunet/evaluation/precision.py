"""Measures how scores in reduced precision differ from those in float32."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PrecisionEffect:
    """The difference of scores from those in float32, on the first frames of a video.

    largest_difference, mean_difference: relative to the float32 score. order_correlation: Spearman's correlation of the
    two orders of frames, 1 if they are equal; None for fewer than two frames.
    """

    precision: str
    frames: int
    largest_difference: float
    mean_difference: float
    order_correlation: float | None

    def describe(self) -> str:
        """Return a sentence.

        >>> PrecisionEffect("bfloat16", 30, 0.0123, 0.004, 0.9987).describe()
        'bfloat16 changes the scores of the first 30 frames by 0.4%, at most 1.2%; their order correlates 0.999'
        """
        order = "" if self.order_correlation is None else f"; their order correlates {self.order_correlation:.3f}"
        return (
            f"{self.precision} changes the scores of the first {self.frames} frames by {self.mean_difference:.1%}, "
            f"at most {self.largest_difference:.1%}{order}"
        )

    def figures(self) -> dict[str, Any]:
        return asdict(self)


def compare(precision: str, exact: NDArray[np.float64], rough: NDArray[np.float64]) -> PrecisionEffect:
    """Compare two series of scores. exact, rough: scores of the same frames, finite, (N,), N >= 1."""
    from scipy.stats import spearmanr  # a second to import

    difference = np.abs(rough - exact) / np.maximum(np.abs(exact), np.finfo(np.float32).tiny)
    varied = len(exact) > 1 and np.ptp(exact) > 0 and np.ptp(rough) > 0
    order = float(spearmanr(exact, rough).statistic) if varied else None
    return PrecisionEffect(precision, len(exact), float(difference.max()), float(difference.mean()), order)
