"""The frames of one source that clips to come still need, each encoded once; and the scores of clips of any sources."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskedskipunet.clip_geometry import ClipGeometry
from maskedskipunet.data.sized_frame import Mask, SizedFrame
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.model.score import frame_score, score_map
from maskedskipunet.scoring.backend import Backend


@dataclass(frozen=True, slots=True)
class ScoreFunction:
    """A function that turns reconstructions into scores.

    map: (targets, reconstructions), (B, C, H, W) each, -> (B, H, W). score: (B, H, W) -> (B,).
    """

    map: Callable[[Tensor, Tensor], Tensor]
    score: Callable[[Tensor], Tensor]


PUBLISHED_SCORE = ScoreFunction(score_map, frame_score)


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """A frame's features, one row of each tensor; pixels and features are None if the frame had no pixels.

    is_copy: the rows are copies, which do not keep their whole batch in memory.
    """

    index: int
    time_s: float
    pixels: Tensor | None
    features: Sequence[Tensor] | None
    is_target: bool = True
    ignored: Mask | None = None
    is_copy: bool = False

    def copied(self) -> "EncodedFrame":
        """Return the frame with rows of its own."""
        if self.is_copy or self.pixels is None or self.features is None:
            return self
        rows = [level.clone() for level in self.features]
        return EncodedFrame(
            self.index, self.time_s, self.pixels.clone(), rows, self.is_target, self.ignored, is_copy=True
        )


@dataclass(frozen=True, slots=True)
class DueClips:
    """Clips that are complete now. held: consecutive frames. targets: positions of the clips' targets among them."""

    held: Sequence[EncodedFrame]
    targets: range


class ClipWindow:
    """Slides over the frames of one source and returns the clips that are complete.

    Each frame becomes due exactly once, in order, with or without a whole clip around it. Between calls the window
    holds at most the span of a clip.
    """

    def __init__(self, geometry: ClipGeometry) -> None:
        self._half_span = geometry.half_span
        self._held: list[EncodedFrame] = []
        self._next = 0  # the first frame held that was not due yet

    def add(self, encoded: Sequence[EncodedFrame]) -> DueClips:
        """Take the next frames of the source."""
        held = [*self._held, *encoded]
        ready = max(self._next, len(held) - self._half_span)
        passed = max(0, ready - self._half_span)
        self._held = [frame.copied() for frame in held[passed:]]
        due, self._next = DueClips(held, range(self._next, ready)), ready - passed
        return due

    def end(self) -> DueClips:
        """Return the remaining frames at the end of a source or at a gap; later frames begin anew."""
        due = DueClips(self._held, range(self._next, len(self._held)))
        self._held, self._next = [], 0
        return due


@torch.inference_mode()
def encode_frames(batch: Sequence[SizedFrame], backend: Backend) -> list[EncodedFrame]:
    """Encode frames of one source or several together; returns one EncodedFrame for each, in their order."""
    images = [sized.pixels for sized in batch if sized.pixels is not None]
    if not images:
        return [_without_pixels(sized) for sized in batch]
    stack = torch.from_numpy(np.stack(images)).to(backend.device).float() / 255  # (N, C, H, W)
    levels = backend.encode(stack)
    rows = iter(range(len(images)))
    encoded = []
    for sized in batch:
        if sized.pixels is None:
            encoded.append(_without_pixels(sized))
        else:
            row = next(rows)
            features = [level[row] for level in levels]
            frame = sized.frame
            encoded.append(
                EncodedFrame(frame.index, frame.time_s, stack[row], features, sized.is_target, sized.ignored)
            )
    return encoded


def _without_pixels(sized: SizedFrame) -> EncodedFrame:
    return EncodedFrame(sized.frame.index, sized.frame.time_s, None, None, sized.is_target)


@dataclass(frozen=True, slots=True)
class _Scored:
    """The result for the target frame of one clip. map, reconstruction: None if not asked for."""

    score: float | None = None
    map: NDArray[np.float32] | None = None
    reconstruction: NDArray[np.uint8] | None = None


@torch.inference_mode()
def score_clips(
    due: Sequence[DueClips],
    backend: Backend,
    geometry: ClipGeometry,
    *,
    with_maps: bool,
    function: ScoreFunction = PUBLISHED_SCORE,
) -> list[list[FrameScore]]:
    """Return the scores of all clips that are due, reconstructed together; for each DueClips its frames' scores in
    order.
    """
    runs = [(number, run) for number, clips in enumerate(due) for run in _runs(clips, geometry)]
    found: dict[tuple[int, int], _Scored] = {}
    if runs:
        # Neighbouring clips share the features of the frames that they share.
        features = [_stacked(due[number].held, run, geometry) for number, run in runs]
        targets = [due[number].held[target] for number, run in runs for target in run]
        pixels = torch.stack([frame.pixels for frame in targets if frame.pixels is not None])
        reconstructions = backend.reconstruct_runs(features, *pixels.shape[2:])
        maps = _without_ignored(function.map(pixels, reconstructions), [frame.ignored for frame in targets])
        scores = function.score(maps).tolist()
        rendered = (reconstructions * 255).round().byte().cpu().numpy() if with_maps else [None] * len(scores)
        shown = maps.float().cpu().numpy() if with_maps else [None] * len(scores)
        positions = [(number, target) for number, run in runs for target in run]
        scored = (_Scored(*values) for values in zip(scores, shown, rendered, strict=True))
        found = dict(zip(positions, scored, strict=True))
    return [
        [_frame_score(clips.held[target], found.get((number, target), _Scored())) for target in clips.targets]
        for number, clips in enumerate(due)
    ]


def _frame_score(frame: EncodedFrame, scored: _Scored) -> FrameScore:
    return FrameScore(frame.index, frame.time_s, scored.score, scored.map, scored.reconstruction)


def _without_ignored(maps: Tensor, ignored: Sequence[Mask | None]) -> Tensor:
    """Score maps, (N, H, W), that are 0 where their frames are ignored."""
    if all(mask is None for mask in ignored):
        return maps
    nothing = np.zeros(maps.shape[1:], np.bool_)
    masks = np.stack([nothing if mask is None else mask for mask in ignored])
    return maps.masked_fill(torch.from_numpy(masks).to(maps.device), 0.0)


def _stacked(held: Sequence[EncodedFrame], run: range, geometry: ClipGeometry) -> list[Tensor]:
    """Return the features of the frames that a run's clips are made of, one row a frame."""
    first, last = geometry.frames_of(run[0]), geometry.frames_of(run[-1])
    rows = [held[position].features for position in range(first.start, last.stop, geometry.spacing)]
    return [torch.stack(level) for level in zip(*(row for row in rows if row is not None), strict=True)]


def _runs(due: DueClips, geometry: ClipGeometry) -> Iterator[range]:
    """Yield the targets around which a whole clip of good frames stands.

    The clips of a run are neighbours: each begins one clip frame, `spacing` sampled frames, after the one before.
    """
    held = due.held
    for offset in range(min(geometry.spacing, len(due.targets))):
        targets = due.targets[offset :: geometry.spacing]
        is_whole = [held[target].is_target and _stands_whole(held, target, geometry) for target in targets]
        for whole, group in groupby(zip(is_whole, targets, strict=True), itemgetter(0)):
            if whole:
                run = [target for _, target in group]
                yield range(run[0], run[-1] + 1, geometry.spacing)


def _stands_whole(held: Sequence[EncodedFrame], target: int, geometry: ClipGeometry) -> bool:
    return geometry.is_inside(target, len(held)) and all(
        held[position].features is not None for position in geometry.frames_of(target)
    )
