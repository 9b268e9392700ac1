"""Checks a camera's own health: frozen, dark, out of focus, moved, switched to night."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.monitor.monitor_events import Fault

Pixels = NDArray[np.uint8]
Map = NDArray[np.float32]

CHECK_S = 0.5
LEARN_S = 20.0  # of good pictures, before sharpness and position are judged

FROZEN_S = 60.0  # a live sensor's noise differs within seconds; encoders repeat a still picture for less than that
FLAT = 6.0  # standard deviation, of 255
DARK_S = 5.0
SOFT = 0.55  # of the usual sharpness
SOFT_S = 10.0
ELSEWHERE = 0.3  # correlation of edges with where they were
ELSEWHERE_S = 10.0
GREY, COLOURED = 3.0, 6.0  # mean distance between a pixel's channels, of 255
NIGHT_S = 5.0
ADOPT_S = 600.0  # after which a new view becomes the reference
BASELINE_S = 300.0  # averaging time of the baseline

BLOCKS = 6  # across and down, each judged separately: people cover few of them
TEXTURED = 0.5  # of the blocks' median strength of edges


@dataclass(frozen=True, slots=True)
class HealthChange:
    """A fault begins or ends. description: a short text with the measured value."""

    fault: Fault
    present: bool
    description: str


class Debounce:
    """Turns a condition on or off once it has held, or not held, for some seconds without a break."""

    def __init__(self, hold_s: float, present: bool = False) -> None:
        self.present = present
        self._hold_s = hold_s
        self._since_s: float | None = None  # since when the condition differs from `present`

    def changes(self, now: bool, time_s: float) -> bool:
        """Take the condition now, and return whether `present` has changed."""
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
class Baseline:
    """The usual sharpness and edges of a camera's picture, by day or by night."""

    sharpness: float = 0.0
    edges: Map | None = None
    learned_s: float = 0.0

    def learn(self, sharpness: float, edges: Map, step_s: float) -> None:
        self.learned_s += step_s
        share = max(step_s / BASELINE_S, step_s / self.learned_s) if step_s else 0.0  # a plain mean at first
        self.sharpness += share * (sharpness - self.sharpness)
        self.edges = edges if self.edges is None else self.edges + np.float32(share) * (edges - self.edges)

    @property
    def is_known(self) -> bool:
        return self.learned_s >= LEARN_S


class HealthMonitor:
    """Checks a camera's frames twice a second, and reports when a fault begins and ends.

    While a picture is dark, neither focus nor position is judged; while it is out of focus, its position is not.
    """

    def __init__(self) -> None:
        self._looked_s: float | None = None
        self._before: Pixels | None = None
        self._frozen, self._dark = Debounce(FROZEN_S), Debounce(DARK_S)
        self._soft, self._moved = Debounce(SOFT_S), Debounce(ELSEWHERE_S)
        self._night: Debounce | None = None
        self._baselines = {True: Baseline(), False: Baseline()}  # by whether it is night
        self._moved_s = 0.0

    @property
    def faults(self) -> set[Fault]:
        """The current faults."""
        kept: dict[Fault, Debounce | None] = {
            "frozen": self._frozen,
            "dark": self._dark,
            "defocused": self._soft,
            "moved": self._moved,
            "night": self._night,
        }
        return {fault for fault, debounce in kept.items() if debounce is not None and debounce.present}

    def update(self, time_s: float, pixels: Pixels, colour: float) -> list[HealthChange]:
        """Take the next frame, and return the faults that begin or end.

        pixels: uint8 (C, H, W). colour: mean distance between a pixel's strongest and weakest channel, 0 to 255.
        """
        if self._looked_s is not None and time_s - self._looked_s < CHECK_S:
            return []
        step_s = 0.0 if self._looked_s is None else min(time_s - self._looked_s, 2 * CHECK_S)
        self._looked_s = time_s
        return list(self._look(time_s, step_s, pixels, colour))

    def _look(self, time_s: float, step_s: float, pixels: Pixels, colour: float) -> Iterator[HealthChange]:
        same = self._before is not None and np.array_equal(self._before, pixels)
        self._before = pixels
        if self._frozen.changes(same, time_s):
            description = f"no pixel has changed for {FROZEN_S:.0f} s" if same else "the picture moves again"
            yield HealthChange("frozen", same, description)
        grey = pixels.astype(np.float32).mean(axis=0)
        contrast = float(grey.std())
        dark = contrast < FLAT
        if self._dark.changes(dark, time_s):
            yield HealthChange("dark", dark, f"contrast {contrast:.1f} of 255")
        if dark or self._dark.present or same:
            return
        yield from self._look_for_night(time_s, colour)
        night = self._night is not None and self._night.present
        baseline = self._baselines[night]
        sharpness, edges = sharpness_of(grey), edges_of(grey)
        if not baseline.is_known or baseline.edges is None:
            baseline.learn(sharpness, edges, step_s)
            return
        share = sharpness / max(baseline.sharpness, 1e-9)
        soft = share < SOFT
        if self._soft.changes(soft, time_s):
            yield HealthChange("defocused", soft, f"sharpness is {share:.0%} of its usual value")
        likeness = edges_alike(baseline.edges, edges)
        elsewhere = likeness < ELSEWHERE
        if not soft and not self._soft.present:
            if self._moved.changes(elsewhere, time_s):
                self._moved_s = time_s
                yield HealthChange("moved", elsewhere, f"the picture's edges no longer match ({likeness:.2f} of 1)")
            if self._moved.present and time_s - self._moved_s > ADOPT_S:
                self._baselines[night], self._moved = Baseline(), Debounce(ELSEWHERE_S)
                yield HealthChange("moved", False, "the new view is the reference from now on")
                return
        if not soft and not elsewhere:
            baseline.learn(sharpness, edges, step_s)

    def _look_for_night(self, time_s: float, colour: float) -> Iterator[HealthChange]:
        if self._night is None:
            self._night = Debounce(NIGHT_S, present=colour < GREY)  # the first state is no change
        grey = colour < (COLOURED if self._night.present else GREY)
        if self._night.changes(grey, time_s):
            yield HealthChange("night", grey, f"colours differ by {colour:.1f} of 255")


def sharpness_of(grey: Map) -> float:
    """Return the share of contrast between neighbouring pixels, 0 for a flat picture. grey: (H, W)."""
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float(np.abs(grey[1:-1, 1:-1] - around / 4).mean() / (grey.std() + 1))


def edges_of(grey: Map) -> Map:
    """Return the strength of a picture's edges, (H, W) -> (H-1, W-1), compressed so that none dominates."""
    down, across = np.diff(grey, axis=0)[:, :-1], np.diff(grey, axis=1)[:-1]
    return np.sqrt(np.hypot(down, across)).astype(np.float32)


def edges_alike(baseline: Map, edges: Map) -> float:
    """Return how well edges match the baseline, -1 to 1: the median correlation of blocks that have edges."""
    found, strengths = [], []
    for rows in np.array_split(np.arange(len(baseline)), BLOCKS):
        for columns in np.array_split(np.arange(baseline.shape[1]), BLOCKS):
            block = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            expected, found_edges = baseline[block] - baseline[block].mean(), edges[block] - edges[block].mean()
            size = float(np.linalg.norm(expected))
            found.append(float((expected * found_edges).sum()) / max(size * float(np.linalg.norm(found_edges)), 1e-9))
            strengths.append(size / expected.size**0.5)
    enough = TEXTURED * float(np.median(strengths))
    return float(np.median([alike for alike, strength in zip(found, strengths, strict=True) if strength >= enough]))
