"""Finds the frame rate of a recording from the steps between frames, not from its length."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NEAR = 0.5  # of the median step: what is farther off is a pause or a hole
STATED_IS_RIGHT = 0.05


def median_rate(times_s: Sequence[float] | NDArray[np.float64], stated: float | None) -> float | None:
    """Return the frames a second of a recording.

    A recorder that pauses while nothing moves has few frames for its length, and its pictures are as close together
    as any other's. So the rate is that of the usual step: the mean of those near the median.
    times_s: when frames are shown, in any order. stated: what the file says, and taken where it is about right, for
    it is exact where times are rounded; also where times leave the rate open.

    >>> median_rate([0.0, 0.1, 0.2, 60.0, 60.1, 60.2], 0.1)
    10.0
    >>> median_rate([0.0, 0.033, 0.067, 0.1], 30000 / 1001)
    29.97002997002997
    >>> median_rate([0.0, 0.04, 0.5, 0.52, 3.0], 25.0)
    25.0
    """
    steps_s = np.diff(np.sort(np.asarray(times_s, np.float64)))
    steps_s = steps_s[steps_s > 0]
    if not len(steps_s):
        return stated
    median_s = np.median(steps_s)
    usual_s = steps_s[np.abs(steps_s - median_s) <= NEAR * median_s]
    if not len(usual_s):
        return stated
    rate = 1 / float(usual_s.mean())
    is_right = stated is not None and abs(stated / rate - 1) <= STATED_IS_RIGHT
    return stated if is_right else round(rate, 6)
