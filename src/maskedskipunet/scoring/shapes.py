"""Regions that are not looked at, a clock in the picture, a screen, a tree: their shapes, and the pixels they touch."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.errors import ConfigError, DataError

Mask = NDArray[np.bool_]  # (H, W), True if nothing is looked at
Point = tuple[float, float]  # x to the right, y down

LARGEST = 1_000_000.0  # pixels; no picture is as large
MAX_CORNERS = 1000  # of a polygon
PLACES = 6  # decimals that shapes are written with
MAX_EDGES = 4000  # between True and False along a mask's rows, two a box; one of more is taken more coarsely
_FEWEST_CORNERS = 3
_USE = "Use a box x,y,width,height, a polygon x,y x,y x,y, or a mask image; numbers in pixels, or all with %"


@dataclass(frozen=True)
class Region:
    """A polygon, filled where a ray from outside crosses its edges an odd number of times.

    corners: in pixels of the source, or in percent of its frames' width and height.
    """

    corners: tuple[Point, ...]
    in_percent: bool = False

    @classmethod
    def read(cls, text: str, where: str) -> "Region":
        """Return a box `x,y,width,height` or a polygon `x,y x,y x,y …`, in pixels, or in percent where every number has
        a %.

        where: who says so, for the error. Raises ConfigError for what is neither.

        >>> Region.read("10,20,30,5", "ignore").corners
        ((10.0, 20.0), (40.0, 20.0), (40.0, 25.0), (10.0, 25.0))
        """
        words = re.sub(r"\s*,\s*", ",", text.strip()).split()
        if len(words) > MAX_CORNERS:
            raise _malformed(text, f"has more than {MAX_CORNERS} corners", where)
        numbers = [_numbers(word, text, where) for word in words]
        in_percent = {is_percent for row in numbers for _, is_percent in row}
        if len(in_percent) > 1:
            raise _malformed(text, "mixes pixels and percent", where)
        points = [tuple(value for value, _ in row) for row in numbers]
        if len(points) == 1 and len(points[0]) == 4:
            x, y, width, height = points[0]
            if width <= 0 or height <= 0:
                raise _malformed(text, "has a width or height that is not above 0", where)
            points = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
        elif len(points) < _FEWEST_CORNERS or any(len(point) != 2 for point in points):
            raise _malformed(text, "is no shape", where)
        corners = tuple((point[0], point[1]) for point in points)
        if _is_line(corners):
            raise _malformed(text, "encloses nothing", where)
        return cls(corners, in_percent == {True})

    def __str__(self) -> str:
        """Return the region as text, as `read` takes it."""
        (left, top), *_, (right, bottom) = sorted(self.corners)
        if self._is_box:
            rows: Sequence[Sequence[float]] = [(left, top, right - left, bottom - top)]
        else:
            rows = self.corners
        sign = "%" if self.in_percent else ""
        return " ".join(",".join(f"{_plain(value)}{sign}" for value in row) for row in rows)

    def of_frames(self, height_px: int, width_px: int) -> "Region":
        """Return this region in percent, for frames of this size."""
        if self.in_percent:
            return self
        shares = ((100 * x / width_px, 100 * y / height_px) for x, y in self.corners)
        corners = tuple((round(x, PLACES), round(y, PLACES)) for x, y in shares)
        return Region(corners, in_percent=True)

    def mark(self, mask: Mask) -> bool:
        """Set every pixel that it touches in a mask of the frames' size; whether there is one."""
        height_px, width_px = mask.shape
        scale = (width_px / 100, height_px / 100) if self.in_percent else (1.0, 1.0)
        # A thousandth of a pixel is what writing and scaling may have moved a corner.
        corners = [(round(x * scale[0], 3), round(y * scale[1], 3)) for x, y in self.corners]
        left, right = min(x for x, _ in corners), max(x for x, _ in corners)
        top, bottom = min(y for _, y in corners), max(y for _, y in corners)
        rows = slice(max(0, floor(top)), min(height_px, ceil(bottom)))
        columns = slice(max(0, floor(left)), min(width_px, ceil(right)))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return False
        part = mask[rows, columns]
        if self._is_box:
            part[:] = True
            return True
        touched = _touched(np.array(corners) - (columns.start, rows.start), *part.shape)
        part |= touched
        return bool(touched.any())

    @property
    def _is_box(self) -> bool:
        """Return whether it is a rectangle along the axes, with its corners in order."""
        if len(self.corners) != 4:
            return False
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = self.corners
        return (ay == by and bx == cx and cy == dy and dx == ax) or (ax == bx and by == cy and cx == dx and dy == ay)


def is_shape(text: str) -> bool:
    """Return whether a text is a shape of numbers; otherwise it is the name of a mask image."""
    return re.fullmatch(r"[-+.,;%\d\s]*", text) is not None


def region_mask(regions: Sequence[Region], height_px: int, width_px: int) -> Mask:
    """Return the pixels that regions touch in frames of a size. Raises DataError for a region outside."""
    mask = np.zeros((height_px, width_px), np.bool_)
    for region in regions:
        if not region.mark(mask):
            raise DataError(f"{region} lies outside its frames of {width_px}x{height_px}", "ignore", "Mend the shape")
    return mask


def covering_boxes(mask: Mask) -> list[Region]:
    """Return boxes that together cover a mask's True pixels, in percent, so that they fit frames of any size.

    Exactly those pixels, but for a fine mask of very many pieces: it is covered more coarsely, never less.
    """
    while np.count_nonzero(np.diff(mask, axis=1, prepend=False)) > MAX_EDGES:
        mask = _coarser(_coarser(mask).T).T
    height_px, width_px = mask.shape
    boxes, begun = [], dict[tuple[int, int], int]()  # the row in which a run of columns began
    for row, line in enumerate([*mask, np.zeros(width_px, np.bool_)]):
        edges = np.flatnonzero(np.diff(line, prepend=False, append=False)).reshape(-1, 2)
        runs = {(left, right) for left, right in edges.tolist()}
        for left, right in sorted(begun.keys() - runs):
            top = begun.pop((left, right))
            corners = ((left, top), (right, top), (right, row), (left, row))
            boxes.append(Region(corners).of_frames(height_px, width_px))
        for run in runs:
            begun.setdefault(run, row)
    return boxes


def _coarser(mask: Mask) -> Mask:
    """Return a mask of half as many rows, each of which is True if a row that it has a part of is."""
    rows = len(mask)
    fewer = -(-rows // 2)
    first = np.arange(fewer) * rows // fewer
    last = -(-np.arange(1, fewer + 1) * rows // fewer) - 1
    return mask[first] | mask[np.minimum(first + 1, last)] | mask[last]


def _touched(corners: NDArray[np.float64], height_px: int, width_px: int) -> Mask:
    """Return the pixels that share more than an edge or a corner with a polygon's inside. corners: (N, 2), x and y."""
    centre_x, centre_y = np.arange(width_px) + 0.5, np.arange(height_px) + 0.5
    inside = np.zeros((height_px, width_px), np.bool_)
    crossed = np.zeros_like(inside)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if ay > by:
            ax, ay, bx, by = bx, by, ax, ay
        rows = np.flatnonzero((ay <= centre_y) & (centre_y < by))
        if len(rows):
            inside[rows] ^= centre_x >= (ax + (centre_y[rows] - ay) * (bx - ax) / (by - ay))[:, None]
        _cross(crossed, ax, ay, bx, by)
    return inside | crossed


def _cross(crossed: Mask, ax: float, ay: float, bx: float, by: float) -> None:
    """Mark the pixels that an edge goes through, downwards: in each row from where it enters to where it leaves."""
    height_px, width_px = crossed.shape
    for row in range(max(0, floor(ay)), min(height_px, ceil(by))):
        if by > ay:
            shares = [(min(max(y, ay), by) - ay) / (by - ay) for y in (row, row + 1)]
            ends = sorted(ax + share * (bx - ax) for share in shares)
        else:
            ends = sorted((ax, bx))
        crossed[row, max(0, floor(ends[0])) : min(width_px, max(0, ceil(ends[1])))] = True


def _numbers(word: str, text: str, where: str) -> list[tuple[float, bool]]:
    found = []
    for number in word.split(","):
        if not (match := re.fullmatch(r"([-+]?(?:\d+\.?\d*|\.\d+))(%?)", number)):
            raise _malformed(text, "is no shape", where)
        value = float(match[1])
        if not 0 <= value <= LARGEST:
            raise _malformed(text, f"holds {_plain(value)}, which is {'below 0' if value < 0 else 'too large'}", where)
        found.append((value, bool(match[2])))
    return found


def _is_line(corners: Sequence[Point]) -> bool:
    (ax, ay), *others = corners
    bx, by = max(others, key=lambda point: abs(point[0] - ax) + abs(point[1] - ay))
    return all((bx - ax) * (y - ay) == (by - ay) * (x - ax) for x, y in others)


def _plain(value: float) -> str:
    return f"{value:.{PLACES}f}".rstrip("0").rstrip(".")


def _malformed(text: str, fault: str, where: str) -> ConfigError:
    shown = text if len(text) <= 60 else f"{text[:59]}…"
    return ConfigError(f"{shown!r} {fault}", where, _USE)
