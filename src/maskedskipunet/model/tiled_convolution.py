"""A convolution by tiles that trains: what comes out, and how a loss changes with its input and its kernel."""

from typing import Any

import torch
from torch import Tensor

from maskedskipunet.model.tiles import (
    TileGrid,
    assemble,
    block_spectra,
    convolve,
    kernel_gradient,
    kernel_spectra,
    multiply,
    rotated_kernel_spectra,
    tile_pixels,
    tile_spectra,
)


def tiled_conv2d(images: Tensor, weight: Tensor, bias: Tensor, tile: int) -> Tensor:
    """Convolve like torch's conv2d with "same" zero padding: (B, in, H, W) by (out, in, k, k) -> (B, out, H, W), k odd.

    tile: side of the tiles, above k - 1. Equal to rounding, and for large kernels many times faster on a CPU.
    """
    output: Tensor = _TiledConvolution.apply(images, weight, bias, tile)
    return output


class _TiledConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor, tile: int) -> Tensor:
        ctx.grid = grid = TileGrid(weight.shape[-1], tile, *images.shape[2:])
        spectra = tile_spectra(images.permute(0, 2, 3, 1), grid)
        ctx.save_for_backward(spectra, weight)
        return convolve(spectra, [kernel_spectra([weight], grid)], grid, bias).permute(0, 3, 1, 2).contiguous()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor, None]:
        spectra, weight = ctx.saved_tensors
        grid, outputs = ctx.grid, gradient.permute(0, 2, 3, 1).contiguous()
        by_images = by_weight = None
        if ctx.needs_input_grad[0]:
            product = multiply(tile_spectra(outputs, grid).flatten(0, 1), rotated_kernel_spectra(weight, grid))
            by_images = assemble(tile_pixels(product, grid), grid).permute(0, 3, 1, 2).contiguous()
        if ctx.needs_input_grad[1]:
            by_weight = kernel_gradient(spectra.flatten(0, 1), block_spectra(outputs, grid), grid)
        return by_images, by_weight, gradient.sum((0, 2, 3)), None
