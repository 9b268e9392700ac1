"""A source's time that never goes back, frame by frame and over whole videos."""

from math import isfinite

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class SourceClock:
    """A source's time that never goes back. shift: what was added to the source's own."""

    def __init__(self) -> None:
        self.shift = 0.0
        self._last = float("-inf")

    def now(self, time_s: float) -> float:
        if not isfinite(time_s):
            time_s = (self._last if isfinite(self._last) else 0.0) - self.shift
        now = time_s + self.shift
        if now < self._last:
            self.shift += self._last - now
            now = self._last
        self._last = now
        return now


def stream_clock(time_s: Floats) -> tuple[Floats, Floats]:
    """Return seconds that never go back, (N,), and for each frame what was added to the source's own time.

    A source's clock may be set back, or a time be missing (NaN): no time passes there.

    >>> stream_clock(np.array([0.0, 1.0, 0.5, 1.5]))[0].tolist()
    [0.0, 1.0, 1.0, 2.0]
    """
    if np.isfinite(time_s).all() and (np.diff(time_s) >= 0).all():
        return time_s, np.zeros(len(time_s))
    clock, now, shift = SourceClock(), np.empty(len(time_s)), np.empty(len(time_s))
    for index, time in enumerate(time_s.tolist()):
        now[index], shift[index] = clock.now(time), clock.shift
    return now, shift
