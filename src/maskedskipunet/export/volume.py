"""The folded weights of a network that mixes frames: its 3-D convolutions as 2-D ones over neighbouring frames."""

from typing import Any

import torch
from torch import Tensor, nn

from maskedskipunet.inference.folding import FoldedBlock, FoldedNetwork, fold_skip, scale_and_shift
from maskedskipunet.model.blocks import DecoderBlock, EncoderBlock
from maskedskipunet.model.convolutions import SkipConvolution
from maskedskipunet.model.network import MaskedSkipUNet

POSITIONS = 4


def fold_volume(network: MaskedSkipUNet) -> FoldedNetwork:
    """Fold the weights of a network that mixes frames as in evaluation mode; the network is left as it was.

    Spatial kernels are (out, frames * in, k, k).
    """
    skips = []
    for skip in network.skips:
        assert isinstance(skip, SkipConvolution), "a variant that mixes frames has a convolution in every skip"
        skips.append(fold_skip(skip))
    return FoldedNetwork(
        network.config,
        [_fold_block(block) for block in network.encoder],
        skips,
        [_fold_block(block) for block in network.decoder],
    )


def _fold_block(block: nn.Module) -> FoldedBlock:
    assert isinstance(block, EncoderBlock | DecoderBlock), "encoder and decoder are made of these"
    scale, shift = scale_and_shift(block.norm_1)
    kernels, biases, first = [], [], 0
    for convolution in block.convs:
        assert isinstance(convolution, nn.Conv3d), "its blocks are of 3-D convolutions"
        own = slice(first, first + len(convolution.weight))
        kernels.append(_over_frames(convolution.weight.detach() * scale[own, None, None, None, None]))
        assert convolution.bias is not None, "the published convolutions have a bias"
        biases.append(convolution.bias.detach() * scale[own] + shift[own])
        first = own.stop
    project, project_bias = _fold_project(block.project, block.norm_2)
    if isinstance(block, EncoderBlock):
        by_position = project.view(len(project), -1, POSITIONS).permute(2, 1, 0)
        return FoldedBlock(kernels, torch.cat(biases), by_position.contiguous(), project_bias, relu=True)
    relu = block.norm_2 is not None
    return FoldedBlock(kernels, torch.cat(biases), project.T.contiguous(), project_bias, relu)


def _over_frames(weight: Tensor) -> Tensor:
    """(out, in, taps, k, k) -> (out, taps * in, k, k)."""
    return weight.transpose(1, 2).flatten(1, 2).contiguous()


def _fold_project(project: Any, norm: Any) -> tuple[Tensor, Tensor]:
    weight, bias = project.weight.detach()[:, :, 0, 0, 0], project.bias.detach()
    if norm is None:
        return weight.clone(), bias.clone()
    scale, shift = scale_and_shift(norm)
    return weight * scale[:, None], bias * scale + shift
