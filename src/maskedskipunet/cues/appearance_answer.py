"""Moments that people called normal, taken into the memory of an appearance cue."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from maskedskipunet.cues.appearance import Descriptor
from maskedskipunet.cues.learned_cue import LearnedCue
from maskedskipunet.cues.memory import Memory
from maskedskipunet.data.sized_frame import SizedFrame
from maskedskipunet.detection.reading import Moment
from maskedskipunet.errors import CalibrationError

if TYPE_CHECKING:
    from maskedskipunet.cues.appearance_cue import AppearanceCue

ANSWERED_BYTES = 64_000_000  # of moments that people called normal: they are never thinned out, so they are bounded
WITHIN = 0.5  # of a place's radius: a moment so near to an answered one adds nothing
TOGETHER = 64  # moments that are taken in at once


class AppearanceAnswer:
    """Learns how a clip looks that a person called normal, at all places. The cue itself stays unchanged."""

    def __init__(self, cue: "AppearanceCue", name: str) -> None:
        self._cue, self._name = cue, name
        self._answered = _empty(cue.descriptor, cue.memory) if cue.answered is None else cue.answered.copy()
        self._moments = list(cue.moments)
        self._waiting: list[NDArray[np.uint8]] = []

    def add(self, frame: SizedFrame) -> None:
        """Learn the next frame; a frame without pixels teaches nothing."""
        if frame.pixels is None:
            return
        self._waiting.append(frame.pixels)
        self._moments.append(Moment(self._name, frame.frame.time_s))
        if len(self._waiting) == TOGETHER:
            self._take_waiting()

    def finish(self) -> LearnedCue:
        """Return a cue that knows the clip. Raises CalibrationError if its memory of answers is full."""
        if self._waiting:
            self._take_waiting()
        if int(self._answered.counts.max()) > _most_answered(self._cue.descriptor):
            fault = "the model cannot remember more of what was answered as normal"
            raise CalibrationError(fault, self._name, "Use --by calibrate or --by train, or train again")
        return replace(self._cue, answered=self._answered, moments=self._moments)

    def _take_waiting(self) -> None:
        vectors = self._cue.descriptor(np.stack(self._waiting))
        numbers = torch.arange(len(self._waiting)) + len(self._moments) - len(self._waiting)
        self._answered.capacity = int(self._answered.counts.max()) + len(numbers)  # so that nothing is thinned out
        self._answered.add(vectors, numbers)
        self._waiting.clear()


def _empty(descriptor: Descriptor, memory: Memory) -> Memory:
    return Memory(descriptor.grid.count, descriptor.size, 0, WITHIN * memory.radius)


def _most_answered(descriptor: Descriptor) -> int:
    """Return the number of exemplars that a place may have."""
    return max(TOGETHER, ANSWERED_BYTES // (4 * descriptor.grid.count * descriptor.size))
