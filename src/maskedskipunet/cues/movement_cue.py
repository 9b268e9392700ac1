"""The movement cue: what moves faster, another way, or where nothing moves, compared with normal footage."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.cues.cue import CueScore
from maskedskipunet.cues.movement import MovementMeter, NormalMovement
from maskedskipunet.cues.tails import Tails
from maskedskipunet.data.sized_frame import SizedFrame
from maskedskipunet.detection.reading import MOVEMENT, CueReading

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class MovementCue:
    """Judges frames by how things move. normal: what moves where. frames: tails of the frames' highest surprise."""

    normal: NormalMovement
    frames: Tails

    name = MOVEMENT
    late_frames = 1
    wants_images = False

    def start_run(self) -> "MovementRun":
        """Begin with a new unbroken run of frames."""
        return MovementRun(self)

    def judge(self, speeds: Floats | None) -> CueScore:
        """What the speeds of one frame, (directions, P), say of it."""
        if speeds is None:
            return CueScore(None)
        places = self.normal.surprise(speeds)
        strangest = int(places.argmax())
        scores = self.frames.surprise(places[:, None])[:, 0]
        score = float(scores[strangest])
        grid = self.normal.grid
        ratio = self.normal.speed_ratio(speeds, strangest)
        return CueScore(score, places=scores, reading=CueReading(score, grid.share_box(strangest), speed_ratio=ratio))


class MovementRun:
    """Follows one unbroken run of frames of one source."""

    def __init__(self, cue: MovementCue) -> None:
        self._cue = cue
        self._meter = MovementMeter(cue.normal.grid)
        self._is_open = False  # whether the meter holds a frame that is not judged yet

    def add(self, frames: Sequence[SizedFrame]) -> list[CueScore]:
        """Take the next frames and return the scores that are known by now: a frame waits for the one after it."""
        found = []
        for sized in frames:
            if sized.pixels is None:
                found += self.finish()
                found.append(CueScore(None))
                continue
            speeds = self._meter.add(sized.pixels)
            if self._is_open:
                found.append(self._cue.judge(speeds))
            self._is_open = True
        return found

    def finish(self) -> list[CueScore]:
        """Return the score of the last frame."""
        if not self._is_open:
            return []
        self._is_open = False
        return [self._cue.judge(self._meter.finish())]
