"""A camera's own health, apart from what happens before it: frozen, dark, out of focus, moved, switched to night."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.monitor.news import Fault

Pixels = NDArray[np.uint8]
Map = NDArray[np.float32]

CHECK_S = 0.5
LEARN_S = 20.0  # of a picture in order, before it is judged whether it is sharp and where it was

FROZEN_S = 60.0  # a live sensor's noise differs within seconds; encoders repeat a still picture for less than that
FLAT = 6.0  # standard deviation, of 255
DARK_S = 5.0
SOFT = 0.55  # of the sharpness that is usual
SOFT_S = 10.0
ELSEWHERE = 0.3  # correlation of edges with where they were
ELSEWHERE_S = 10.0
GREY, COLOURED = 3.0, 6.0  # mean distance between a pixel's channels, of 255
NIGHT_S = 5.0
ADOPT_S = 600.0  # a new view is the camera's view from then on
USUAL_S = 300.0  # over which what is usual is averaged

BLOCKS = 6  # across and down, each judged by itself: people cover few of them
TEXTURED = 0.5  # of the blocks' median strength of edges


@dataclass(frozen=True, slots=True)
class HealthChange:
    """A fault that begins or ends. told: in words, with the figure it rests on."""

    fault: Fault
    present: bool
    told: str


class Lasting:
    """Whether something holds, once it has held or not held for so many seconds without a break."""

    def __init__(self, hold_s: float, present: bool = False) -> None:
        self.present = present
        self._hold_s = hold_s
        self._since_s: float | None = None  # when it began to be otherwise

    def changes(self, now: bool, time_s: float) -> bool:
        """Return whether `present` has turned over with this look."""
        if now == self.present:
            self._since_s = None
            return False
        if self._since_s is None:
            self._since_s = time_s
        if time_s - self._since_s < self._hold_s:
            return False
        self.present, self._since_s = now, None
        return True


@dataclass
class Usual:
    """What a camera's picture is like when it is in order, by day or by night."""

    sharpness: float = 0.0
    edges: Map | None = None
    learnt_s: float = 0.0

    def learn(self, sharpness: float, edges: Map, step_s: float) -> None:
        self.learnt_s += step_s
        share = max(step_s / USUAL_S, step_s / self.learnt_s) if step_s else 0.0  # at first a plain mean
        self.sharpness += share * (sharpness - self.sharpness)
        self.edges = edges if self.edges is None else self.edges + np.float32(share) * (edges - self.edges)

    @property
    def is_known(self) -> bool:
        return self.learnt_s >= LEARN_S


class HealthMonitor:
    """Looks at a camera's frames, twice a second, and says when a fault begins and ends.

    While a picture is dark, neither its focus nor its place is judged; while it is soft, its place is not.
    """

    def __init__(self) -> None:
        self._looked_s: float | None = None
        self._before: Pixels | None = None
        self._frozen, self._dark = Lasting(FROZEN_S), Lasting(DARK_S)
        self._soft, self._moved = Lasting(SOFT_S), Lasting(ELSEWHERE_S)
        self._night: Lasting | None = None
        self._usual = {True: Usual(), False: Usual()}  # by whether it is night
        self._moved_s = 0.0

    @property
    def faults(self) -> set[Fault]:
        """What is wrong now."""
        kept: dict[Fault, Lasting | None] = {
            "frozen": self._frozen,
            "dark": self._dark,
            "defocused": self._soft,
            "moved": self._moved,
            "night": self._night,
        }
        return {fault for fault, lasting in kept.items() if lasting is not None and lasting.present}

    def update(self, time_s: float, pixels: Pixels, colour: float) -> list[HealthChange]:
        """pixels: uint8 (C, H, W). colour: mean distance between a pixel's strongest and weakest channel, 0 to 255."""
        if self._looked_s is not None and time_s - self._looked_s < CHECK_S:
            return []
        step_s = 0.0 if self._looked_s is None else min(time_s - self._looked_s, 2 * CHECK_S)
        self._looked_s = time_s
        return list(self._look(time_s, step_s, pixels, colour))

    def _look(self, time_s: float, step_s: float, pixels: Pixels, colour: float) -> Iterator[HealthChange]:
        same = self._before is not None and np.array_equal(self._before, pixels)
        self._before = pixels
        if self._frozen.changes(same, time_s):
            told = f"no pixel has changed for {FROZEN_S:.0f} s" if same else "the picture moves again"
            yield HealthChange("frozen", same, told)
        grey = pixels.astype(np.float32).mean(axis=0)
        contrast = float(grey.std())
        dark = contrast < FLAT
        if self._dark.changes(dark, time_s):
            yield HealthChange("dark", dark, f"contrast {contrast:.1f} of 255")
        if dark or self._dark.present or same:
            return
        yield from self._look_for_night(time_s, colour)
        night = self._night is not None and self._night.present
        usual = self._usual[night]
        sharpness, edges = sharpness_of(grey), edges_of(grey)
        if not usual.is_known or usual.edges is None:
            usual.learn(sharpness, edges, step_s)
            return
        share = sharpness / max(usual.sharpness, 1e-9)
        soft = share < SOFT
        if self._soft.changes(soft, time_s):
            yield HealthChange("defocused", soft, f"sharpness is {share:.0%} of its usual value")
        likeness = edges_alike(usual.edges, edges)
        elsewhere = likeness < ELSEWHERE
        if not soft and not self._soft.present:
            if self._moved.changes(elsewhere, time_s):
                self._moved_s = time_s
                yield HealthChange("moved", elsewhere, f"the picture's edges no longer match ({likeness:.2f} of 1)")
            if self._moved.present and time_s - self._moved_s > ADOPT_S:
                self._usual[night], self._moved = Usual(), Lasting(ELSEWHERE_S)
                yield HealthChange("moved", False, "the new view is the reference from now on")
                return
        if not soft and not elsewhere:
            usual.learn(sharpness, edges, step_s)

    def _look_for_night(self, time_s: float, colour: float) -> Iterator[HealthChange]:
        if self._night is None:
            self._night = Lasting(NIGHT_S, present=colour < GREY)  # how it was from the start is no change
        grey = colour < (COLOURED if self._night.present else GREY)
        if self._night.changes(grey, time_s):
            yield HealthChange("night", grey, f"colours differ by {colour:.1f} of 255")


def sharpness_of(grey: Map) -> float:
    """Return how much of a picture's contrast is between neighbouring pixels. grey: (H, W). 0 for a flat one."""
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float(np.abs(grey[1:-1, 1:-1] - around / 4).mean() / (grey.std() + 1))


def edges_of(grey: Map) -> Map:
    """Return the strength of a picture's edges, (H, W) -> (H-1, W-1), cut where they are very strong, so that none
    rules.
    """
    down, across = np.diff(grey, axis=0)[:, :-1], np.diff(grey, axis=1)[:-1]
    return np.sqrt(np.hypot(down, across)).astype(np.float32)


def edges_alike(usual: Map, edges: Map) -> float:
    """Return how far edges are where they usually are, -1 to 1: the median over blocks that have edges at all."""
    found, strengths = [], []
    for rows in np.array_split(np.arange(len(usual)), BLOCKS):
        for columns in np.array_split(np.arange(usual.shape[1]), BLOCKS):
            block = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            one, other = usual[block] - usual[block].mean(), edges[block] - edges[block].mean()
            size = float(np.linalg.norm(one))
            found.append(float((one * other).sum()) / max(size * float(np.linalg.norm(other)), 1e-9))
            strengths.append(size / one.size**0.5)
    enough = TEXTURED * float(np.median(strengths))
    return float(np.median([alike for alike, strength in zip(found, strengths, strict=True) if strength >= enough]))
