"""How strange the appearance of a frame is, for a moment and over the last minute."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.cues.tails import RAREST, Tails, mean_of_strangest

Floats = NDArray[np.float32]

LASTING_S = 60.0  # over which lasting strangeness is judged
LOOKS = 30  # at each place in that time
BETWEEN_LOOKS_S = LASTING_S / LOOKS
HISTORY_S = LASTING_S + 2 * BETWEEN_LOOKS_S  # before a frame, that its lasting strangeness depends on
STILL_THERE_S = 10.0  # in which what lasts has to be there still, or it would last half a minute beyond its end
LASTING_RISE = float(np.log10(LASTING_S))  # a lasting departure says the same for a minute, a passing one for a second


@dataclass(frozen=True)
class Judge:
    """Judges how strange distances are.

    places: tails by place. frames: tails of the mean of a frame's STRANGEST places.
    """

    places: Tails
    frames: Tails

    @classmethod
    def fit(cls, distances: Floats, alike: int = 1) -> "Judge":
        """Learn from normal distances, (N, P). alike: the number of consecutive frames that look the same."""
        places = Tails.fit(distances, alike=alike)
        return cls(places, Tails.fit(mean_of_strangest(places.surprise(distances))[:, None], alike=alike))

    def arrays(self, name: str) -> dict[str, Floats]:
        """Return the arrays to store. name: the beginning of their names."""
        return self.places.arrays(f"{name}.places") | self.frames.arrays(f"{name}.frames")

    @classmethod
    def from_arrays(cls, name: str, arrays: Mapping[str, Floats], count: int) -> "Judge":
        """Return the judge whose `arrays` were stored. Raises KeyError or ValueError for missing or damaged arrays."""
        return cls(Tails.from_arrays(f"{name}.places", arrays, count), Tails.from_arrays(f"{name}.frames", arrays, 1))

    def scores(self, distances: Floats) -> tuple[float, Floats, Floats]:
        """Return the surprise of a frame, of its places in the frame's units, and of each place by itself.

        distances: (P,). Returns a number, (P,) and (P,).
        """
        places = self.places.surprise(distances)
        both = np.append(places, mean_of_strangest(places))
        scores = self.frames.surprise(both[:, None])[:, 0]
        return float(scores[-1]), scores[:-1], places


class LastingMeter:
    """Measures how far each place has differed for the whole last minute of an unbroken run. Its memory is bounded.

    The measure is the median of the minute or of its last seconds, whichever is lower, so that it ends with the change.
    A look is the first frame of each BETWEEN_LOOKS_S on the source's clock, so that a run that begins later looks at
    the same frames, and HISTORY_S after its beginning measures the same.
    """

    def __init__(self) -> None:
        self._looks: deque[tuple[float, Floats]] = deque()
        self._median: Floats | None = None

    def add(self, time_s: float, distances: Floats) -> Floats | None:
        """Add the distances of the next frame, (P,), and return the measure, (P,); None before a minute has passed."""
        if self._looks and time_s < self._looks[-1][0]:
            self._looks.clear()  # the clock went back: what was seen before is of another time
        if not self._looks or time_s // BETWEEN_LOOKS_S > self._looks[-1][0] // BETWEEN_LOOKS_S:
            self._looks.append((time_s, distances))
            while time_s - self._looks[0][0] > LASTING_S:
                self._looks.popleft()
            is_whole = time_s - self._looks[0][0] >= LASTING_S * (1 - 2 / LOOKS) and len(self._looks) > LOOKS // 2
            self._median = self._lasting(time_s) if is_whole else None
        return self._median

    def _lasting(self, time_s: float) -> Floats:
        recent = [seen for looked_s, seen in self._looks if time_s - looked_s <= STILL_THERE_S]
        found: Floats = np.minimum(np.median([seen for _, seen in self._looks], axis=0), np.median(recent, axis=0))
        return found


@dataclass(frozen=True)
class LastingRise:
    """Raises the surprise of a change that lasts, so that it gives as few alarms an hour as one that passes.

    Strange minutes come as a few long stretches, strange moments as many short ones. Below `start` the surprise stays,
    because ordinary hours reach it; it is raised by up to LASTING_RISE over the next `span`.
    """

    start: float = 1.0
    span: float = 0.5

    def __call__(self, surprise: Floats | np.float32) -> Floats:
        """Return the raised surprise, of the same shape."""
        share = np.clip((surprise - self.start) / self.span, 0, 1)
        return np.asarray(np.minimum(surprise + LASTING_RISE * share, RAREST), np.float32)

    def arrays(self) -> dict[str, Floats]:
        """Return the arrays to store: none for the rise of earlier models, which say nothing of it."""
        return {} if self == EARLIER_RISE else {_RISE: np.array([self.start, self.span], np.float32)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> "LastingRise":
        """Return the rise whose `arrays` were stored. Raises ValueError for a damaged one."""
        if _RISE not in arrays:
            return EARLIER_RISE
        found = arrays[_RISE]
        if found.shape != (2,) or not np.isfinite(found).all() or not (0 <= found[0] <= RAREST and found[1] > 0):
            raise ValueError("the appearance holds no rise of what lasts")
        return cls(float(found[0]), float(found[1]))


RISE = LastingRise()
EARLIER_RISE = LastingRise(0.3, 1.0)
_RISE = "lasting.rise"
