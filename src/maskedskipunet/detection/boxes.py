"""Boxes around what is anomalous in a frame, as users see them."""

from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.errors import ShapeError

Box = tuple[int, int, int, int]  # x, y, width, height

SMOOTHED_PX = 5  # single pixels are noise; a patch that makes a frame's score is 16 wide
SPECK_PX = 12
TOUCHING = np.ones((3, 3), np.int8)  # corners included


def map_boxes(
    score_map: NDArray[np.floating], level: float, *, height_px: int, width_px: int, limit: int = 8
) -> tuple[Box, ...]:
    """Return boxes around the connected regions at or above a level, the strongest first.

    score_map: (h, w), at the network's size. level: of a pixel; an event's release level fits, for a frame's score is
    the mean of a patch of pixels. height_px, width_px: of the source, whose pixels the boxes are in. Specks are left
    out, unless there is nothing else, and what lies within a larger box. Raises ShapeError for what is no map.
    """
    from scipy.ndimage import find_objects, label, sum_labels, uniform_filter

    if score_map.ndim != 2 or not score_map.size:
        raise ShapeError(f"a score map of shape {score_map.shape}", cure="Use (height, width)")
    smooth = uniform_filter(score_map.astype(np.float64), SMOOTHED_PX, mode="nearest")
    labelled, count = label(smooth >= level, TOUCHING)
    if not count:
        return ()
    numbers = np.arange(1, count + 1)
    sizes = np.bincount(labelled.ravel())[1:]
    excess = sum_labels(smooth - level, labelled, numbers)
    order = sorted(range(count), key=lambda number: -excess[number])
    kept = [number for number in order if sizes[number] >= SPECK_PX] or order[:1]
    found = find_objects(labelled)
    boxes = dict.fromkeys(_box(found[number], score_map.shape, height_px, width_px) for number in kept)
    outermost = (box for box in boxes if not any(box != other and _lies_within(box, other) for other in boxes))
    return tuple(islice(outermost, limit))  # a noisy map has hundreds of boxes, each compared with all


def _box(slices: tuple[slice, slice], shape: Sequence[int], height_px: int, width_px: int) -> Box:
    """Return a box in pixels of the source, of one pixel at least."""
    rows, columns = slices
    top, bottom = rows.start * height_px // shape[0], -(-rows.stop * height_px // shape[0])
    left, right = columns.start * width_px // shape[1], -(-columns.stop * width_px // shape[1])
    return left, top, right - left, bottom - top


def _lies_within(box: Box, other: Box) -> bool:
    x, y, width, height = box
    left, top, wide, high = other
    return left <= x and top <= y and x + width <= left + wide and y + height <= top + high
