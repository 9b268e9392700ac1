"""The exported network: from uint8 frames to score map and frame score, by plain 2-D convolutions.

Batch norms are folded and masks baked in. Images are (N, C, H, W) inside, and as decoders give them, (N, H, W, C),
outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from numpy.typing import NDArray

from maskedskipunet.export.operations import Operations, V
from maskedskipunet.export.volume import fold_volume
from maskedskipunet.inference.folding import FoldedBlock, FoldedNetwork, FoldedSkip, fold
from maskedskipunet.model.config import VARIANTS, NetworkConfig
from maskedskipunet.model.network import MaskedSkipUNet
from maskedskipunet.model.score import PATCH_PX

GREY = 128  # as scoring paints what is ignored
TEMPORAL_TAPS = 3  # of the blocks that mix frames


@dataclass(frozen=True, kw_only=True)
class ExportedNetwork:
    """A network in the form that is exported.

    weights: folded; of a network that mixes frames, kernels lie over neighbouring frames' channels. ignored: bool
    (H, W), where whole clips are not looked at; None for nowhere.
    """

    config: NetworkConfig
    height_px: int
    width_px: int
    weights: FoldedNetwork
    ignored: NDArray[np.bool_] | None = None

    @classmethod
    def of(
        cls, network: MaskedSkipUNet, height_px: int, width_px: int, ignored: NDArray[np.bool_] | None = None
    ) -> "ExportedNetwork":
        weights = fold_volume(network) if network.mixes_frames else fold(network, torch.device("cpu"), torch.float32)
        return cls(config=network.config, height_px=height_px, width_px=width_px, weights=weights, ignored=ignored)

    @property
    def mixes_frames(self) -> bool:
        """Its frames cannot be encoded alone."""
        return VARIANTS[self.config.variant].mixes_frames

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """The shape of a frame as it is given."""
        return self.height_px, self.width_px, self.config.channels

    @property
    def feature_shapes(self) -> dict[int, tuple[int, ...]]:
        """The shape of each level's features of one frame, by the level's number; 0: the frame itself."""
        if self.mixes_frames:
            return {0: self.frame_shape}
        skips = VARIANTS[self.config.variant].skips
        sizes = {
            level: (channels, self.height_px >> level, self.width_px >> level)
            for level, channels in enumerate(self.config.level_channels, 1)
        }
        return {level: size for level, size in sizes.items() if skips[level - 1] not in ("none", "zero")}


def encode(operations: Operations[V], network: ExportedNetwork, frames: V) -> list[V]:
    """Return the features that clips are reconstructed from: uint8 (N, H, W, C) -> (N, …) of each level.

    A network that mixes frames has no features of one frame: then the frames themselves.
    """
    if network.mixes_frames:
        return [frames]
    images, found = _images(operations, frames), {}
    for level, block in enumerate(network.weights.encoder, 1):
        images = _encoder_block(operations, block, images)
        found[level] = images
    return [found[level] for level in network.feature_shapes]


def reconstruct(operations: Operations[V], network: ExportedNetwork, levels: Sequence[V]) -> V:
    """Return the target frames from the features of clips: (N, T, …) of each level -> (N, C, H, W) in [0, 1]."""
    if network.mixes_frames:
        return _reconstruct_volume(operations, network, levels[0])
    middle, passed = network.config.frames // 2, {}
    for (level, (channels, height_px, width_px)), clips in zip(network.feature_shapes.items(), levels, strict=True):
        skip = network.weights.skips[level - 1]
        count = 1 if skip is None else network.config.frames
        rows = operations.sliced(clips, 1, middle, middle + 1) if skip is None else clips
        images = operations.reshaped(rows, (-1, count * channels, height_px, width_px))
        passed[level] = images if skip is None else _skip(operations, skip, images)
    hidden = _decoder_block(operations, network.weights.decoder[0], passed[4])
    for level, block in zip((3, 2, 1), network.weights.decoder[1:], strict=True):
        joined = operations.joined([hidden, passed[level]], 1) if level in passed else hidden
        hidden = _decoder_block(operations, block, joined)
    return operations.sigmoid(hidden)


def judge(
    operations: Operations[V], network: ExportedNetwork, target: V, reconstruction: V, *, ignoring: bool
) -> tuple[V, V]:
    """Return score map, (N, H, W), and frame score, (N,). target: uint8 (N, H, W, C). ignoring: whether the ignored
    pixels are left out of them.
    """
    maps = operations.distance(_images(operations, target), reconstruction, sqrt(3))
    if ignoring and network.ignored is not None:
        maps = operations.cleared(maps, torch.from_numpy(network.ignored)[None])
    height_px, width_px, half = network.height_px, network.width_px, PATCH_PX // 2
    images = operations.reshaped(maps, (-1, 1, height_px, width_px))
    score = operations.highest(operations.patch_means(images, PATCH_PX))
    if min(height_px, width_px) > PATCH_PX:
        inside = operations.sliced(images, 2, half, height_px - half)
        inside = operations.sliced(inside, 3, half, width_px - half)
        score = operations.larger(score, operations.highest(operations.patch_means(inside, PATCH_PX)))
    return maps, score


def judge_clips(operations: Operations[V], network: ExportedNetwork, clips: V) -> tuple[V, V]:
    """Return score map and frame score of whole clips, uint8 (N, T, H, W, C)."""
    length, middle = network.config.frames, network.config.frames // 2
    frames = operations.reshaped(clips, (-1, *network.frame_shape))
    if network.ignored is not None:
        frames = operations.painted(frames, torch.from_numpy(network.ignored)[None, :, :, None], GREY)
        clips = operations.reshaped(frames, (-1, length, *network.frame_shape))
    levels = [
        operations.reshaped(level, (-1, length, *shape))
        for level, shape in zip(encode(operations, network, frames), network.feature_shapes.values(), strict=True)
    ]
    target = operations.reshaped(operations.sliced(clips, 1, middle, middle + 1), (-1, *network.frame_shape))
    return judge(operations, network, target, reconstruct(operations, network, levels), ignoring=True)


def _images(operations: Operations[V], frames: V) -> V:
    return operations.permuted(operations.scaled(frames), (0, 3, 1, 2))


def _encoder_block(operations: Operations[V], block: FoldedBlock, images: V) -> V:
    hidden = _side_by_side(operations, block, images)
    by_position = block.project.permute(2, 1, 0)  # (out, hidden, position): a convolution of the 2x2 squares
    weight = by_position.reshape(*by_position.shape[:2], 2, 2).contiguous()
    return operations.relu(operations.convolution(hidden, weight, block.project_bias, stride=2))


def _decoder_block(operations: Operations[V], block: FoldedBlock, images: V) -> V:
    hidden = operations.depth_to_space(_side_by_side(operations, block, images))
    weight = block.project.T[:, :, None, None].contiguous()
    output = operations.convolution(hidden, weight, block.project_bias)
    return operations.relu(output) if block.relu else output


def _side_by_side(operations: Operations[V], block: FoldedBlock, images: V) -> V:
    biases = torch.split(block.bias, [len(kernel) for kernel in block.kernels])
    outputs = [operations.convolution(images, kernel, bias) for kernel, bias in zip(block.kernels, biases, strict=True)]
    return operations.relu(operations.joined(outputs, 1))


def _skip(operations: Operations[V], skip: FoldedSkip, images: V) -> V:
    return operations.convolution(images, skip.kernel.flatten(1, 2).contiguous(), skip.bias)


# Networks that mix frames: a 3-D convolution is a 2-D one over the channels of neighbouring frames.


def _reconstruct_volume(operations: Operations[V], network: ExportedNetwork, clips: V) -> V:
    weights, length = network.weights, network.config.frames
    size, channels = (network.height_px, network.width_px), network.config.channels
    hidden = _images(operations, operations.reshaped(clips, (-1, *network.frame_shape)))  # (N*T, C, H, W)
    passed = {}
    for level, (block, skip) in enumerate(zip(weights.encoder, weights.skips, strict=True), 1):
        around = neighbours(operations, hidden, TEMPORAL_TAPS, length, (channels, *size))
        hidden = _encoder_block(operations, block, around)
        channels, size = network.config.level_channels[level - 1], (size[0] // 2, size[1] // 2)
        assert skip is not None, "a variant that mixes frames has a convolution in every skip"
        passed[level] = _skip(operations, skip, neighbours(operations, hidden, length, length, (channels, *size)))
    hidden = passed[4]
    for level, block in zip((4, 3, 2, 1), weights.decoder, strict=True):
        if level < 4:
            hidden = operations.joined([hidden, passed[level]], 1)
        wide = block.kernels[0].shape[1] // TEMPORAL_TAPS
        around = neighbours(
            operations, hidden, TEMPORAL_TAPS, length, (wide, *size), only_middle=level == 1
        )  # at last the target frame is enough
        hidden = _decoder_block(operations, block, around)
        size = (size[0] * 2, size[1] * 2)
    return operations.sigmoid(hidden)


def neighbours(
    operations: Operations[V],
    images: V,
    taps: int,
    length: int,
    shape: tuple[int, int, int],
    *,
    only_middle: bool = False,
) -> V:
    """Put the channels of each frame's neighbours in time beside its own: (N*T, C, H, W) -> (N*T, taps*C, H, W).

    taps: how many frames, centred on its own; zeros stand outside of the clip. length: T. shape: C, H, W. only_middle:
    give the middle frames alone, (N, taps*C, H, W).
    """
    channels, height_px, width_px = shape
    clips = operations.reshaped(images, (-1, length, *shape))
    wide = operations.padded(clips, 1, taps // 2)
    if only_middle:
        middle = operations.sliced(wide, 1, length // 2, length // 2 + taps)
        return operations.reshaped(middle, (-1, taps * channels, height_px, width_px))
    shifted = [operations.sliced(wide, 1, tap, tap + length) for tap in range(taps)]
    return operations.reshaped(operations.joined(shifted, 2), (-1, taps * channels, height_px, width_px))
