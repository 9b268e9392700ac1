"""The blocks of encoder and decoder: three kernel sizes side by side, then a change of resolution."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskedskipunet.model.config import BLOCK_KERNELS, BLOCK_MASKS
from maskedskipunet.model.convolutions import MaskedConv2d

BlockKind = Literal["plain", "masked", "volume"]
TEMPORAL_KERNEL = 3  # of the volume blocks, whatever the clip length


class EncoderBlock(nn.Module):
    """(B, in, H, W) -> (B, out, H/2, W/2); volume: (B, in, T, H, W) -> (B, out, T, H/2, W/2)."""

    def __init__(self, in_channels: int, out_channels: int, *, kind: BlockKind = "plain") -> None:
        super().__init__()
        self.convs = side_by_side(in_channels, out_channels, kind)
        self.norm_1 = batch_norm(3 * out_channels, kind)
        self.project = pointwise(12 * out_channels, out_channels, kind)
        self.norm_2 = batch_norm(out_channels, kind)

    def forward(self, input: Tensor) -> Tensor:
        hidden = torch.cat([conv(input) for conv in self.convs], dim=1)  # (B, 3*out, H, W)
        hidden = space_to_depth(F.relu(self.norm_1(hidden)))  # (B, 12*out, H/2, W/2)
        return F.relu(self.norm_2(self.project(hidden)))


class DecoderBlock(nn.Module):
    """(B, in, H, W) -> (B, out, 2H, 2W), volumes likewise; the last block ends after its 1x1 convolution."""

    def __init__(self, in_channels: int, out_channels: int, *, kind: BlockKind = "plain", last: bool = False) -> None:
        super().__init__()
        self.convs = side_by_side(in_channels, 4 * out_channels, kind)
        self.norm_1 = batch_norm(12 * out_channels, kind)
        self.project = pointwise(3 * out_channels, out_channels, kind)
        self.norm_2 = None if last else batch_norm(out_channels, kind)

    def forward(self, input: Tensor) -> Tensor:
        hidden = torch.cat([conv(input) for conv in self.convs], dim=1)  # (B, 12*out, H, W)
        hidden = depth_to_space(F.relu(self.norm_1(hidden)))  # (B, 3*out, 2H, 2W)
        output: Tensor = self.project(hidden)
        return output if self.norm_2 is None else F.relu(self.norm_2(output))


def space_to_depth(features: Tensor) -> Tensor:
    """Rearrange (B, C, [T,] H, W) to (B, 4C, [T,] H/2, W/2); channel index c*4 + row*2 + column."""
    if features.dim() == 4:
        return F.pixel_unshuffle(features, 2)
    return _join_frames(F.pixel_unshuffle(_split_frames(features), 2), features.shape[2])


def depth_to_space(features: Tensor) -> Tensor:
    """Return the inverse of space_to_depth: (B, 4C, [T,] H, W) -> (B, C, [T,] 2H, 2W)."""
    if features.dim() == 4:
        return F.pixel_shuffle(features, 2)
    return _join_frames(F.pixel_shuffle(_split_frames(features), 2), features.shape[2])


def _split_frames(volume: Tensor) -> Tensor:
    """Rearrange (B, C, T, H, W) to (B*T, C, H, W); torch cannot shuffle frames of one pixel with more dimensions."""
    return volume.transpose(1, 2).flatten(0, 1)


def _join_frames(frames: Tensor, length: int) -> Tensor:
    """Return the inverse of _split_frames; length: T."""
    return frames.reshape(-1, length, *frames.shape[1:]).transpose(1, 2)


def side_by_side(in_channels: int, out_channels: int, kind: BlockKind) -> nn.ModuleList:
    """Return one convolution for each of the kernel sizes 3, 5 and 7, each in -> out channels."""
    return nn.ModuleList(
        _convolution(in_channels, out_channels, kernel, mask_size, kind)
        for kernel, mask_size in zip(BLOCK_KERNELS, BLOCK_MASKS, strict=True)
    )


def _convolution(in_channels: int, out_channels: int, kernel: int, mask_size: int, kind: BlockKind) -> nn.Module:
    if kind == "masked":
        return MaskedConv2d(in_channels, out_channels, kernel=kernel, mask_size=mask_size)
    if kind == "volume":
        sizes = (TEMPORAL_KERNEL, kernel, kernel)
        return nn.Conv3d(in_channels, out_channels, sizes, padding=(TEMPORAL_KERNEL // 2, kernel // 2, kernel // 2))
    return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)


def batch_norm(channels: int, kind: BlockKind) -> nn.Module:
    return nn.BatchNorm3d(channels) if kind == "volume" else nn.BatchNorm2d(channels)


def pointwise(in_channels: int, out_channels: int, kind: BlockKind) -> nn.Module:
    return nn.Conv3d(in_channels, out_channels, 1) if kind == "volume" else nn.Conv2d(in_channels, out_channels, 1)
