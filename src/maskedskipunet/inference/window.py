"""The frames of one source that clips to come still need, each encoded once; and the scores of clips of any sources."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, islice, pairwise
from operator import itemgetter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskedskipunet.data.frames import Frame
from maskedskipunet.data.ignoring import painted
from maskedskipunet.inference.prepare import PreparedNetwork
from maskedskipunet.model.score import frame_score, score_map

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FrameScore:
    """How anomalous one frame is.

    index, time_s: of the frame. score: higher is more anomalous; None where no clip is centred on it: at the
    first and last (T-1)/2 frames, and beside a bad frame. map: float32 (H, W), the score map at the network's
    size, and reconstruction: uint8 (C, H, W), both None where not asked for or where there is no score.
    """

    index: int
    time_s: float
    score: float | None
    map: NDArray[np.float32] | None = None
    reconstruction: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class SizedFrame:
    """A frame, whose own image is not needed any more, and its pixels as the network sees them.

    pixels: uint8 (C, H, W); None for a bad frame, or one that no clip is wanted of. is_target: whether the clip
    centred on it is wanted. ignored: (H, W), where nothing is looked at; None for nowhere.
    """

    frame: Frame
    pixels: Pixels | None
    is_target: bool = True
    ignored: Mask | None = None

    @classmethod
    def ignoring(cls, frame: Frame, pixels: Pixels, ignored: Mask | None, *, is_target: bool = True) -> "SizedFrame":
        """With pixels that are grey where they are ignored."""
        return cls(frame, pixels if ignored is None else painted(pixels, ignored), is_target, ignored)


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """A frame and its features, one row of each tensor; pixels and features are None where there were no pixels.

    alone: whether the rows are copies, which do not keep their whole batch in memory.
    """

    frame: Frame
    pixels: Tensor | None
    features: Sequence[Tensor] | None
    is_target: bool = True
    ignored: Mask | None = None
    alone: bool = False

    def by_itself(self) -> "EncodedFrame":
        if self.alone or self.pixels is None or self.features is None:
            return self
        rows = [level.clone() for level in self.features]
        return EncodedFrame(self.frame, self.pixels.clone(), rows, self.is_target, self.ignored, alone=True)


@dataclass(frozen=True, slots=True)
class DueClips:
    """Clips whose last frame has come. held: frames in a row. centres: places among them, the clips' target frames."""

    held: Sequence[EncodedFrame]
    centres: range


class ClipWindow:
    """Slides over the frames of one source and says of which target frames the clips are due.

    Each frame becomes due exactly once, in order, whether or not a clip is whole around it.
    """

    def __init__(self, clip_length: int) -> None:
        self._half = clip_length // 2
        self._held: list[EncodedFrame] = []
        self._next = 0  # the first frame held that was not due yet

    def add(self, encoded: Sequence[EncodedFrame]) -> DueClips:
        """The next frames of the source."""
        held = [*self._held, *encoded]
        ready = max(self._next, len(held) - self._half)
        passed = max(0, ready - self._half)
        self._held = [one.by_itself() for one in held[passed:]]
        due, self._next = DueClips(held, range(self._next, ready)), ready - passed
        return due

    def end(self) -> DueClips:
        """The frames left over where the source ends or breaks off; what comes next is a new beginning."""
        due = DueClips(self._held, range(self._next, len(self._held)))
        self._held, self._next = [], 0
        return due


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Neighbouring frames that came of one source, for its window.

    broken: whether they are no neighbours of what came before, whose last clips are due then.
    """

    window: ClipWindow
    frames: Sequence[SizedFrame]
    broken: bool = False


def score_arrivals(
    arrivals: Sequence[Arrivals], network: PreparedNetwork, *, with_maps: bool
) -> list[list[FrameScore]]:
    """Encode what came of several sources together, and score the clips that are due; for each Arrivals its scores."""
    encoded = iter(encode_frames([sized for came in arrivals for sized in came.frames], network))
    due: list[tuple[int, DueClips]] = []
    for at, came in enumerate(arrivals):
        if came.broken:
            due.append((at, came.window.end()))
        due.append((at, came.window.add(list(islice(encoded, len(came.frames))))))
    found: list[list[FrameScore]] = [[] for _ in arrivals]
    scores = score_clips([clips for _, clips in due], network, with_maps=with_maps)
    for (at, _), part in zip(due, scores, strict=True):
        found[at] += part
    return found


@torch.inference_mode()
def encode_frames(batch: Sequence[SizedFrame], network: PreparedNetwork) -> list[EncodedFrame]:
    """Encode frames of one source or several together; one EncodedFrame for each, in their order."""
    images = [sized.pixels for sized in batch if sized.pixels is not None]
    if not images:
        return [EncodedFrame(sized.frame, None, None, sized.is_target) for sized in batch]
    stack = torch.from_numpy(np.stack(images)).to(network.device).float() / 255  # (N, C, H, W)
    levels = network.encode(stack)
    rows = iter(range(len(images)))
    encoded = []
    for sized in batch:
        if sized.pixels is None:
            encoded.append(EncodedFrame(sized.frame, None, None, sized.is_target))
        else:
            row = next(rows)
            features = [level[row] for level in levels]
            encoded.append(EncodedFrame(sized.frame, stack[row], features, sized.is_target, sized.ignored))
    return encoded


@torch.inference_mode()
def score_clips(due: Sequence[DueClips], network: PreparedNetwork, *, with_maps: bool) -> list[list[FrameScore]]:
    """The scores of all clips that are due, reconstructed together; for each DueClips its frames' scores in order."""
    half = network.clip_length // 2
    runs = [(one.held, run) for one in due for run in _runs(one, half)]
    found: dict[tuple[int, int], tuple[float, NDArray[np.float32] | None, NDArray[np.uint8] | None]] = {}
    if runs:
        # Neighbouring clips share the features of the frames that they share.
        features = [_stacked(held[run.start - half : run.stop + half]) for held, run in runs]
        looked_at = [one for held, run in runs for one in held[run.start : run.stop]]
        targets = torch.stack([one.pixels for one in looked_at if one.pixels is not None])
        reconstructions = network.reconstruct_runs(features, *targets.shape[2:])
        maps = _without_ignored(score_map(targets, reconstructions), [one.ignored for one in looked_at])
        scores = frame_score(maps).tolist()
        drawn = (reconstructions * 255).round().byte().cpu().numpy() if with_maps else [None] * len(scores)
        shown = maps.float().cpu().numpy() if with_maps else [None] * len(scores)
        places = [(id(held), centre) for held, run in runs for centre in run]
        found = dict(zip(places, zip(scores, shown, drawn, strict=True), strict=True))
    return [
        [
            FrameScore(
                one.held[centre].frame.index,
                one.held[centre].frame.time_s,
                *found.get((id(one.held), centre), (None, None, None)),
            )
            for centre in one.centres
        ]
        for one in due
    ]


def _without_ignored(maps: Tensor, ignored: Sequence[Mask | None]) -> Tensor:
    """Score maps, (N, H, W), that are 0 where their frames are ignored."""
    if all(mask is None for mask in ignored):
        return maps
    nothing = np.zeros(maps.shape[1:], np.bool_)
    masks = np.stack([nothing if mask is None else mask for mask in ignored])
    return maps.masked_fill(torch.from_numpy(masks).to(maps.device), 0.0)


def _stacked(encoded: Sequence[EncodedFrame]) -> list[Tensor]:
    rows = [one.features for one in encoded]
    return [torch.stack(level) for level in zip(*(row for row in rows if row is not None), strict=True)]


def _runs(due: DueClips, half: int) -> list[range]:
    """The centres around which a whole clip of good frames stands, as runs of neighbours."""
    held = due.held
    whole = [
        half <= centre < len(held) - half
        and held[centre].is_target
        and all(one.features is not None for one in held[centre - half : centre + half + 1])
        for centre in due.centres
    ]
    runs = []
    for is_whole, group in groupby(zip(whole, due.centres, strict=True), itemgetter(0)):
        if is_whole:
            run = [centre for _, centre in group]
            runs.append(range(run[0], run[-1] + 1))
    assert all(before.stop < after.start for before, after in pairwise(runs))
    return runs
