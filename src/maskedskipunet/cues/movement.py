"""Measures how fast and in which direction things move at each place, by dense optical flow between frames."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice, pairwise
from math import log, sqrt
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.tails import RAREST, Tails

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

Size = tuple[int, int]

HALF = 2  # flow is kept at half the picture's size
ALIKE = 0.1  # by so much, in the logarithm, shapes may differ that count as one
ENLARGED = 1.32  # times the network's pixels; 360x240 for 256x256
MAX_SQUEEZED = 4.0  # times, of a source that cues are still right for
STEP = 8  # pixels: a side of the picture that flow is looked for on is a multiple of these
LARGEST_PX = 16_384
TOGETHER = 32  # frames whose flow is looked for side by side
MAX_THREADS = 4
MEASURES = 2  # that a place's movement is judged by
DIRECTIONS = 4  # right, down, left, up
MOVES_PX = 0.25  # per frame: less is noise of the camera and of compression
MOVING_SHARE = 0.05  # of a window: less is a speck
FLOOR_PX = 0.05  # added to speeds before their logarithm
ROW_SAMPLES = 200  # moving windows that a row's own speeds count as much as all rows' together
ALLOWED_MARGIN = 0.15  # by which a speed may exceed one that people called normal
FRAME_SAMPLES = 50  # frames that normal footage is taken to be longer, where nothing ever moved


class MovementMeter:
    """Measures the speeds of one unbroken run of frames. The speeds of a frame are known one frame later.

    They are the mean of the flow from the frame before it and to the frame after it. picture_px: height and width of
    the picture that flow is computed on, see `square_pixels`; None for the grid's.
    """

    def __init__(self, grid: PlaceGrid, picture_px: Size | None = None) -> None:
        self._grid = grid
        self._picture_px = picture_px or (grid.height_px, grid.width_px)
        self._search = _FlowSearch()
        self._last: Pixels | None = None
        self._before: Floats | None = None

    def add(self, frames: Sequence[Pixels]) -> list[Floats | None]:
        """Add the next frames, each uint8 (C, H, W); return for each the speeds of the frame before it.

        Speeds are (directions, P); None for the first frame of a run, which has none before it.
        """
        pictures = [_resized(_grey(frame), self._picture_px) for frame in frames]
        pairs = [*pairwise(pictures if self._last is None else [self._last, *pictures])]
        self._last = pictures[-1] if pictures else self._last
        found: list[Floats | None] = [None] * (len(pictures) - len(pairs))
        for flow in self._search(pairs):
            now = self._of_places(flow)
            before, self._before = self._before, now
            found.append(self._speeds(now if before is None else (before + now) * np.float32(0.5)))
        return found

    def finish(self) -> Floats | None:
        """Return the speeds of the last frame; None if the run had only one frame."""
        before, self._before, self._last = self._before, None, None
        return None if before is None else self._speeds(before)

    def _of_places(self, flow: NDArray[Any]) -> Floats:
        """Return flow (h, w, 2) at half the size of the grid's picture, (2, H/2, W/2), in pixels of its own."""
        half = self._grid.height_px // HALF, self._grid.width_px // HALF
        return _resized(np.asarray(flow, np.float32), half).transpose(2, 0, 1)

    def _speeds(self, flow: Floats) -> Floats:
        """Return the speed in each window and direction, (directions, P), in pixels a frame. flow: (2, H/2, W/2).

        The mean over a window counts each pixel by its squared speed, so that a small fast thing is not lost in a
        large slow one; windows of which hardly anything moves fade out.
        """
        across, down = torch.from_numpy(np.ascontiguousarray(flow))
        parts = torch.stack([across, down, -across, -down]).clamp(min=0)[:, None]  # (directions, 1, H/2, W/2)
        moving = (torch.hypot(across, down) > MOVES_PX).float()[None, None]
        weight = parts**2 + 1e-6
        pool = self._grid.pooled
        speed = pool(parts * weight, HALF) / pool(weight, HALF)  # (directions, 1, rows, columns)
        speed *= (pool(moving, HALF) / MOVING_SHARE).clamp(max=1)
        return np.asarray(speed.reshape(DIRECTIONS, -1).numpy(), np.float32)


def square_pixels(grid: PlaceGrid, aspect_ratio: float | None) -> Size:
    """Return the size of a picture with the source's aspect ratio, a little larger than the network's picture.

    In a squeezed picture things move slower in one direction, and flow is less exact. aspect_ratio: width over height
    of the source; None if it is not known, which gives the grid's size.

    >>> square_pixels(PlaceGrid.of_size(256, 256), 360 / 240), square_pixels(PlaceGrid.of_size(64, 128), 2.0)
    ((240, 360), (64, 128))
    """
    own = grid.width_px / grid.height_px
    if aspect_ratio is None or abs(log(aspect_ratio / own)) < ALIKE:
        return grid.height_px, grid.width_px
    ratio = min(max(aspect_ratio, own / MAX_SQUEEZED), own * MAX_SQUEEZED)
    height = sqrt(ENLARGED * grid.height_px * grid.width_px / ratio)
    return STEP * max(1, round(height / STEP)), STEP * max(1, round(height * ratio / STEP))


def run_speeds(frames: Iterable[Pixels], grid: PlaceGrid, picture_px: Size | None = None) -> Iterator[Floats]:
    """Yield the speeds of each frame of an unbroken run, (directions, P); nothing for a run of one frame.

    picture_px: see `MovementMeter`.
    """
    meter, waiting = MovementMeter(grid, picture_px), iter(frames)
    while part := list(islice(waiting, TOGETHER)):
        yield from (speeds for speeds in meter.add(part) if speeds is not None)
    last = meter.finish()
    if last is not None:
        yield last


@dataclass(frozen=True)
class NormalMovement:
    """The movement in normal footage.

    moves: (directions, P), the share of normal frames in which something moves in that direction at a place of the same
    row. speeds: tails of the logarithm of speeds, by direction and row of places. passing: (P,), the speed that 99 % of
    what moves in the same row stays within, in any direction. allowed: (directions, P), speeds up to which nothing is
    surprising, because people called them normal there; None if nobody did. picture_px: height and width of the
    picture in whose pixels speeds are measured.
    All is learned by row, because a single place sees too little in hours to tell what may pass there.
    """

    grid: PlaceGrid
    moves: Floats
    speeds: Tails
    passing: Floats
    picture_px: Size
    allowed: Floats | None = None

    @classmethod
    def fit(cls, speeds: Floats, grid: PlaceGrid, picture_px: Size | None = None) -> "NormalMovement":
        """Learn what is normal from the speeds of normal frames, (N, directions, P)."""
        rows, columns = grid.shape
        by_row = speeds.reshape(len(speeds), DIRECTIONS, rows, columns)
        moving = by_row > MOVES_PX
        share = np.maximum(moving.mean(axis=(0, 3)), 1 / (len(speeds) + FRAME_SAMPLES))  # (directions, rows)
        logs = np.where(moving, np.log(by_row + FLOOR_PX), np.nan)
        every = Tails.fit(_some(logs).reshape(-1, 1))
        knots, scale = np.empty((len(every.knots), DIRECTIONS, rows)), np.empty((DIRECTIONS, rows))
        for direction in range(DIRECTIONS):
            for row in range(rows):
                found = _some(logs[:, direction, row])
                own = Tails.fit(found.reshape(-1, 1)) if len(found) else every
                weight = len(found) / (len(found) + ROW_SAMPLES)
                knots[:, direction, row] = (weight * own.knots + (1 - weight) * every.knots)[:, 0]
                scale[direction, row] = weight * own.scale[0] + (1 - weight) * every.scale[0]
        tails = Tails(_by_place(knots, columns), _by_place(scale, columns))
        moves = _by_place(share, columns).reshape(DIRECTIONS, -1)
        size = picture_px or (grid.height_px, grid.width_px)
        return cls(grid, moves, tails, _by_place(_passing(by_row), columns), size)

    def surprise(self, speeds: Floats) -> Floats:
        """Return how rare the speeds (..., directions, P) are in the strangest direction of each place, (..., P).

        The share of frames in which anything moves there is multiplied by the share of speeds as high.
        """
        return self._surprise(speeds, self._is_strange(speeds))

    def faster(self, speeds: Floats) -> Floats:
        """Return the speeds (..., directions, P), divided by what 99 % in the same row stay within, (..., P).

        It is 0 where nothing moves, and where people called such speeds normal.
        """
        return self._faster(speeds, self._is_strange(speeds))

    def measures(self, speeds: Floats) -> Floats:
        """Return `faster` and `surprise` of the speeds (..., directions, P), (..., 2, P)."""
        is_strange = self._is_strange(speeds)
        return np.stack([self._faster(speeds, is_strange), self._surprise(speeds, is_strange)], axis=-2)

    def _faster(self, speeds: Floats, is_strange: NDArray[np.bool_]) -> Floats:
        ratio = _magnitude(speeds) / np.maximum(self.passing, MOVES_PX)
        return np.where(is_strange.any(axis=-2), ratio, 0).astype(np.float32)

    def _surprise(self, speeds: Floats, is_strange: NDArray[np.bool_]) -> Floats:
        flat = speeds.reshape(*speeds.shape[:-2], -1)
        fast = self.speeds.surprise(np.log(flat + FLOOR_PX)).reshape(speeds.shape)
        found = np.where(is_strange, fast - np.log10(self.moves), 0.0)
        return np.asarray(np.minimum(found.max(axis=-2), RAREST), np.float32)

    def _is_strange(self, speeds: Floats) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = speeds > (MOVES_PX if self.allowed is None else np.maximum(self.allowed, MOVES_PX))
        return found

    def allowing(self, highest: Floats) -> "NormalMovement":
        """Return a copy that also allows speeds that people called normal. highest: (directions, P), 0 for none.

        A speed is allowed at its own place and the places next to it, which see the same things a little shifted.
        ALLOWED_MARGIN and the noise are added, because flow is never the same twice.
        """
        by_place = torch.from_numpy(np.ascontiguousarray(highest, np.float32)).reshape(1, DIRECTIONS, *self.grid.shape)
        around = F.max_pool2d(by_place, 3, stride=1, padding=1)[0]
        moves = around.amax(0) > MOVES_PX
        allowed = ((1 + ALLOWED_MARGIN) * around + MOVES_PX) * moves
        found = allowed.reshape(DIRECTIONS, -1).numpy()
        return replace(self, allowed=found if self.allowed is None else np.maximum(self.allowed, found))

    def arrays(self) -> dict[str, Floats]:
        """Return the arrays to store."""
        allowed = {} if self.allowed is None else {"movement.allowed": self.allowed}
        own = {"movement.moves": self.moves, "movement.passing": self.passing}
        own["movement.picture"] = np.array(self.picture_px, np.float32)
        return {**own, **self.speeds.arrays("movement.speeds"), **allowed}

    @classmethod
    def from_arrays(cls, grid: PlaceGrid, arrays: Mapping[str, Floats]) -> "NormalMovement":
        """Return the movement whose `arrays` were stored. Raises KeyError or ValueError for damaged ones."""
        moves, speeds = arrays["movement.moves"], Tails.from_arrays("movement.speeds", arrays)
        passing, allowed = arrays["movement.passing"], arrays.get("movement.allowed")
        if moves.shape != (DIRECTIONS, grid.count) or speeds.scale.shape != (DIRECTIONS * grid.count,):
            raise ValueError("movement of another grid")
        if passing.shape != (grid.count,) or not (np.isfinite(passing) & (passing > 0)).all():
            raise ValueError("movement holds values that are no speeds")
        if not ((moves > 0) & (moves <= 1)).all():
            raise ValueError("movement holds values that are no shares")
        if allowed is not None and (allowed.shape != moves.shape or not np.isfinite(allowed).all()):
            raise ValueError("the speeds that people called normal are of another grid or no numbers")
        picture = arrays.get(
            "movement.picture", np.array([grid.height_px, grid.width_px])
        )  # earlier models: the grid's
        if picture.shape != (2,) or not ((picture >= STEP) & (picture <= LARGEST_PX)).all():
            raise ValueError("movement of a picture that cannot be")
        return cls(grid, moves, speeds, passing, (int(picture[0]), int(picture[1])), allowed)


def _grey(frame: Pixels) -> Pixels:
    """Return the brightness of a frame, (H, W). frame: uint8 (C, H, W)."""
    if len(frame) == 1:
        return np.ascontiguousarray(frame[0])
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(frame.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY), np.uint8)


class _FlowSearch:
    """Finds flow between pictures of one size, several pairs side by side."""

    def __init__(self) -> None:
        # Each thread has its own, and so has each size: OpenCV's search keeps buffers, and the scales that it chose
        # for a small picture for the larger ones after it.
        self._of_thread = threading.local()

    def __call__(self, pairs: Sequence[tuple[Pixels, Pixels]]) -> Iterable[NDArray[Any]]:
        """Return the flow from the first to the second picture of each pair, (h, w, 2), in order."""
        threads = min(MAX_THREADS, torch.get_num_threads())
        return _threads(threads).map(self._flow, pairs) if min(threads, len(pairs)) > 1 else map(self._flow, pairs)

    def _flow(self, pair: tuple[Pixels, Pixels]) -> NDArray[Any]:
        if not hasattr(self._of_thread, "search"):
            self._of_thread.search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        found: NDArray[Any] = self._of_thread.search.calc(*pair, None)
        return found


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, "flow")


def _resized(picture: NDArray[Any], size_px: Size) -> NDArray[Any]:
    """Return a picture, (H, W) or (H, W, C), at another height and width."""
    if picture.shape[:2] == size_px:
        return picture
    return cv2.resize(picture, size_px[::-1], interpolation=cv2.INTER_AREA)


def _magnitude(speeds: Floats) -> Floats:
    """Return the speed whichever way, (..., directions, P) -> (..., P)."""
    found: Floats = np.sqrt((speeds**2).sum(axis=-2))
    return found


def _passing(by_row: Floats) -> NDArray[np.float64]:
    """Return what 99 % of what moves stays within: (N, directions, rows, columns) -> (rows,).

    Rows in which little moves go by all rows.
    """
    speeds = np.sqrt((by_row**2).sum(axis=1))  # (N, rows, columns)
    every = _high(speeds[speeds > MOVES_PX])
    rows = [row[row > MOVES_PX] for row in np.moveaxis(speeds, 1, 0)]
    weights = [len(row) / (len(row) + ROW_SAMPLES) for row in rows]
    own = [
        weight * np.log(_high(row)) + (1 - weight) * np.log(every) for row, weight in zip(rows, weights, strict=True)
    ]
    found: NDArray[np.float64] = np.exp(np.array(own))
    return found


def _high(speeds: Floats) -> float:
    return float(np.quantile(speeds, 0.99)) if len(speeds) else MOVES_PX


def _some(values: Floats) -> Floats:
    """Return the values that are numbers; where there is none, one that says that nothing moves."""
    found = values[~np.isnan(values)]
    return found if len(found) else np.full(1, np.log(MOVES_PX), np.float32)


def _by_place(values: NDArray[np.float64], columns: int) -> Floats:
    """Return values of rows, (..., directions, rows), for each of their places, (..., directions * P)."""
    repeated = np.repeat(values[..., None], columns, axis=-1)
    return repeated.reshape(*values.shape[:-2], -1).astype(np.float32)
