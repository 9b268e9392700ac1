"""The interface of cues, which judge frames beside the network."""

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
    """The result of one cue for one frame.

    score: higher is more anomalous; None if the cue cannot judge the frame. map: float32 (H, W), at the network's
    size; None if there is none. places: (P,), the score of each place of the grid, in the units of `score`, from which
    a map is made. reading: the numbers that a reason is described from. looks: (P,), how rare each place looks by
    itself, from a cue that judges looks.
    """

    score: float | None
    map: Floats | None = None
    places: Floats | None = None
    reading: CueReading | None = None
    looks: Floats | None = None


def strange_centre(grid: PlaceGrid, places: Floats) -> tuple[float, float] | None:
    """Return the centre of all strange places of a frame; None if no place is strange.

    places: (P,), the scores of places, by which the centre is weighted.
    """
    strange = np.maximum(places - STRANGE, 0)
    return grid.centre_of(strange) if strange.any() else None


class CueRun(Protocol):
    """Judges one unbroken run of frames of one source, in order. Its memory is bounded."""

    def add(self, frames: Sequence[SizedFrame]) -> Sequence[CueScore]:
        """Add the next frames, and return in order the scores of all frames that can be judged by now.

        A frame without pixels was bad or skipped; its CueScore has no score.
        """
        ...

    def finish(self) -> Sequence[CueScore]:
        """End the run, and return the scores of the remaining frames."""
        ...


class Cue(Protocol):
    """Judges frames beside the network. One object serves all sources."""

    @property
    def name(self) -> str:
        """The key of its scores in `FrameScore.cues`."""
        ...

    @property
    def late_frames(self) -> int:
        """The number of frames after a frame that its score depends on, at most."""
        ...

    @property
    def early_frames(self) -> int:
        """The number of frames before a frame that its score depends on, at most, besides those of `history_s`."""
        ...

    @property
    def history_s(self) -> float:
        """The seconds of a run before a frame that its score depends on: a run that begins earlier gives the same."""
        ...

    @property
    def wants_images(self) -> bool:
        """It needs the source's own picture, `SizedFrame.frame.image`, if there is one."""
        ...

    @property
    def judges_looks(self) -> bool:
        """It gives `CueScore.looks`, which drift is then measured by."""
        ...

    def start_run(self) -> CueRun:
        """Begin a new unbroken run of frames."""
        ...


Fuse = Callable[[FrameScore, Mapping[str, CueScore]], FrameScore]
"""Fuses the network's frame score with the results of the cues, by name, into one score and one map."""


def keep_network_score(frame: FrameScore, cues: Mapping[str, CueScore]) -> FrameScore:
    """Return the frame with the network's score and map, and with the score of each cue."""
    return replace(frame, cues={name: cue.score for name, cue in cues.items() if cue.score is not None})


def take_first_cue(frame: FrameScore, cues: Mapping[str, CueScore]) -> FrameScore:
    """Return the frame with the score and map of the first cue that has a score: for a model without a network."""
    found = next((cue for cue in cues.values() if cue.score is not None), CueScore(None))
    return replace(keep_network_score(frame, cues), score=found.score, map=found.map)
