"""Regions and tracks: RBDC and TBDC (Ramachandra and Jones, Street Scene, WACV 2020).

Boxes are (left, top, right, bottom), whole pixels of the source, ends included. A detection and a region of the ground
truth match where their boxes overlap by an IoU of at least BETA. At each threshold the matched regions are detected,
and a detection that matches no region is a false positive; one that matches a region already matched counts neither
way. A track counts as detected once at least ALPHA of its regions are. Each curve runs over false positives a frame,
from (0, 0) to one a frame, and its area is the figure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.boxes import TrackedBox
from maskedskipunet.evaluation.maps import Map, nearest

ALPHA = 0.1
BETA = 0.1
THRESHOLDS = 40
SHARES = (1e-6, 0.3)  # of all pixels that lie above the highest and the lowest threshold
_TOUCHING = np.ones((3, 3), np.int8)  # pixels that touch at a corner are of one region

Boxes = NDArray[np.int64]  # (N, 4)
_NO_BOXES = np.empty((0, 4), np.int64)


@dataclass(frozen=True, slots=True)
class FrameRegions:
    """Ground truth of one frame. boxes: (R, 4). tracks: (R,), numbers within the clip."""

    boxes: Boxes
    tracks: NDArray[np.int64]


def mask_regions(masks: Iterable[NDArray[np.bool_]]) -> list[FrameRegions]:
    """Return the regions of a clip's masks, frame by frame, for data sets with masks only.

    A region is a connected region of a mask, corners included. Regions of neighbouring frames that share a pixel
    belong to one track, so that objects which meet become one.
    """
    from scipy.ndimage import label

    parents: list[int] = []
    frames: list[tuple[Boxes, NDArray[np.int64]]] = []
    before, numbers_before = None, np.empty(0, np.int64)
    for mask in masks:
        labelled, count = label(mask, _TOUCHING)
        numbers = np.arange(len(parents), len(parents) + count)
        parents += numbers.tolist()
        if before is not None and count and len(numbers_before):
            both = (labelled > 0) & (before > 0)
            for old, new in np.unique(np.stack([before[both], labelled[both]]), axis=1).T.tolist():
                parents[_root(parents, int(numbers[new - 1]))] = _root(parents, int(numbers_before[old - 1]))
        frames.append((_boxes(labelled), numbers))
        before, numbers_before = labelled, numbers
    roots = np.array([_root(parents, index) for index in range(len(parents))], np.int64)
    tracks = np.unique(roots, return_inverse=True)[1].astype(np.int64)
    return [FrameRegions(boxes, tracks[numbers]) for boxes, numbers in frames]


def box_regions(boxes: Iterable[TrackedBox], frames: int) -> list[FrameRegions]:
    """Return the regions and tracks that a data set states itself, frame by frame.

    frames: of the clip. Tracks are numbered anew from 0.
    """
    by_frame: list[list[TrackedBox]] = [[] for _ in range(frames)]
    numbers: dict[int, int] = {}
    for box in boxes:
        numbers.setdefault(box.track, len(numbers))
        by_frame[box.frame].append(box)
    return [
        FrameRegions(
            np.array([(b.left_px, b.top_px, b.right_px, b.bottom_px) for b in found], np.int64).reshape(-1, 4),
            np.array([numbers[box.track] for box in found], np.int64),
        )
        for found in by_frame
    ]


def region_boxes(score_map: Map, threshold: int, height_px: int, width_px: int) -> Boxes:
    """Return boxes around all connected regions that reach the threshold, corners included, in pixels of the source.

    The published criteria ask for every region. The boxes that users see are `detection.boxes.map_boxes`: of a
    smoothed map, few, the strongest first.
    """
    from scipy.ndimage import label

    above = score_map >= threshold
    rows, columns = np.flatnonzero(above.any(axis=1)), np.flatnonzero(above.any(axis=0))
    if not len(rows):
        return _NO_BOXES
    labelled, _ = label(above[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], _TOUCHING)
    boxes = _boxes(labelled) + np.tile([columns[0], rows[0]], 2)
    across, down = nearest(score_map.shape[1], width_px), nearest(score_map.shape[0], height_px)
    scaled = np.stack(
        [
            np.searchsorted(across, boxes[:, 0]),
            np.searchsorted(down, boxes[:, 1]),
            np.searchsorted(across, boxes[:, 2], "right") - 1,
            np.searchsorted(down, boxes[:, 3], "right") - 1,
        ],
        axis=1,
    )
    return scaled[(scaled[:, 0] <= scaled[:, 2]) & (scaled[:, 1] <= scaled[:, 3])]  # larger than its source, a map


def overlaps(boxes: Boxes, others: Boxes) -> NDArray[np.float64]:
    """Return the IoU of each box with each other one, (N, M).

    >>> overlaps(np.array([[0, 0, 9, 9]]), np.array([[5, 0, 14, 9], [20, 20, 21, 21]])).round(3).tolist()
    [[0.333, 0.0]]
    """
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = np.clip(high - low + 1, 0, None).prod(axis=2)
    areas = [(some_boxes[:, 2:] - some_boxes[:, :2] + 1).prod(axis=1) for some_boxes in (boxes, others)]
    shares: NDArray[np.float64] = common / (areas[0][:, None] + areas[1][None] - common)
    return shares


def thresholds(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return falling thresholds, reached by shares of all pixels that grow by equal ratios. counts: pixels of each
    value.
    """
    reached = np.cumsum(counts[::-1])[::-1]
    shares = np.geomspace(*SHARES, THRESHOLDS)
    values = [int(np.flatnonzero(reached >= max(1, share * reached[0]))[-1]) for share in shares]
    return np.unique(values)[::-1]


class RegionCounts:
    """False positives and matches at each threshold, as clips come.

    steps: falling thresholds, (T,). frames: the number of frames to come; a threshold with more false positives than
    frames is irrelevant and dropped.
    """

    def __init__(self, steps: NDArray[np.int64], frames: int) -> None:
        self._steps = steps
        self._frames = frames
        self._regions = 0
        self._false_positives = np.zeros(len(steps), np.int64)
        self._matched = np.zeros(len(steps), np.int64)
        self._track_sizes = [np.empty(0, np.int64)]
        self._track_matches = [np.empty((len(steps), 0), np.int64)]

    def add_clip(
        self, regions: Sequence[FrameRegions], maps: Iterable[tuple[int, Map]], height_px: int, width_px: int
    ) -> None:
        """Add one clip: the regions of all its frames, and the map of each frame that has one, with its number."""
        tracks = max((int(frame.tracks.max()) + 1 for frame in regions if len(frame.tracks)), default=0)
        sizes = np.zeros(tracks, np.int64)
        matches = np.zeros((len(self._steps), tracks), np.int64)
        for number, score_map in maps:
            truth = regions[number]
            self._regions += len(truth.boxes)
            np.add.at(sizes, truth.tracks, 1)
            for step in np.flatnonzero(self._false_positives <= self._frames):
                boxes = region_boxes(score_map, int(self._steps[step]), height_px, width_px)
                hit = overlaps(boxes, truth.boxes) >= BETA
                matched = hit.any(axis=0)
                self._false_positives[step] += int((~hit.any(axis=1)).sum())
                self._matched[step] += int(matched.sum())
                np.add.at(matches[step], truth.tracks[matched], 1)
        self._track_sizes.append(sizes)
        self._track_matches.append(matches)

    def figures(self) -> dict[str, Any]:
        """Return rbdc and tbdc, None if there is no region, with their counts, ready for JSON."""
        sizes = np.concatenate(self._track_sizes)
        matches = np.concatenate(self._track_matches, axis=1)
        seen = sizes > 0  # others lie in frames without a map
        detected = matches[:, seen] / sizes[seen] >= ALPHA
        rates = self._false_positives / max(1, self._frames)
        return {
            "rbdc": area_to_one(rates, self._matched / self._regions) if self._regions else None,
            "tbdc": area_to_one(rates, detected.mean(axis=1)) if seen.any() else None,
            "regions": self._regions,
            "tracks": int(seen.sum()),
            "region_thresholds": len(self._steps),
        }


def area_to_one(false_positives: NDArray[np.float64], rates: NDArray[np.float64]) -> float:
    """Return the area under a rate over false positives per frame, from 0 to 1 of them.

    The curve starts at (0, 0), leaves out thresholds with more than one false positive a frame, is held flat from its
    last point on, and its points are joined by straight lines. Where a lower threshold joins regions to fewer and
    worse ones, the best rate at no more false positives stands.
    """
    kept = false_positives <= 1
    order = np.lexsort([rates[kept], false_positives[kept]])
    across = np.concatenate([[0.0], false_positives[kept][order], [1.0]])
    up = np.maximum.accumulate(np.concatenate([[0.0], rates[kept][order], [0.0]]))
    return float(np.trapezoid(up, across))


def _boxes(labelled: NDArray[np.int32]) -> Boxes:
    from scipy.ndimage import find_objects

    found = [(columns.start, rows.start, columns.stop - 1, rows.stop - 1) for rows, columns in find_objects(labelled)]
    return np.array(found, np.int64).reshape(-1, 4)


def _root(parents: list[int], index: int) -> int:
    while parents[index] != index:
        parents[index] = parents[parents[index]]
        index = parents[index]
    return index
