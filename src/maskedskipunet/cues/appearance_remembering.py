"""Adds more normal footage to the memory of an appearance cue, without training."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import torch

from maskedskipunet.cues.appearance import new_memory
from maskedskipunet.cues.learned_cue import LearnedCue
from maskedskipunet.data.sized_frame import SizedFrame
from maskedskipunet.detection.reading import Moment
from maskedskipunet.progress import Advance

if TYPE_CHECKING:
    from maskedskipunet.cues.appearance_cue import AppearanceCue

MAX_MOMENTS = 100_000  # frames that the memory looks at; of longer footage every n-th
TOGETHER = 128  # frames described at once


class AppearanceLearner:
    """Adds normal footage to the memory of an appearance cue, video by video. The cue itself stays unchanged.

    frames: the number of frames of all the footage, about; of many only every n-th is looked at.
    """

    def __init__(self, cue: "AppearanceCue", frames: int) -> None:
        self._cue = cue
        self._memory = cue.memory.copy()
        self._memory.capacity = max(self._memory.capacity, new_memory(cue.descriptor).capacity)
        self._moments = list(cue.moments)
        self._every = max(1, ceil(frames / MAX_MOMENTS))

    def add(self, name: str, frames: Iterable[SizedFrame], advance: Advance) -> None:
        """Add the frames of a video. name: of the video, for reasons. advance: called with 1 for each frame."""
        wanted = islice(_counted(frames, advance), 0, None, self._every)
        seen = (sized for sized in wanted if sized.pixels is not None)
        while part := list(islice(seen, TOGETHER)):
            pixels = np.stack([sized.pixels for sized in part if sized.pixels is not None])
            numbers = torch.arange(len(part)) + len(self._moments)
            self._memory.add(self._cue.descriptor(pixels), numbers)
            self._moments += [Moment(name, sized.frame.time_s) for sized in part]

    def finish(self) -> LearnedCue:
        """Return a cue that also knows the added footage."""
        return replace(self._cue, memory=self._memory, moments=self._moments)


def _counted(frames: Iterable[SizedFrame], advance: Advance) -> Iterator[SizedFrame]:
    for sized in frames:
        yield sized
        advance(1)
