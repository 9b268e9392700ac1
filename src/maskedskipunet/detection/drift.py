"""Detects drift: what is normal has changed since the calibration, which is reported instead of alarm after alarm.

An event moves scores for seconds or minutes and is over; a new season, a moved lamp or a moved camera stays. So
footage is looked at in blocks of five minutes: of each, at each place of a coarse grid, the median over time of the
errors. Day, night and lamps move these figures in a few directions together; the calibration's blocks tell which. What
those directions do not explain, and what stays so over several blocks, is the departure.

Frame scores alone do not tell it: where other things lie on the bed, the middle score stays within the range of the
calibration's hours, and errors are other than they ever were in the corner where the bed is.

A model with an appearance cue knows more: how rare each place looks among all moments that it remembers, whatever the
light was. There the departure is the share of places that have looked rare over several blocks.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite, isnan
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.detection.events import Event, EventRule
from maskedskipunet.errors import ShapeError

BLOCK_S = 300.0
SAMPLE_S = 1.0  # between frames that are looked at: medians over minutes need no more
FEWEST_SAMPLES = 20  # of a block; fewer say nothing
FEWEST_BLOCKS = 24  # of a calibration: two hours
GRID = 8  # places along each side of a frame, where errors are judged
Measure = Literal["errors", "looks"]
ERRORS: Measure = "errors"
LOOKS: Measure = "looks"
STAYS, STAYS_AT_LEAST = 6, 3  # blocks that a departure is the middle of: half an hour, to begin with a quarter
# The following were chosen on calibration and verification hours of one day of one camera, by two networks: the
# verification hours departed at most 0.8 times as far as the limit, an hour two months before further than it.
FLOOR = 0.1  # of the mean error, added before logarithms are taken: of next to nothing a tenth more is no change
EXPLAINED = 0.99  # of the variance between the calibration's blocks, by the directions that are taken as ordinary
USUAL_SHARE, MARGIN = 0.8, 1.25  # the limit: what so much of the calibration keeps below when left out, and more
LOWEST_LIMIT = 0.1  # however steady the calibration: by less than a tenth nobody would call a place changed
RARE_LOOK, RARE_SHARE = 1.5, 0.05  # a place looks as one in 30 normal moments does; the least limit of such places
RELEASE_SHARE = 0.85  # of the limit, below which a drift is over
LONGEST_GROUP = 12  # blocks of the calibration, an hour, that are left out together to see how far they depart then

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Block:
    """Five minutes of footage. score: the median of frame scores. places: medians over time of each place, row by row:
    (GRID * GRID,) of its error, or (P,) of how rare it looks. start_s: of its first frame.
    """

    start_s: float
    score: float
    places: Floats


class Blocks:
    """Gathers frames into blocks as they come; keeps the samples of one block at most."""

    def __init__(self) -> None:
        self._start_s = self._sampled_s = float("-inf")
        self._scores: list[float] = []
        self._places: list[NDArray[np.float32]] = []

    def add(self, time_s: float, score: float | None, seen: NDArray[np.floating] | None) -> Block | None:
        """Add the next frame; return the block that was full before it, if enough of its frames were seen.

        seen: the score map, (h, w), at least GRID in each direction, or how rare each place looks, (P,); None where
        neither is known. A clock that jumps back begins a new block. Raises ShapeError for what is neither.
        """
        if not isfinite(time_s):
            return None
        block = None
        if not self._start_s <= time_s < self._start_s + BLOCK_S or time_s < self._sampled_s:
            if time_s >= self._start_s + BLOCK_S:
                block = self._block()
            self._start_s, self._sampled_s = time_s, float("-inf")
            self._scores, self._places = [], []
        if time_s - self._sampled_s >= SAMPLE_S and score is not None and not isnan(score) and seen is not None:
            places = seen.astype(np.float32) if seen.ndim == 1 else pooled(seen)
            if not self._places or len(places) == len(self._places[0]):
                self._sampled_s = time_s
                self._scores.append(score)
                self._places.append(places)
        return block

    def _block(self) -> Block | None:
        if len(self._scores) < FEWEST_SAMPLES:
            return None
        places = np.median(np.array(self._places, np.float64), axis=0)
        return Block(self._start_s, float(np.median(self._scores)), places)


def pooled(score_map: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the mean error of each place of the grid, (GRID * GRID,). Raises ShapeError for what has fewer pixels."""
    if score_map.ndim != 2 or min(score_map.shape) < GRID:
        raise ShapeError(f"a score map of shape {score_map.shape}", cure=f"Use (height, width), {GRID} at least")
    rows, columns = (np.arange(GRID + 1) * length // GRID for length in score_map.shape)
    sums = np.add.reduceat(np.add.reduceat(score_map, rows[:-1], axis=0), columns[:-1], axis=1)
    return (sums / np.outer(np.diff(rows), np.diff(columns))).ravel().astype(np.float32)


@dataclass(frozen=True)
class DriftReference:
    """The look of normal footage, by blocks of minutes of the calibration's footage.

    centre: (P,), the middle of the blocks: of errors' logarithms, floor added, or of how rare places look. ordinary:
    (K, P), the directions in which errors vary, at right angles to each other, of length 1; none of looks. limit: a
    departure that counts as drift. highest_usual: the highest median score of a block. blocks: how many it was learned
    from. measure: what is judged.
    Raises ValueError for figures that do not belong together.
    """

    floor: float
    centre: tuple[float, ...]
    ordinary: tuple[tuple[float, ...], ...]
    limit: float
    highest_usual: float
    blocks: int
    measure: Measure = ERRORS

    def __post_init__(self) -> None:
        figures = [self.floor, self.limit, self.highest_usual, *self.centre, *(x for row in self.ordinary for x in row)]
        places = GRID * GRID if self.measure == ERRORS else max(1, len(self.centre))
        if len(self.centre) != places or any(len(row) != places for row in self.ordinary):
            raise ValueError("figures of drift that do not belong together")
        if self.measure not in (ERRORS, LOOKS):
            raise ValueError(f"drift that is judged by {self.measure!r}")
        if not all(isfinite(figure) for figure in figures) or not (self.floor > 0 and self.limit > 0):
            raise ValueError("its figures of drift are no numbers above 0")

    @classmethod
    def of(cls, videos: Sequence[Sequence[Block]], measure: Measure = ERRORS) -> "DriftReference | None":
        """Learn from the blocks of normal videos, in order; None if there are too few to know what is ordinary."""
        blocks = [block for video in videos for block in video]
        if len(blocks) < FEWEST_BLOCKS:
            return None
        places = np.array([block.places for block in blocks])
        highest = max(block.score for block in blocks)
        if measure == LOOKS:
            apart = [
                departure
                for video in videos
                for departure in _departures(np.array([block.places for block in video]), _rare_share)
            ]
            limit = max(MARGIN * float(np.quantile(apart, USUAL_SHARE)), RARE_SHARE)
            return cls(1.0, tuple(np.median(places, axis=0).tolist()), (), limit, highest, len(blocks), LOOKS)
        floor = max(FLOOR * float(places.mean()), 1e-9)
        logs = np.log(places + floor)
        group = np.array(_groups([len(video) for video in videos]))
        apart = []
        for number in range(group[-1] + 1):
            centre, ordinary = _directions(logs[group != number])
            apart += _departures(_unexplained(logs[group == number], centre, ordinary), _root_mean_square)
        centre, ordinary = _directions(logs)
        limit = max(MARGIN * float(np.quantile(apart, USUAL_SHARE)), LOWEST_LIMIT)
        return cls(
            floor, tuple(centre.tolist()), tuple(map(tuple, ordinary.tolist())), limit, highest, len(blocks), ERRORS
        )

    def is_of(self, block: Block) -> bool:
        """Return whether the block's places are those of the reference."""
        return len(block.places) == len(self.centre)

    def unexplained(self, block: Block) -> Floats:
        """Return how each place departs from what is ordinary, (P,).

        Errors depart in logarithms, from what the ordinary directions explain; looks by how rare they are.
        """
        if self.measure == LOOKS:
            return block.places
        ordinary = np.array(self.ordinary).reshape(-1, len(self.centre))
        return _unexplained(np.log(block.places + self.floor), np.array(self.centre), ordinary)

    def departure(self, unexplained: Floats) -> float:
        """Return how far consecutive blocks depart in what lasts over them: (B, P) -> in units of limit."""
        return (_rare_share if self.measure == LOOKS else _root_mean_square)(np.median(unexplained, axis=0))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> "DriftReference":
        """Return the inverse of to_dict. Raises KeyError, TypeError or ValueError for anything else."""
        values = {
            field.name: described[field.name]
            for field in fields(cls)
            if field.name in described or field.name != "measure"
        }
        numbers = {name: float(values[name]) for name in ("floor", "limit", "highest_usual")}
        return cls(
            centre=tuple(map(float, values["centre"])),
            ordinary=tuple(tuple(map(float, row)) for row in values["ordinary"]),
            blocks=int(values["blocks"]),
            measure=values.get("measure", ERRORS),
            **numbers,
        )


@dataclass(frozen=True)
class DriftChange:
    """Drift begins or is over.

    time_s: when that is known. since_s: from when on it has been so, five minutes more or less. departure: how far it
    departs, limit: how far it may. usual: the median score there, highest_usual: the highest of five minutes of
    calibration. raised_by: what threshold and release level are raised by, 0 where it is over.
    """

    phase: Literal["begin", "end"]
    time_s: float
    since_s: float
    departure: float
    limit: float
    usual: float
    highest_usual: float
    raised_by: float

    def describe(self) -> str:
        """Describe the change in a sentence without a full stop."""
        if self.phase == "end":
            return f"drift has ended: the scene looks as it did at calibration again, since {clock_time(self.since_s)}"
        change = f"it departs {self.departure / self.limit:.1f} times as far as normal footage does"
        scores = f"the median score is {self.usual:.4f}, in calibration at most {self.highest_usual:.4f}"
        since = clock_time(self.since_s)
        raised = f"; the threshold is raised by {self.raised_by:.4f}" if self.raised_by else ""
        return f"drift: the scene has looked different from the calibration since {since} ({change}; {scores}{raised})"


class DriftWatch:
    """Watches one source for drift; memory does not grow.

    reference: of the model's calibration.
    """

    def __init__(self, reference: DriftReference) -> None:
        self.reference = reference
        self.raised_by = 0.0
        self.is_drifting = False
        self._blocks = Blocks()
        self._recent: deque[tuple[Block, Floats]] = deque(maxlen=STAYS)

    def take_over(self, reference: DriftReference) -> None:
        """Go by another calibration; a drift that lasts is over once the next minutes do not depart from that."""
        self.reference = reference
        known = [block for block, _ in self._recent if reference.is_of(block)]
        self._recent = deque(((block, reference.unexplained(block)) for block in known), maxlen=STAYS)
        self.raised_by = self._rise()

    def add(self, time_s: float, score: float | None, seen: NDArray[np.floating] | None = None) -> DriftChange | None:
        """Add the next frame; return the change if drift begins or ends with it.

        score: None where the frame has none. seen: as Blocks takes it; without it nothing is known of drift.
        """
        block = self._blocks.add(time_s, score, seen)
        if block is None or not self.reference.is_of(block):
            return None
        self._recent.append((block, self.reference.unexplained(block)))
        if len(self._recent) < STAYS_AT_LEAST:
            return None
        departure = self.reference.departure(np.array([unexplained for _, unexplained in self._recent]))
        limit, was_drifting = self.reference.limit, self.is_drifting
        self.is_drifting = departure > (RELEASE_SHARE * limit if was_drifting else limit)
        self.raised_by = self._rise()
        if was_drifting == self.is_drifting:
            return None
        return DriftChange(
            "begin" if self.is_drifting else "end",
            time_s,
            self._since_s(),
            departure,
            limit,
            self._usual(),
            self.reference.highest_usual,
            self.raised_by,
        )

    def _usual(self) -> float:
        return float(np.median([block.score for block, _ in self._recent]))

    def _rise(self) -> float:
        """Return how far the usual score has risen above the calibration's highest; 0 where there is no drift."""
        if not self.is_drifting or not self._recent:
            return 0.0
        return max(0.0, self._usual() - self.reference.highest_usual)

    def _since_s(self) -> float:
        """Return the time since which each block, by itself, has been as things are now."""
        since_s = self._recent[-1][0].start_s
        for block, unexplained in reversed(self._recent):
            departure = self.reference.departure(unexplained[None])
            if (departure > RELEASE_SHARE * self.reference.limit) != self.is_drifting:
                break
            since_s = block.start_s
        return since_s

    def rule(self, rule: EventRule) -> EventRule:
        """Return the rule that holds now: while drift lasts, levels are raised by as much as the usual
        score has risen.
        """
        if not self.raised_by:
            return rule
        return replace(rule, threshold=rule.threshold + self.raised_by, release=rule.release + self.raised_by)


def without_new_normal(events: Sequence[Event], changes: Sequence[DriftChange], rule: EventRule) -> list[Event]:
    """Return events in hindsight: those of the minutes before drift was known are judged by its raised threshold
    too.
    """
    begins = [change for change in changes if change.phase == "begin"]
    return [
        event
        for event in events
        if not any(
            change.since_s <= event.peak_s <= change.time_s and event.top_score < rule.threshold + change.raised_by
            for change in begins
        )
    ]


def clock_time(time_s: float) -> str:
    """
    >>> clock_time(605), clock_time(36000)
    ('0:10', '10:00')
    """
    minutes = int(time_s // 60)
    return f"{minutes // 60}:{minutes % 60:02}"


def _groups(lengths: Sequence[int]) -> list[int]:
    """Return the number of each block's group, of videos of so many blocks: an hour of one video, or short ones
    together.

    >>> _groups([3, 3, 14])
    [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2]
    """
    groups: list[int] = []
    number = filled = 0
    for length in lengths:
        for part in np.array_split(np.arange(length), -(-length // LONGEST_GROUP) or 1):
            if filled and filled + len(part) > LONGEST_GROUP:
                number, filled = number + 1, 0
            groups += [number] * len(part)
            filled += len(part)
    return groups


def _directions(logs: Floats) -> tuple[Floats, Floats]:
    """Return the centre, and the fewest directions from it that explain what is taken as ordinary."""
    centre = logs.mean(axis=0)
    _, sizes, directions = np.linalg.svd(logs - centre, full_matrices=False)
    total = float((sizes**2).sum())
    if total <= 1e-12:  # blocks that are all alike
        return centre, directions[:0]
    return centre, directions[: int(np.searchsorted(np.cumsum(sizes**2) / total, EXPLAINED)) + 1]


def _unexplained(logs: Floats, centre: Floats, ordinary: Floats) -> Floats:
    moved = logs - centre
    return moved - moved @ ordinary.T @ ordinary


def _departures(unexplained: Floats, size: Callable[[Floats], float]) -> list[float]:
    """Return the departures of blocks one after another, (B, P), as a watch would find them.

    size: measures the departure of what lasts over some of the blocks, (P,).
    """
    ends = range(min(STAYS_AT_LEAST, len(unexplained)), len(unexplained) + 1)
    return [size(np.median(unexplained[max(0, end - STAYS) : end], axis=0)) for end in ends if end]


def _root_mean_square(staying: Floats) -> float:
    return float(np.sqrt((staying**2).mean()))


def _rare_share(staying: Floats) -> float:
    return float((staying > RARE_LOOK).mean())
