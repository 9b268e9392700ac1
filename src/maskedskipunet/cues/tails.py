"""Tail probabilities: how rare a measure is in normal footage, continued smoothly beyond what was seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import log

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LEVELS = (0.99, 0.9, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
"""Shares of normal values at which the tail is tabulated; beyond the last it is continued by an exponential."""
RAREST = 12.0  # surprise is cut here
STRANGEST = 3  # places whose mean is a frame's measure: things are seen by several windows, noise by one
_SURPRISES = -np.log10(np.array(LEVELS, np.float32))  # at the knots
_RISES = np.diff(_SURPRISES)
LEAST_SCALE = 1e-4  # of an exponential, so that values that never vary do not make any noise infinitely rare


@dataclass(frozen=True)
class Tails:
    """The tails of normal values at each of P places, which tell how rare a value is.

    knots: (K, P), rising: the values that shares LEVELS of normal values reach. scale: (P,), mean excess over the last
    knot, by which the tail goes on. known: the surprise up to which values were seen, log10 of the number of
    independent values; a higher surprise is reduced, because nothing so rare was ever counted.
    The surprise of a value is -log10 of the share of normal values at least as high: 0.3 at the median, 2 if one in a
    hundred is as high, 3 for one in a thousand.
    """

    knots: Floats
    scale: Floats
    known: float = RAREST

    @classmethod
    def fit(cls, values: Floats, *, shrink: float = 0.5, alike: int = 1) -> "Tails":
        """Return the tails of normal values.

        values: (N, P), NaN if a place had none. shrink: the weight of the mean of all places in the scale of a place,
        0 to 1; single places see too few rare moments to stand alone. alike: the number of consecutive values that
        depend on each other.
        """
        if not len(values):
            raise ValueError("no normal value")
        knots = _quantiles(values)
        scale = _mean_excess(values, knots[-1])
        common = float(np.mean(scale))
        scale = np.maximum((1 - shrink) * scale + shrink * common, LEAST_SCALE).astype(np.float32)
        return cls(knots, scale, float(np.clip(np.log10(len(values) / alike), -np.log10(LEVELS[-1]), RAREST)))

    def surprise(self, values: Floats) -> Floats:
        """Return the surprise of values, (..., P), between -log10 of the first share and RAREST."""
        found = np.full(np.shape(values), _SURPRISES[0], np.float32)
        for knot, width, rise in zip(self.knots, self._widths, _RISES, strict=False):
            found += np.clip((values - knot) / width, 0, 1) * rise
        found += np.maximum(values - self.knots[-1], 0) / (self.scale * log(10))
        beyond = np.maximum(found - self.known, 0)
        drawn_in = np.minimum(found, self.known) + np.log1p(beyond)
        return np.asarray(np.minimum(drawn_in, RAREST), np.float32)

    @cached_property
    def _widths(self) -> Floats:
        """Return the distances from each knot to the next, (K - 1, P)."""
        return np.maximum(np.diff(self.knots, axis=0), 1e-9)

    def arrays(self, name: str) -> dict[str, NDArray[np.float32]]:
        """Return the arrays to store. name: the beginning of their names."""
        known = np.full(1, self.known, np.float32)
        return {f"{name}.knots": self.knots, f"{name}.scale": self.scale, f"{name}.known": known}

    @classmethod
    def from_arrays(cls, name: str, arrays: Mapping[str, NDArray[np.float32]], count: int | None = None) -> "Tails":
        """Return the tails whose `arrays` were stored. Raises KeyError or ValueError for missing or damaged arrays.

        count: the number of places that they must have; None for any.
        """
        knots, scale, known = (arrays[f"{name}.{part}"] for part in ("knots", "scale", "known"))
        fits = knots.shape == (len(LEVELS), *scale.shape) and known.shape == (1,)
        if not (fits and all(np.isfinite(part).all() for part in (knots, scale, known)) and (scale > 0).all()):
            raise ValueError(f"{name} holds no tails")
        if count is not None and scale.shape != (count,):
            raise ValueError(f"{name} of another grid")
        return cls(knots, scale, float(known[0]))


def _quantiles(values: Floats) -> Floats:
    """Return the values that shares LEVELS reach, (N, P) -> (K, P); NaN values are left out."""
    quantile = np.nanquantile if np.isnan(values).any() else np.quantile
    knots: Floats = quantile(values.astype(np.float32), 1 - np.array(LEVELS), axis=0).astype(np.float32)
    return knots


def _mean_excess(values: Floats, threshold: Floats) -> Floats:
    excess = np.clip(np.nan_to_num(values, nan=-np.inf) - threshold, 0, None)
    count = np.maximum((excess > 0).sum(axis=0), 1)
    scale: Floats = (excess.sum(axis=0, dtype=np.float64) / count).astype(np.float32)
    return scale


def mean_of_strangest(places: Floats) -> Floats:
    """Return the mean of the STRANGEST highest values of (..., P)."""
    count = min(STRANGEST, places.shape[-1])
    found: Floats = np.partition(places, -count, axis=-1)[..., -count:].mean(axis=-1)
    return found
