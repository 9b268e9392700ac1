"""Score curves as paths of SVG, so that a page draws them without a script."""

from dataclasses import dataclass
from itertools import pairwise
from math import isfinite

from maskedskipunet.records.curves import Curve

WIDTH, HEIGHT = 600.0, 100.0
ROOM_ABOVE = 1.15  # of the highest score or threshold


@dataclass(frozen=True)
class CurvePaths:
    """A curve from one time to another, in a box of WIDTH x HEIGHT.

    scores: the highest of each step, as a line; band: from the lowest to the highest; threshold: as a line, empty where
    there is none. top: the score at the upper edge. step_s: seconds that each point sums up.
    """

    start_unix_s: float
    end_unix_s: float
    scores: str
    band: str
    threshold: str
    top: float
    step_s: int

    def position(self, unix_s: float) -> float:
        """Return how far across a time lies."""
        share = (unix_s - self.start_unix_s) / (self.end_unix_s - self.start_unix_s)
        return round(WIDTH * min(max(share, 0.0), 1.0), 1)


def curve_paths(curve: Curve, start_unix_s: float, end_unix_s: float) -> CurvePaths | None:
    """Return the paths of a curve; None where it has no points."""
    if not len(curve):
        return None
    starts, lowest, highest = (getattr(curve, name).tolist() for name in ("start_unix_s", "lowest", "highest"))
    thresholds = [value if isfinite(value) else None for value in curve.threshold.tolist()]
    top: float = ROOM_ABOVE * max([*highest, *(value for value in thresholds if value is not None), 1e-9])
    across = [WIDTH * (unix_s + curve.step_s / 2 - start_unix_s) / (end_unix_s - start_unix_s) for unix_s in starts]
    breaks = {index for index in range(1, len(starts)) if starts[index] - starts[index - 1] > 3 * curve.step_s}

    def height(value: float) -> float:
        return HEIGHT * (1 - max(value, 0.0) / top)

    return CurvePaths(
        start_unix_s,
        end_unix_s,
        _line(across, [height(value) for value in highest], breaks),
        _band(across, [height(value) for value in lowest], [height(value) for value in highest], breaks),
        _line(across, [None if value is None else height(value) for value in thresholds], breaks),
        top,
        curve.step_s,
    )


def _line(across: list[float], down: "list[float] | list[float | None]", breaks: set[int]) -> str:
    parts, is_drawing = [], False
    for index, (x, y) in enumerate(zip(across, down, strict=True)):
        if y is None:
            is_drawing = False
            continue
        parts.append(f"{'L' if is_drawing and index not in breaks else 'M'}{x:.1f} {y:.1f}")
        is_drawing = True
    return "".join(parts)


def _band(across: list[float], low: list[float], high: list[float], breaks: set[int]) -> str:
    edges = [0, *sorted(breaks), len(across)]
    parts = []
    for first, last in pairwise(edges):
        ahead = [f"{across[index]:.1f} {high[index]:.1f}" for index in range(first, last)]
        back = [f"{across[index]:.1f} {low[index]:.1f}" for index in reversed(range(first, last))]
        parts.append(f"M{'L'.join([*ahead, *back])}Z")
    return "".join(parts)
