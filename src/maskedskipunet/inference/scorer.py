"""The one streaming scorer: a file and a camera differ only in where their frames come from."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskedskipunet.data.frames import Frame
from maskedskipunet.data.resizing import network_frame
from maskedskipunet.inference.prepare import PreparedNetwork
from maskedskipunet.model.config import InputFormat
from maskedskipunet.model.score import frame_score, score_map

DEFAULT_BATCH = 8


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
    """A frame and its features, one row of each tensor; pixels and features are None for a bad frame."""

    frame: Frame
    pixels: Tensor | None
    features: Sequence[Tensor] | None


def score_frames(
    frames: Iterable[Frame],
    network: PreparedNetwork,
    how: InputFormat,
    *,
    batch_size: int = DEFAULT_BATCH,
    with_maps: bool = False,
) -> Iterator[FrameScore]:
    """Score each frame as it comes, encoding it once; memory does not depend on how many there are.

    frames: already sampled as `how` says. how: the size the network looks at. batch_size: frames encoded together;
    1 gives each score as soon as its clip is there, more is faster; scores are the same to rounding.
    with_maps: also give score maps and reconstructions. Yields one FrameScore a frame, in order.
    """
    half = network.clip_length // 2
    held: list[_Encoded] = []  # the frames that clips to come still need
    next_centre = 0  # the first frame of `held` not given yet
    stream = iter(frames)
    while batch := list(islice(stream, batch_size)):
        held += _encode(batch, network, how)
        ready = max(next_centre, len(held) - half)
        yield from _scores(held, range(next_centre, ready), network, with_maps)
        passed = max(0, ready - half)
        del held[:passed]
        next_centre = ready - passed
    yield from _scores(held, range(next_centre, len(held)), network, with_maps)


@torch.inference_mode()
def _encode(batch: Sequence[Frame], network: PreparedNetwork, how: InputFormat) -> list[_Encoded]:
    images = [
        network_frame(frame.image, height_px=how.height_px, width_px=how.width_px, channels=network.channels)
        for frame in batch
        if frame.image is not None
    ]
    if not images:
        return [_Encoded(frame, None, None) for frame in batch]
    pixels = torch.from_numpy(np.stack(images)).to(network.device).float() / 255  # (N, C, H, W)
    levels = network.encode(pixels)
    rows = iter(range(len(images)))
    encoded = []
    for frame in batch:
        if frame.image is None:
            encoded.append(_Encoded(frame, None, None))
        else:
            row = next(rows)
            # Copies, so that one held row does not keep its whole batch in memory.
            encoded.append(_Encoded(frame, pixels[row].clone(), [level[row].clone() for level in levels]))
    return encoded


@torch.inference_mode()
def _scores(
    held: Sequence[_Encoded], centres: Iterable[int], network: PreparedNetwork, with_maps: bool
) -> list[FrameScore]:
    half = network.clip_length // 2
    found = {}
    clips = {centre: clip for centre in centres if (clip := _clip(held, centre, half))}
    if clips:
        # One stack over clips of one over frames: (B, T, …) for each level.
        features = [
            torch.stack([torch.stack(level) for level in levels])
            for levels in zip(*([*zip(*clip, strict=True)] for clip in clips.values()), strict=True)
        ]
        targets = torch.stack([pixels for centre in clips if (pixels := held[centre].pixels) is not None])
        reconstructions = network.reconstruct(features)
        maps = score_map(targets, reconstructions)
        scores = frame_score(maps).tolist()
        drawn = (reconstructions * 255).round().byte().cpu().numpy() if with_maps else [None] * len(scores)
        shown = maps.float().cpu().numpy() if with_maps else [None] * len(scores)
        found = dict(zip(clips, zip(scores, shown, drawn, strict=True), strict=True))
    return [
        FrameScore(held[centre].frame.index, held[centre].frame.time_s, *found.get(centre, (None, None, None)))
        for centre in centres
    ]


def _clip(held: Sequence[_Encoded], centre: int, half: int) -> list[Sequence[Tensor]] | None:
    """The features of the clip around a frame, None where one of its frames is missing or bad."""
    window = held[max(0, centre - half) : centre + half + 1]
    if len(window) != 2 * half + 1:
        return None
    features = [encoded.features for encoded in window if encoded.features is not None]
    return features if len(features) == len(window) else None
