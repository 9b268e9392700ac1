"""The movement cue finds things that move faster than usual, in another direction, or where nothing moves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import ceil
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.cues.cue import CueScore, strange_centre
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.learned_cue import LearnedCue
from maskedskipunet.cues.movement import (
    DIRECTIONS,
    MEASURES,
    MovementMeter,
    NormalMovement,
    Size,
    run_speeds,
    square_pixels,
)
from maskedskipunet.cues.normal_footage import Halves, NormalVideo, count_good
from maskedskipunet.cues.tails import Tails, mean_of_strangest
from maskedskipunet.data.sized_frame import Mask, SizedFrame
from maskedskipunet.detection.fusing import fused
from maskedskipunet.detection.reading import MOVEMENT, CueReading
from maskedskipunet.progress import Advance

Floats = NDArray[np.float32]

SELDOM = 0.01  # share of normal frames with movement in a row of places, below which no speed is usual there

MOST_MOVEMENT = 20_000  # frames whose flow is looked at; of longer footage bursts spread evenly
BURST = 64  # neighbouring frames of one burst
_TAILS = "movement.frames"


@dataclass(frozen=True)
class MovementCue:
    """Judges frames by how things move.

    normal: the movement in normal footage. frames: tails of frames' measures, (2,), each the mean of its strangest
    places.
    """

    normal: NormalMovement
    frames: Tails

    name = MOVEMENT
    late_frames = 1
    early_frames = 1
    history_s = 0.0
    wants_images = False
    judges_looks = False
    needed_frames: ClassVar[int] = 2
    short_footage_fault: ClassVar[str] = ""

    @classmethod
    def count_looks(cls, halves: Halves) -> int:
        """Return the number of frames whose movement `learn` measures or skips."""
        return sum(count_good(half) for half in halves)

    @classmethod
    def learn(cls, halves: Halves, grid: PlaceGrid, aspect_ratio: float | None, advance: Advance) -> "MovementCue":
        """Learn the movement of normal footage; see `LearnedCue.learn`."""
        picture_px = square_pixels(grid, aspect_ratio)
        speeds = [_speeds(half, grid, picture_px, advance) for half in halves]
        learned = [NormalMovement.fit(found, grid) for found in speeds]
        found = [mean_of_strangest(learned[number].measures(of)) for number, of in zip((1, 0), speeds, strict=True)]
        normal = NormalMovement.fit(np.concatenate(speeds), grid, picture_px)
        return cls(normal, Tails.fit(np.concatenate(found)))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to store."""
        return {**self.normal.arrays(), **self.frames.arrays(_TAILS)}

    @classmethod
    def from_arrays(cls, grid: PlaceGrid, arrays: Mapping[str, NDArray[Any]]) -> "MovementCue":
        """Return the cue whose `arrays` were stored. Raises KeyError or ValueError for missing or damaged arrays."""
        return cls(NormalMovement.from_arrays(grid, arrays), Tails.from_arrays(_TAILS, arrays, MEASURES))

    def fits_channels(self, channels: int) -> bool:
        """Return True: movement is measured in grey pictures, which any frames give."""
        return True

    def start_answer(self, name: str) -> "MovementAnswer":
        """Begin to learn the speeds of a clip that a person called normal."""
        return MovementAnswer(self)

    def start_run(self) -> "MovementRun":
        """Begin a new unbroken run of frames."""
        return MovementRun(self)

    def judge(self, speeds: Floats | None, ignored: Mask | None = None) -> CueScore:
        """Judge one frame by its speeds.

        speeds: (directions, P); None if they are not known. ignored: (H, W), True for ignored pixels.
        """
        if speeds is None:
            return CueScore(None)
        speeds = self.normal.grid.without(ignored, speeds)
        measures, grid = self.normal.measures(speeds), self.normal.grid
        places, score = self._fused(measures.T), float(self._fused(mean_of_strangest(measures)))
        strangest = int(places.argmax())
        is_seldom = float(self.normal.moves[:, strangest].max()) < SELDOM
        ratio = None if is_seldom else float(measures[0, strangest])  # there is no usual speed where nothing passes
        centre = strange_centre(grid, places)
        reading = CueReading(score, grid.share_box(strangest), speed_ratio=ratio, centre=centre)
        return CueScore(score, places=places, reading=reading)

    def _fused(self, measures: Floats) -> Floats:
        """Return one surprise of both measures, (..., 2) -> (...)."""
        surprises = self.frames.surprise(measures)
        return fused([surprises[..., 0], surprises[..., 1]])


class MovementRun:
    """Judges one unbroken run of frames of one source."""

    def __init__(self, cue: MovementCue) -> None:
        self._cue = cue
        self._meter = MovementMeter(cue.normal.grid, cue.normal.picture_px)
        self._open: SizedFrame | None = None  # the frame that the meter holds and that is not judged yet

    def add(self, frames: Sequence[SizedFrame]) -> list[CueScore]:
        """Add the next frames and return the scores that are known by now: a frame waits for the one after it."""
        found: list[CueScore] = []
        for is_bad, group in groupby(frames, lambda sized: sized.pixels is None):
            if is_bad:
                found += [*self.finish(), *(CueScore(None) for _ in group)]
            else:
                found += self._judged(list(group))
        return found

    def _judged(self, frames: Sequence[SizedFrame]) -> list[CueScore]:
        speeds = self._meter.add([sized.pixels for sized in frames if sized.pixels is not None])
        before = [self._open, *frames[:-1]]
        self._open = frames[-1]
        pairs = zip(before, speeds, strict=True)
        return [self._cue.judge(found, sized.ignored) for sized, found in pairs if sized is not None]

    def finish(self) -> list[CueScore]:
        """Return the score of the last frame."""
        if self._open is None:
            return []
        last, self._open = self._open, None
        return [self._cue.judge(self._meter.finish(), last.ignored)]


class MovementAnswer:
    """Learns the speeds of a clip that a person called normal. The cue itself stays unchanged."""

    def __init__(self, cue: MovementCue) -> None:
        self._cue, grid = cue, cue.normal.grid
        self._meter = MovementMeter(grid, cue.normal.picture_px)
        self._highest = np.zeros((DIRECTIONS, grid.count), np.float32)  # speeds at each place and direction

    def add(self, frame: SizedFrame) -> None:
        """Learn the next frame; a frame without pixels is a break."""
        self._take(self._meter.finish() if frame.pixels is None else self._meter.add([frame.pixels])[0])

    def finish(self) -> LearnedCue:
        """Return a cue that allows the speeds of the clip."""
        self._take(self._meter.finish())
        return replace(self._cue, normal=self._cue.normal.allowing(self._highest))

    def _take(self, speeds: Floats | None) -> None:
        if speeds is not None:
            self._highest = np.maximum(self._highest, speeds)


def _speeds(videos: Sequence[NormalVideo], grid: PlaceGrid, picture_px: Size, advance: Advance) -> Floats:
    """Return speeds of frames spread over footage, (N, directions, P)."""
    count = sum(len(video.frames) for video in videos)
    every = max(1, ceil(count / MOST_MOVEMENT))
    found = []
    for video in videos:
        for run in video.runs():
            for first in range(0, len(run.frames), BURST * every if every > 1 else len(run.frames)):
                end = min(len(run.frames), first + BURST * every) if every > 1 else len(run.frames)
                burst = range(first, end if every == 1 else min(end, first + BURST))
                pixels = (run.pixels(slice(number, number + 1))[0] for number in burst)
                measured = run_speeds(pixels, grid, picture_px)
                found += [grid.without(run.ignored, speeds).astype(np.float16) for speeds in measured]
                advance(end - first)
    return np.stack(found).astype(np.float32)
