"""The exported network computed by torch, and written as a `.pt2` file."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskedskipunet.export.definition import ExportedNetwork, encode, judge, judge_clips, reconstruct
from maskedskipunet.runtimes.description import Part


class TorchOperations:
    """See `export.operations.Operations`."""

    def scaled(self, pixels: Tensor) -> Tensor:
        return pixels.float() / 255

    def convolution(self, images: Tensor, weight: Tensor, bias: Tensor, stride: int = 1) -> Tensor:
        return F.conv2d(images, weight, bias, stride, padding=0 if stride > 1 else weight.shape[-1] // 2)

    def relu(self, value: Tensor) -> Tensor:
        return F.relu(value)

    def sigmoid(self, value: Tensor) -> Tensor:
        return torch.sigmoid(value)

    def joined(self, values: Sequence[Tensor], axis: int) -> Tensor:
        return torch.cat(list(values), axis)

    def depth_to_space(self, images: Tensor) -> Tensor:
        return F.pixel_shuffle(images, 2)

    def reshaped(self, value: Tensor, shape: Sequence[int]) -> Tensor:
        return value.reshape(tuple(shape))

    def permuted(self, value: Tensor, order: Sequence[int]) -> Tensor:
        return value.permute(tuple(order))

    def sliced(self, value: Tensor, axis: int, start: int, stop: int) -> Tensor:
        return value.narrow(axis, start, stop - start)

    def padded(self, value: Tensor, axis: int, count: int) -> Tensor:
        after = value.dim() - 1 - axis
        return F.pad(value, (0, 0) * after + (count, count))

    def painted(self, pixels: Tensor, mask: Tensor, grey: int) -> Tensor:
        return pixels.masked_fill(mask, grey)

    def cleared(self, maps: Tensor, mask: Tensor) -> Tensor:
        return maps.masked_fill(mask, 0.0)

    def distance(self, left: Tensor, right: Tensor, divisor: float) -> Tensor:
        return (left - right).square().sum(1).sqrt() / divisor

    def patch_means(self, maps: Tensor, size: int) -> Tensor:
        return F.avg_pool2d(maps, size)

    def highest(self, images: Tensor) -> Tensor:
        return images.amax(dim=(1, 2, 3))

    def larger(self, left: Tensor, right: Tensor) -> Tensor:
        return torch.maximum(left, right)


class ClipModule(nn.Module):
    """Scores whole clips: uint8 (B, T, H, W, C) -> score (B,), score map (B, H, W)."""

    def __init__(self, network: ExportedNetwork) -> None:
        super().__init__()
        self._network = network

    def forward(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        maps, score = judge_clips(TorchOperations(), self._network, clip)
        return score, maps


class EncodeModule(nn.Module):
    """Encodes single frames: uint8 (N, H, W, C) -> (N, …) of each level."""

    def __init__(self, network: ExportedNetwork) -> None:
        super().__init__()
        self._network = network

    def forward(self, frames: Tensor) -> list[Tensor]:
        return [level.clone() for level in encode(TorchOperations(), self._network, frames)]


class ReconstructModule(nn.Module):
    """Scores clips from the features of their frames: (B, T, …) of each level and the target frames, uint8 (B, H, W, C)
    -> score (B,), score map (B, H, W), reconstruction (B, C, H, W).
    """

    def __init__(self, network: ExportedNetwork) -> None:
        super().__init__()
        self._network = network

    def forward(self, target: Tensor, *levels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        operations = TorchOperations()
        reconstruction = reconstruct(operations, self._network, levels)
        maps, score = judge(operations, self._network, target, reconstruction, ignoring=False)
        return score, maps, reconstruction


def torch_module(network: ExportedNetwork, part: Part) -> nn.Module:
    """Return the module of one part."""
    return {"clip": ClipModule, "encode": EncodeModule, "reconstruct": ReconstructModule}[part](network)
