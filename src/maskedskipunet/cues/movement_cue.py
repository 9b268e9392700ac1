"""The movement cue: what moves faster, another way, or where nothing moves, compared with normal footage."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.cues.cue import CueScore, strange_centre
from maskedskipunet.cues.movement import MovementMeter, NormalMovement
from maskedskipunet.cues.tails import Tails, mean_of_strangest
from maskedskipunet.data.sized_frame import Mask, SizedFrame
from maskedskipunet.detection.fusing import fused
from maskedskipunet.detection.reading import MOVEMENT, CueReading

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class MovementCue:
    """Judges frames by how things move. normal: what moves where. frames: tails of frames' measures, (2,), each
    the mean of its strangest places.
    """

    normal: NormalMovement
    frames: Tails

    name = MOVEMENT
    late_frames = 1
    wants_images = False

    def start_run(self) -> "MovementRun":
        """Begin with a new unbroken run of frames."""
        return MovementRun(self)

    def judge(self, speeds: Floats | None, ignored: Mask | None = None) -> CueScore:
        """Return what the speeds of one frame, (directions, P), say of it. ignored: (H, W), where nothing
        is looked at.
        """
        if speeds is None:
            return CueScore(None)
        speeds = self.normal.grid.without(ignored, speeds)
        measures, grid = self.normal.measures(speeds), self.normal.grid
        places, score = self._fused(measures.T), float(self._fused(mean_of_strangest(measures)))
        strangest = int(places.argmax())
        ratio, centre = float(measures[0, strangest]), strange_centre(grid, places)
        reading = CueReading(score, grid.share_box(strangest), speed_ratio=ratio, centre=centre)
        return CueScore(score, places=places, reading=reading)

    def _fused(self, measures: Floats) -> Floats:
        """Return one surprise of both measures, (..., 2) -> (...)."""
        surprises = self.frames.surprise(measures)
        return fused([surprises[..., 0], surprises[..., 1]])


class MovementRun:
    """Follows one unbroken run of frames of one source."""

    def __init__(self, cue: MovementCue) -> None:
        self._cue = cue
        self._meter = MovementMeter(cue.normal.grid, cue.normal.picture_px)
        self._open: SizedFrame | None = None  # the frame that the meter holds and that is not judged yet

    def add(self, frames: Sequence[SizedFrame]) -> list[CueScore]:
        """Take the next frames and return the scores that are known by now: a frame waits for the one after it."""
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
