"""Figures that look at the order of scores alone, for any number of weightings of the frames at once.

A bootstrap resample is a weighting: how often each frame was drawn. So the figure and its resamples come from the
same few lines, in whole arrays.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Figure = Callable[[Floats, Floats], Floats]
"""(anomalous, normal) weight at each distinct score, rising, each (R, G), to a figure a weighting, (R,)."""


class Ranking:
    """Labels in the order of their scores, equal scores as one step.

    labels: 0 or 1, (N,). scores: finite, (N,), higher is more anomalous.
    """

    def __init__(self, labels: NDArray[np.uint8], scores: Floats) -> None:
        self._order = np.argsort(scores, kind="stable")
        ranked = scores[self._order]
        self._starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]])[: len(ranked)])
        self._anomalous = labels[self._order] == 1

    def figures(self, figure: Figure, weights: Floats) -> Floats:
        """Return a figure under each weighting; NaN if a class weighs nothing. weights: (R, N), 0 or more."""
        if not len(self._order):
            return np.full(len(weights), np.nan)
        weights = weights[:, self._order]
        return figure(self._steps(weights * self._anomalous), self._steps(weights * ~self._anomalous))

    def figure(self, figure: Figure) -> float | None:
        """Return the figure with each frame counted once; None if there is one class only."""
        value = float(self.figures(figure, np.ones((1, len(self._order))))[0])
        return None if np.isnan(value) else value

    def _steps(self, weights: Floats) -> Floats:
        if len(self._starts) == len(self._order):
            return weights
        sums: Floats = np.add.reduceat(weights, self._starts, axis=1)
        return sums


def area_under_roc(anomalous: Floats, normal: Floats) -> Floats:
    """Return how often an anomalous frame scores over a normal one, ties counting half."""
    below = np.cumsum(normal, axis=1) - normal / 2
    return _divided((anomalous * below).sum(axis=1), anomalous.sum(axis=1) * normal.sum(axis=1))


def average_precision(anomalous: Floats, normal: Floats) -> Floats:
    """Return the precision at each threshold, weighted by the recall that the threshold adds: no interpolation."""
    falling = anomalous[:, ::-1]
    found, raised = np.cumsum(falling, axis=1), np.cumsum(normal[:, ::-1], axis=1)
    precision = np.divide(found, found + raised, out=np.zeros_like(found), where=found > 0)
    total = anomalous.sum(axis=1)
    return _divided((falling * precision).sum(axis=1), np.where(normal.sum(axis=1) > 0, total, 0))


def equal_error_rate(anomalous: Floats, normal: Floats) -> Floats:
    """Return the share at which the ROC curve, joined by straight lines, has as many false alarms as misses."""
    total, others = anomalous.sum(axis=1, keepdims=True), normal.sum(axis=1, keepdims=True)
    false_alarms, hits = (
        np.hstack([np.zeros_like(weight), _divided(np.cumsum(steps[:, ::-1], axis=1), weight)])
        for steps, weight in ((normal, others), (anomalous, total))
    )
    excess = false_alarms + hits - 1  # rises from -1 to 1
    after = np.maximum(np.argmax(excess >= -1e-15, axis=1), 1)
    rows = np.arange(len(after))
    low, high = excess[rows, after - 1], excess[rows, after]
    share = _divided(-low, high - low)
    start = false_alarms[rows, after - 1]
    rate: Floats = start + share * (false_alarms[rows, after] - start)
    rate[~((total > 0) & (others > 0)).ravel()] = np.nan
    return rate


def _divided(above: Floats, below: Floats) -> Floats:
    """Return above / below, NaN where below is 0."""
    whole = np.broadcast_to(below, np.broadcast_shapes(above.shape, below.shape))
    shares: Floats = np.divide(above, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return shares
