"""A trained network's weights in the form that scoring needs: batch norms folded in, masks baked in, pure functions.

Spatial kernels are (out, in, k, k). Where a block changes resolution, its 1x1 convolution works on the four places of a
2x2 square at once; `place` below counts them row by row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from maskedskipunet.model.blocks import DecoderBlock, EncoderBlock
from maskedskipunet.model.convolutions import MaskedConv2d, SkipConvolution

PLACES = 4


@dataclass(frozen=True)
class FoldedBlock:
    """One block of encoder or decoder, without its batch norms.

    kernels: of the convolutions side by side. bias: (all their outputs,). What comes out is cut at 0.
    project: the 1x1 convolution. Encoder: (place, hidden, out). Decoder: (hidden, out), where output hidden * 4 + place
    of the convolutions belongs to that place. project_bias: (out,). cut: whether the block's output is cut at 0 too.
    """

    kernels: Sequence[Tensor]
    bias: Tensor
    project: Tensor
    project_bias: Tensor
    cut: bool

    def to(self, dtype: torch.dtype) -> "FoldedBlock":
        return FoldedBlock(
            [kernel.to(dtype) for kernel in self.kernels],
            self.bias.to(dtype),
            self.project.to(dtype),
            self.project_bias.to(dtype),
            self.cut,
        )


def fold_encoder(block: nn.Module) -> FoldedBlock:
    assert isinstance(block, EncoderBlock), "an encoder is made of these"
    kernels, bias = _fold_convolutions(block.convs, block.norm_1)
    project, project_bias = _fold(block.project, block.norm_2)  # (out, 4 * hidden, 1, 1), channel hidden * 4 + place
    by_place = project.view(len(project), -1, PLACES).permute(2, 1, 0)
    return FoldedBlock(kernels, bias, by_place.contiguous(), project_bias, cut=True)


def fold_decoder(block: nn.Module, inputs: Sequence[int] | None = None) -> FoldedBlock:
    """inputs: the input channels that are ever other than 0; None for all."""
    assert isinstance(block, DecoderBlock), "a decoder is made of these"
    kernels, bias = _fold_convolutions(block.convs, block.norm_1)
    project, project_bias = _fold(block.project, block.norm_2)
    if inputs is not None:
        kernels = [kernel[:, list(inputs)].contiguous() for kernel in kernels]
    return FoldedBlock(kernels, bias, project[:, :, 0, 0].T.contiguous(), project_bias, cut=block.norm_2 is not None)


def fold_skip(skip: SkipConvolution) -> tuple[Sequence[Tensor], Tensor]:
    """One spatial kernel for each of the T frames, and the bias."""
    weight = (skip.weight * skip.mask).detach()
    assert skip.bias is not None, "the published skips have a bias"
    return [frame.contiguous() for frame in weight.unbind(2)], skip.bias.detach()


def place_order(channels: int) -> Tensor:
    """Puts channels that come as hidden * 4 + place in the order place * hidden's number + hidden: (channels,)."""
    return torch.arange(channels).view(-1, PLACES).T.flatten()


def _fold_convolutions(convolutions: nn.ModuleList, norm: Any) -> tuple[list[Tensor], Tensor]:
    scale, shift = _scale_and_shift(norm)
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
        return weight, bias
    scale, shift = _scale_and_shift(norm)
    return weight * scale[:, None, None, None], bias * scale + shift


def _scale_and_shift(norm: Any) -> tuple[Tensor, Tensor]:
    """What a batch norm does in evaluation mode, as a product and a sum."""
    scale = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()
    return scale, (norm.bias - norm.running_mean * scale).detach()


def _weight(convolution: nn.Module) -> Tensor:
    if isinstance(convolution, MaskedConv2d):
        return convolution.weight * convolution.mask
    assert isinstance(convolution, nn.Conv2d), "blocks that mix frames are not folded"
    return convolution.weight
