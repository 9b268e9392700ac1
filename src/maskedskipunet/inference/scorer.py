"""The one streaming scorer: a file and a camera differ only in where their frames come from."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby, islice
from operator import itemgetter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskedskipunet.data.ahead import read_ahead
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.resizing import network_frame
from maskedskipunet.errors import ConfigError
from maskedskipunet.inference.prepare import PreparedNetwork
from maskedskipunet.model.config import InputFormat
from maskedskipunet.model.score import frame_score, score_map

_Pixels = NDArray[np.uint8]


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
class _Encoded:
    """A frame and its features, one row of each tensor; pixels and features are None for a bad frame.

    alone: whether the rows are copies, which do not keep their whole batch in memory.
    """

    frame: Frame
    pixels: Tensor | None
    features: Sequence[Tensor] | None
    alone: bool = False

    def by_itself(self) -> "_Encoded":
        if self.alone or self.pixels is None or self.features is None:
            return self
        return _Encoded(self.frame, self.pixels.clone(), [level.clone() for level in self.features], alone=True)


def score_frames(
    frames: Iterable[Frame],
    network: PreparedNetwork,
    how: InputFormat,
    *,
    batch_size: int | None = None,
    with_maps: bool = False,
) -> Generator[FrameScore, None, None]:
    """Score each frame as it comes, encoding it once; memory does not depend on how many there are.

    frames: already sampled as `how` says. how: the size the network looks at. batch_size: frames encoded together;
    None: as many as pay on this network; 1 gives each score as soon as its clip is there, more is faster; scores are
    the same to rounding.
    with_maps: also give score maps and reconstructions. Yields one FrameScore a frame, in order.
    """
    batch_size = network.frames_together if batch_size is None else batch_size
    if batch_size < 1:
        raise ConfigError(f"{batch_size} frames together", "batch_size", "Use 1 or more")
    half = network.clip_length // 2
    held: list[_Encoded] = []  # the frames that clips to come still need
    next_centre = 0  # the first frame of `held` not given yet
    # Decoding and resizing run in a thread of their own, a batch ahead of the network.
    with closing(read_ahead(_sized(frames, network.channels, how), batch_size)) as stream:
        while batch := list(islice(stream, batch_size)):
            held += _encode(batch, network)
            ready = max(next_centre, len(held) - half)
            scores = _scores(held, range(next_centre, ready), network, with_maps)
            passed = max(0, ready - half)
            held = [encoded.by_itself() for encoded in held[passed:]]
            next_centre = ready - passed
            yield from scores
        yield from _scores(held, range(next_centre, len(held)), network, with_maps)


def _sized(frames: Iterable[Frame], channels: int, how: InputFormat) -> Iterator[tuple[Frame, _Pixels | None]]:
    """Each frame without its image, and its pixels as the network sees them, (C, H, W); None for a bad frame."""
    for frame in frames:
        pixels = None
        if frame.image is not None:
            pixels = network_frame(frame.image, height_px=how.height_px, width_px=how.width_px, channels=channels)
        yield replace(frame, image=None), pixels


@torch.inference_mode()
def _encode(batch: Sequence[tuple[Frame, _Pixels | None]], network: PreparedNetwork) -> list[_Encoded]:
    images = [pixels for _, pixels in batch if pixels is not None]
    if not images:
        return [_Encoded(frame, None, None) for frame, _ in batch]
    stack = torch.from_numpy(np.stack(images)).to(network.device).float() / 255  # (N, C, H, W)
    levels = network.encode(stack)
    rows = iter(range(len(images)))
    encoded = []
    for frame, pixels in batch:
        if pixels is None:
            encoded.append(_Encoded(frame, None, None))
        else:
            row = next(rows)
            encoded.append(_Encoded(frame, stack[row], [level[row] for level in levels]))
    return encoded


@torch.inference_mode()
def _scores(held: Sequence[_Encoded], centres: range, network: PreparedNetwork, with_maps: bool) -> list[FrameScore]:
    half = network.clip_length // 2
    found: dict[int, tuple[float, NDArray[np.float32] | None, NDArray[np.uint8] | None]] = {}
    for run in _runs(held, centres, half):
        # Neighbouring clips together: they share the features of the frames that they share.
        rows = [encoded.features for encoded in held[run.start - half : run.stop + half]]
        features = [torch.stack(level) for level in zip(*(row for row in rows if row is not None), strict=True)]
        targets = torch.stack(
            [pixels for encoded in held[run.start : run.stop] if (pixels := encoded.pixels) is not None]
        )
        reconstructions = network.reconstruct(features, *targets.shape[2:])
        maps = score_map(targets, reconstructions)
        scores = frame_score(maps).tolist()
        drawn = (reconstructions * 255).round().byte().cpu().numpy() if with_maps else [None] * len(scores)
        shown = maps.float().cpu().numpy() if with_maps else [None] * len(scores)
        found |= zip(run, zip(scores, shown, drawn, strict=True), strict=True)
    return [
        FrameScore(held[centre].frame.index, held[centre].frame.time_s, *found.get(centre, (None, None, None)))
        for centre in centres
    ]


def _runs(held: Sequence[_Encoded], centres: range, half: int) -> list[range]:
    """The centres around which a whole clip of good frames stands, as runs of neighbours."""
    whole = [
        half <= centre < len(held) - half
        and all(encoded.features is not None for encoded in held[centre - half : centre + half + 1])
        for centre in centres
    ]
    runs = []
    for is_whole, group in groupby(zip(whole, centres, strict=True), itemgetter(0)):
        if is_whole:
            run = [centre for _, centre in group]
            runs.append(range(run[0], run[-1] + 1))
    return runs
