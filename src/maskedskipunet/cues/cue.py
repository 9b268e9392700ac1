"""What judges frames beside the network: it sees the same frames in the same turn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.data.sized_frame import SizedFrame
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.detection.reading import CueReading

Floats = NDArray[np.float32]

STRANGE = 2.0  # surprise from which on a place counts as strange


@dataclass(frozen=True, slots=True)
class CueScore:
    """What one cue says of one frame.

    score: higher is more anomalous; None where the cue cannot judge the frame. map: float32 (H, W), at the network's
    size; None where there is none. places: (P,), what it says of each place of its grid, in the units of its score,
    where a map is made of that. reading: what a reason can be told from. looks: (P,), how rare each place looks by
    itself, where the cue judges looks.
    """

    score: float | None
    map: Floats | None = None
    places: Floats | None = None
    reading: CueReading | None = None
    looks: Floats | None = None


def strange_centre(grid: PlaceGrid, places: Floats) -> tuple[float, float] | None:
    """Return the centre of all strange places of a frame, weighted by how strange they are, (P,); None without any."""
    strange = np.maximum(places - STRANGE, 0)
    return grid.centre_of(strange) if strange.any() else None


class CueRun(Protocol):
    """Follows one unbroken run of frames of one source, in order. Its memory is bounded."""

    def add(self, frames: Sequence[SizedFrame]) -> Sequence[CueScore]:
        """Take the next frames, and return in order the scores of all frames that can be judged by now.

        A frame without pixels was bad or left out; it gets a CueScore too, without a score.
        """
        ...

    def finish(self) -> Sequence[CueScore]:
        """The run has ended; return the scores of the frames that are left over."""
        ...


class Cue(Protocol):
    """A way to judge frames that runs beside the network. One object serves all sources."""

    @property
    def name(self) -> str:
        """Its name in `FrameScore.cues`."""
        ...

    @property
    def late_frames(self) -> int:
        """How many frames after a frame its score waits for at most."""
        ...

    @property
    def wants_images(self) -> bool:
        """Whether it looks at the source's own picture, `SizedFrame.frame.image`, where there is one."""
        ...

    def start_run(self) -> CueRun:
        """Begin with a new unbroken run of frames."""
        ...


Fuse = Callable[[FrameScore, Mapping[str, CueScore]], FrameScore]
"""Makes one score and one map of what the network and the cues, by their names, say of a frame."""


def keep_network_score(frame: FrameScore, cues: Mapping[str, CueScore]) -> FrameScore:
    """Keep the network's score and map, and add the score of each cue."""
    return replace(frame, cues={name: cue.score for name, cue in cues.items() if cue.score is not None})


def take_first_cue(frame: FrameScore, cues: Mapping[str, CueScore]) -> FrameScore:
    """Take score and map of the first cue that has one: for a model without a network."""
    found = next((cue for cue in cues.values() if cue.score is not None), CueScore(None))
    return replace(keep_network_score(frame, cues), score=found.score, map=found.map)
