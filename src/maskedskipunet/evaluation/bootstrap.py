"""Bootstrap intervals: how much a figure would vary with other footage.

Frames are correlated, so single frames must not be drawn: whole videos are, or blocks of neighbouring frames.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.evaluation.ranking import Figure, Floats, Ranking

RESAMPLES = 1000
CONFIDENCE = 0.95
BLOCK_FRAMES = 50
_AT_ONCE = 2_000_000  # weights held in memory together

Interval = tuple[float, float]


def draws(units: int, seed: int, resamples: int) -> NDArray[np.int64]:
    """Return how often each unit was drawn, as many draws as units, with replacement: (resamples, units)."""
    return np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), size=resamples)


def blocks(video: NDArray[np.int64], frame: NDArray[np.int64], block_frames: int = BLOCK_FRAMES) -> NDArray[np.int64]:
    """Return the block of each frame, from 0: so many neighbouring frames of one video, the last of a video fewer.

    video, frame: (N,), each frame's video and place in it.

    >>> blocks(np.array([0, 0, 0, 1]), np.array([0, 1, 2, 0]), 2).tolist()
    [0, 0, 1, 2]
    """
    pairs = np.stack([video, frame // block_frames])
    return np.unique(pairs, axis=1, return_inverse=True)[1].ravel()


def figure_intervals(
    ranking: Ranking, figures: Sequence[Figure], unit: NDArray[np.int64], seed: int
) -> list[Interval | None]:
    """Return the interval of each figure when units are drawn. unit: (N,), the unit of each frame, from 0."""
    units = int(unit.max()) + 1 if len(unit) else 0
    if units < 2:
        return [None] * len(figures)
    counts = draws(units, seed, RESAMPLES)
    step = max(1, _AT_ONCE // len(unit))
    parts = [
        [ranking.figures(figure, counts[start : start + step][:, unit].astype(np.float64)) for figure in figures]
        for start in range(0, len(counts), step)
    ]
    return [interval(np.concatenate(values)) for values in zip(*parts, strict=True)]


def mean_interval(values: Floats, seed: int) -> Interval | None:
    """Return the interval of a mean over videos when videos are drawn. values: (V,), NaN for a video that does not
    count.
    """
    if len(values) < 2:
        return None
    counts = draws(len(values), seed, RESAMPLES)
    counted = ~np.isnan(values)
    total = counts @ counted
    sums = counts @ np.where(counted, values, 0)
    return interval(np.divide(sums, total, out=np.full(len(sums), np.nan), where=total > 0))


def interval(samples: Floats) -> Interval | None:
    """Return the middle 95 % of the resamples that have the figure; None where half of them hold one class only."""
    valid = samples[~np.isnan(samples)]
    if 2 * len(valid) <= len(samples):
        return None
    low, high = np.quantile(valid, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
