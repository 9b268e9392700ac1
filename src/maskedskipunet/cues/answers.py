"""What people called normal, taken into a model's cues at once, without training."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskedskipunet.cues.appearance import Descriptor
from maskedskipunet.cues.appearance_cue import AppearanceCue
from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.cues.memory import Memory
from maskedskipunet.cues.movement import DIRECTIONS, MovementMeter
from maskedskipunet.data.sized_frame import SizedFrame
from maskedskipunet.detection.reading import Moment
from maskedskipunet.errors import CalibrationError

Floats = NDArray[np.float32]

ANSWERED_BYTES = 64_000_000  # of moments that people called normal: they are never thinned out, so they are bounded
WITHIN = 0.5  # of a place's radius: a moment so near to an answered one adds nothing
TOGETHER = 64  # moments that are taken in at once


@dataclass(frozen=True)
class NormalMoments:
    """What the cues see of footage that a person called normal.

    vectors: (P, N, K), how its frames look. moments: which they are, (N,). highest: (directions, P), the highest speed
    at each place.
    """

    vectors: Tensor
    moments: Sequence[Moment]
    highest: Floats


def learn_answer(model: CueModel, name: str, frames: Iterable[SizedFrame]) -> CueModel:
    """Make a model's cues know footage that a person called normal; the model itself stays as it is.

    name: of the footage, which reasons of later alarms may refer to. frames: as the cues see them, in order.
    Raises CalibrationError where the memory holds all the answers that it can.
    """
    seen = _look(model, name, frames)
    movement, appearance = model.movement, model.appearance
    if movement is not None:
        movement = replace(movement, normal=movement.normal.allowing(seen.highest))
    if appearance is not None:
        appearance = _remembering(appearance, seen)
    return replace(model, movement=movement, appearance=appearance)


def _look(model: CueModel, name: str, frames: Iterable[SizedFrame]) -> NormalMoments:
    speeds = _HighestSpeeds(model)
    describe = None if model.appearance is None else model.appearance.descriptor
    vectors: list[Tensor] = []
    moments: list[Moment] = []
    waiting: list[NDArray[np.uint8]] = []
    for sized in frames:
        if model.movement is not None:
            speeds.add(sized)
        if describe is None or sized.pixels is None:
            continue
        waiting.append(sized.pixels)
        moments.append(Moment(name, sized.frame.time_s))
        if len(waiting) == TOGETHER:
            vectors.append(describe(np.stack(waiting)))
            waiting.clear()
    if describe is not None and waiting:
        vectors.append(describe(np.stack(waiting)))
    empty = torch.zeros(model.grid.count, 0, 1 if describe is None else describe.size)
    return NormalMoments(torch.cat(vectors, 1) if vectors else empty, moments, speeds.finish())


class _HighestSpeeds:
    """The highest speed at each place and direction over frames with breaks between them, (directions, P)."""

    def __init__(self, model: CueModel) -> None:
        size = None if model.movement is None else model.movement.normal.picture_px
        self._meter = MovementMeter(model.grid, size)
        self._highest = np.zeros((DIRECTIONS, model.grid.count), np.float32)

    def add(self, sized: SizedFrame) -> None:
        """Take the next frame; one without pixels is a break."""
        self._take(self._meter.finish() if sized.pixels is None else self._meter.add([sized.pixels])[0])

    def finish(self) -> Floats:
        """Take the last frame's speeds too, and return the highest of all."""
        self._take(self._meter.finish())
        return self._highest

    def _take(self, speeds: Floats | None) -> None:
        if speeds is not None:
            self._highest = np.maximum(self._highest, speeds)


def _remembering(cue: AppearanceCue, seen: NormalMoments) -> AppearanceCue:
    """Return an appearance cue that also knows these moments, at all places."""
    answered = _empty(cue.descriptor, cue.memory.radius) if cue.answered is None else cue.answered.copy()
    known = len(cue.moments)
    for first in range(0, len(seen.moments), TOGETHER):
        some = seen.vectors[:, first : first + TOGETHER]
        answered.capacity = int(answered.counts.max()) + some.shape[1]  # never so full that it would be thinned out
        answered.add(some, torch.arange(some.shape[1]) + known + first)
    if int(answered.counts.max()) > _most_answered(cue.descriptor):
        fault = "the model cannot remember more of what was answered as normal"
        raise CalibrationError(fault, seen.moments[0].video, "Use --by calibrate or --by train, or train again")
    return replace(cue, answered=answered, moments=[*cue.moments, *seen.moments])


def _empty(descriptor: Descriptor, radius: Tensor) -> Memory:
    return Memory(descriptor.grid.count, descriptor.size, 0, WITHIN * radius)


def _most_answered(descriptor: Descriptor) -> int:
    """Exemplars that a place may have."""
    return max(TOGETHER, ANSWERED_BYTES // (4 * descriptor.grid.count * descriptor.size))
