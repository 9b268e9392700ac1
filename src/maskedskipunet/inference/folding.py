"""A trained network's weights in the form that scoring needs: batch norms folded in, masks baked in, pure functions.

Spatial kernels are (out, in, k, k). Where a block changes resolution, its 1x1 convolution works on the four positions
of a 2x2 square at once; `position` below counts them row by row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskedskipunet.model.blocks import DecoderBlock, EncoderBlock
from maskedskipunet.model.config import VARIANTS, NetworkConfig
from maskedskipunet.model.convolutions import MaskedConv2d, SkipConvolution
from maskedskipunet.model.network import MaskedSkipUNet

POSITIONS = 4


@dataclass(frozen=True)
class FoldedSkip:
    """A skip's convolution. kernel: (out, T, in, k, k), a spatial kernel for each frame. bias: (out,)."""

    kernel: Tensor
    bias: Tensor

    def to(self, *args: Any) -> "FoldedSkip":
        return FoldedSkip(self.kernel.to(*args), self.bias.to(*args))


@dataclass(frozen=True)
class FoldedBlock:
    """One block of encoder or decoder, without its batch norms.

    kernels: of the convolutions side by side. bias: (all their outputs,). A ReLU follows.
    project: the 1x1 convolution. Encoder: (position, hidden, out). Decoder: (hidden, out), where output
    hidden * 4 + position of the convolutions belongs to that position. project_bias: (out,). relu: whether one follows
    the 1x1 convolution too.
    """

    kernels: Sequence[Tensor]
    bias: Tensor
    project: Tensor
    project_bias: Tensor
    relu: bool

    def as_one(self) -> "FoldedBlock":
        """Return the block with one convolution of the largest size, zeros around the smaller kernels."""
        size = max(kernel.shape[-1] for kernel in self.kernels)
        padded = [F.pad(kernel, ((size - kernel.shape[-1]) // 2,) * 4) for kernel in self.kernels]
        return replace(self, kernels=[torch.cat(padded)])

    def to(self, *args: Any) -> "FoldedBlock":
        return FoldedBlock(
            [kernel.to(*args) for kernel in self.kernels],
            self.bias.to(*args),
            self.project.to(*args),
            self.project_bias.to(*args),
            self.relu,
        )


@dataclass(frozen=True)
class FoldedNetwork:
    """The folded weights of a network that encodes frames one by one.

    encoder, skips: level 1 (finest) to 4; None for a skip that is no convolution. decoder: coarsest first.
    """

    config: NetworkConfig
    encoder: Sequence[FoldedBlock]
    skips: Sequence[FoldedSkip | None]
    decoder: Sequence[FoldedBlock]


def fold(network: MaskedSkipUNet, device: torch.device, dtype: torch.dtype) -> FoldedNetwork:
    """Fold a network's weights as in evaluation mode; the network is unchanged and shares no memory."""
    kinds, channels = VARIANTS[network.config.variant].skips, network.config.level_channels
    encoder = [fold_encoder(block) for block in network.encoder]
    skips = [fold_skip(skip) if isinstance(skip, SkipConvolution) else None for skip in network.skips]
    decoder = []
    for index, block in enumerate(network.decoder):
        level = 3 - index  # of the features it takes in, from 0
        # Zeros that a skip passes on need no work: nothing is concatenated, and the weights for it are left out.
        inputs = range(channels[level]) if index and kinds[level] == "zero" else None
        decoder.append(fold_decoder(block, inputs))
    return FoldedNetwork(
        network.config,
        [block.to(device, dtype) for block in encoder],
        [None if skip is None else skip.to(device, dtype) for skip in skips],
        [block.to(device, dtype) for block in decoder],
    )


def fold_encoder(block: nn.Module) -> FoldedBlock:
    assert isinstance(block, EncoderBlock), "an encoder is made of these"
    kernels, bias = _fold_convolutions(block.convs, block.norm_1)
    project, project_bias = _fold(block.project, block.norm_2)  # (out, 4 * hidden, 1, 1), channel hidden * 4 + position
    by_position = project.view(len(project), -1, POSITIONS).permute(2, 1, 0)
    return FoldedBlock(kernels, bias, by_position.contiguous(), project_bias, relu=True)


def fold_decoder(block: nn.Module, inputs: Sequence[int] | None = None) -> FoldedBlock:
    """Fold a decoder block. inputs: the input channels that are ever other than 0; None for all."""
    assert isinstance(block, DecoderBlock), "a decoder is made of these"
    kernels, bias = _fold_convolutions(block.convs, block.norm_1)
    project, project_bias = _fold(block.project, block.norm_2)
    if inputs is not None:
        kernels = [kernel[:, list(inputs)].contiguous() for kernel in kernels]
    return FoldedBlock(kernels, bias, project[:, :, 0, 0].T.contiguous(), project_bias, relu=block.norm_2 is not None)


def fold_skip(skip: SkipConvolution) -> FoldedSkip:
    weight = (skip.weight * skip.mask).detach()  # (out, in, T, k, k)
    assert skip.bias is not None, "the published skips have a bias"
    return FoldedSkip(weight.transpose(1, 2).contiguous(), skip.bias.detach().clone())


def position_order(channels: int) -> Tensor:
    """Return the order, (channels,), that sorts channels which come as hidden * 4 + position by position first."""
    return torch.arange(channels).view(-1, POSITIONS).T.flatten()


def _fold_convolutions(convolutions: nn.ModuleList, norm: Any) -> tuple[list[Tensor], Tensor]:
    scale, shift = scale_and_shift(norm)
    kernels, biases, first = [], [], 0
    for convolution in convolutions:
        weight = _weight(convolution)
        own = slice(first, first + len(weight))
        kernels.append((weight * scale[own, None, None, None]).detach().contiguous())
        biases.append((convolution.bias * scale[own] + shift[own]).detach())  # type: ignore[operator]
        first = own.stop
    return kernels, torch.cat(biases)


def _fold(convolution: Any, norm: Any) -> tuple[Tensor, Tensor]:
    weight, bias = convolution.weight.detach(), convolution.bias.detach()
    if norm is None:
        return weight.clone(), bias.clone()
    scale, shift = scale_and_shift(norm)
    return weight * scale[:, None, None, None], bias * scale + shift


def scale_and_shift(norm: Any) -> tuple[Tensor, Tensor]:
    """Return the scale and the shift of a batch norm in evaluation mode."""
    scale = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()
    return scale, (norm.bias - norm.running_mean * scale).detach()


def _weight(convolution: nn.Module) -> Tensor:
    if isinstance(convolution, MaskedConv2d):
        return convolution.weight * convolution.mask
    assert isinstance(convolution, nn.Conv2d), "blocks that mix frames are not folded"
    return convolution.weight
