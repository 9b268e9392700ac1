"""Adds more normal footage to the memory of an appearance cue, without training."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from maskedskipunet.cues.appearance import new_memory
from maskedskipunet.cues.appearance_learning import LearnedAppearance, every_nth
from maskedskipunet.cues.learned_cue import LearnedCue
from maskedskipunet.data.sized_frame import SizedFrame
from maskedskipunet.progress import Advance

if TYPE_CHECKING:
    from maskedskipunet.cues.appearance_cue import AppearanceCue

TOGETHER = 128  # frames described at once


class AppearanceLearner:
    """Adds normal footage to the memory of an appearance cue, video by video. The cue itself stays unchanged.

    frames: the number of frames of all the footage, about; of many only every n-th is looked at.
    """

    def __init__(self, cue: "AppearanceCue", frames: int) -> None:
        self._cue = cue
        memory = cue.memory.copy()
        memory.capacity = max(memory.capacity, new_memory(cue.descriptor).capacity)
        self._learned = LearnedAppearance(cue.descriptor, memory, list(cue.moments))
        self._every = every_nth(frames)

    def add(self, name: str, frames: Iterable[SizedFrame], advance: Advance) -> None:
        """Add the frames of a video. name: of the video, for reasons. advance: called with 1 for each frame."""
        wanted = islice(_counted(frames, advance), 0, None, self._every)
        seen = (sized for sized in wanted if sized.pixels is not None)
        while part := list(islice(seen, TOGETHER)):
            pixels = np.stack([sized.pixels for sized in part if sized.pixels is not None])
            self._learned.add_frames(name, pixels, [sized.frame.time_s for sized in part])

    def finish(self) -> LearnedCue:
        """Return a cue that also knows the added footage."""
        return replace(self._cue, memory=self._learned.memory, moments=self._learned.moments)


def _counted(frames: Iterable[SizedFrame], advance: Advance) -> Iterator[SizedFrame]:
    for sized in frames:
        yield sized
        advance(1)
