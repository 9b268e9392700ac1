"""The stages of a prepared network: each block and skip in two ways, by the library's convolutions and by tiles.

Images are (N, H, W, C), C innermost, throughout. A stage takes and gives them. Both ways give the same to rounding;
`autotune` measures which one is faster.
"""

from collections.abc import Callable, Iterator, Sequence
from math import ceil

import torch
import torch.nn.functional as F
from torch import Tensor

from maskedskipunet.inference.folding import POSITIONS, FoldedBlock, FoldedSkip, position_order
from maskedskipunet.model.tiles import (
    Product,
    TileGrid,
    add_bias,
    assemble,
    convolve,
    kernel_spectra,
    multiply,
    tile_pixels,
    tile_spectra,
)

Stage = Callable[[Tensor], Tensor]
ROWS_TOGETHER = 128  # tiles multiplied at once: fewer leave matrix products slow, more outgrow the caches
HIDDEN_BYTES = 100_000_000  # of what lies between a block's convolutions and its 1x1 one


class DirectEncoder:
    """(N, H, W, in) -> (N, H/2, W/2, out) by the library's convolutions."""

    def __init__(self, block: FoldedBlock) -> None:
        self.kernels, self.bias = block.kernels, block.bias
        positions = block.project.permute(2, 1, 0)  # (out, hidden, position)
        self.project = positions.reshape(*positions.shape[:2], 2, 2).contiguous(memory_format=torch.channels_last)
        self.project_bias = block.project_bias

    def __call__(self, images: Tensor) -> Tensor:
        return torch.cat([self._halved(chunk) for chunk in few_images(images, len(self.bias))])

    def _halved(self, images: Tensor) -> Tensor:
        hidden = side_by_side(images, self.kernels, self.bias)
        return F.conv2d(hidden, self.project, self.project_bias, stride=2).relu_().permute(0, 2, 3, 1)


class DirectDecoder:
    """(N, H, W, in) -> (N, 2H, 2W, out) by the library's convolutions."""

    def __init__(self, block: FoldedBlock) -> None:
        self.kernels, self.bias, self.relu = block.kernels, block.bias, block.relu
        self.project, self.project_bias = block.project, block.project_bias

    def __call__(self, images: Tensor) -> Tensor:
        return torch.cat([self._doubled(chunk) for chunk in few_images(images, len(self.bias))])

    def _doubled(self, images: Tensor) -> Tensor:
        count, height, width, _ = images.shape
        hidden = side_by_side(images, self.kernels, self.bias).permute(0, 2, 3, 1)  # (N, H, W, hidden * 4)
        hidden = hidden.reshape(count, height, width, -1, 2, 2).permute(0, 1, 4, 2, 5, 3)
        output = hidden.reshape(count, 2 * height, 2 * width, -1) @ self.project + self.project_bias
        return output.relu_() if self.relu else output


class TiledEncoder:
    """(N, H, W, in) -> (N, H/2, W/2, out) by tiles of even step, each halved before it is set into its place."""

    def __init__(self, block: FoldedBlock, grid: TileGrid) -> None:
        self.grid = grid
        self.kernels, self.bias = kernel_spectra(block.kernels, grid), block.bias
        self.project, self.project_bias = block.project, block.project_bias

    def __call__(self, images: Tensor) -> Tensor:
        return torch.cat([self._halved(chunk) for chunk in few_tiles(images, self.grid)])

    def _halved(self, images: Tensor) -> Tensor:
        hidden = tiled_side_by_side(images, self.kernels, self.bias, self.grid, evens_first=True)
        half = self.grid.step // 2
        by_position = hidden.view(2, half, 2, -1, hidden.shape[3])  # (row, half, column, half * tiles, hidden)
        output = by_position[0, :, 0] @ self.project[0]
        for position in range(1, POSITIONS):
            output.baddbmm_(by_position[position // 2, :, position % 2], self.project[position].expand(half, -1, -1))
        output = output.view(half, half, hidden.shape[2], -1)
        return assemble(output.add_(self.project_bias).relu_(), self.grid)


class TiledDecoder:
    """(N, H, W, in) -> (N, 2H, 2W, out) by tiles, each doubled before it is set into its place."""

    def __init__(self, block: FoldedBlock, grid: TileGrid) -> None:
        self.grid, self.relu = grid, block.relu
        by_position = [kernel[position::POSITIONS] for position in range(POSITIONS) for kernel in block.kernels]
        self.kernels = kernel_spectra(by_position, grid)
        self.bias = block.bias[position_order(len(block.bias))]
        self.project, self.project_bias = block.project, block.project_bias

    def __call__(self, images: Tensor) -> Tensor:
        return torch.cat([self._doubled(chunk) for chunk in few_tiles(images, self.grid)])

    def _doubled(self, images: Tensor) -> Tensor:
        grid, step = self.grid, self.grid.step
        hidden = tiled_side_by_side(images, self.kernels, self.bias, grid)  # (step, step, tiles, position * hidden)
        by_position = hidden.view(-1, POSITIONS, len(self.project)).transpose(0, 1)
        output = torch.baddbmm(self.project_bias, by_position, self.project.expand(POSITIONS, -1, -1))
        if self.relu:
            output.relu_()
        output = output.view(2, 2, step, step, len(images), grid.down, grid.across, -1)
        output = output.permute(4, 5, 2, 0, 6, 3, 1, 7).reshape(
            len(images), 2 * grid.down * step, 2 * grid.across * step, -1
        )
        return output[:, : 2 * grid.height_px, : 2 * grid.width_px]


class DirectSkip:
    """Features of R frames in a row, (R, H, W, C), to what the skip passes on for each window of T."""

    def __init__(self, skip: FoldedSkip) -> None:
        self.frames = skip.kernel.shape[1]
        self.kernel, self.bias = skip.kernel.flatten(1, 2), skip.bias

    def keep(self, images: Tensor) -> Tensor:
        return images

    def __call__(self, kept: Tensor) -> Tensor:
        count = len(kept) - self.frames + 1
        windows = torch.cat([kept[start : start + count] for start in range(self.frames)], 3).permute(0, 3, 1, 2)
        return F.conv2d(windows, self.kernel, self.bias, padding=self.kernel.shape[-1] // 2).permute(0, 2, 3, 1)


class TiledSkip:
    """Computes the result of DirectSkip by tiles.

    The transforms of each frame's tiles are kept: made once, they serve T windows.
    """

    def __init__(self, skip: FoldedSkip, grid: TileGrid) -> None:
        self.grid, self.bias = grid, skip.bias
        self.kernels = [kernel_spectra([kernel], grid) for kernel in skip.kernel.unbind(1)]

    def keep(self, images: Tensor) -> Tensor:
        return tile_spectra(images, self.grid)  # (R, tiles, frequencies, 2, C)

    def __call__(self, kept: Tensor) -> Tensor:
        count, together = len(kept) - len(self.kernels) + 1, ceil(ROWS_TOGETHER / self.grid.tiles)
        windows = (kept[first : first + together + len(self.kernels) - 1] for first in range(0, count, together))
        return torch.cat([convolve(window, self.kernels, self.grid, self.bias) for window in windows])


class TargetSkip:
    """Passes the target frame's features on unchanged."""

    def __init__(self, frames: int) -> None:
        self.frames = frames

    def keep(self, images: Tensor) -> Tensor:
        return images

    def __call__(self, kept: Tensor) -> Tensor:
        half = self.frames // 2
        return kept[half : len(kept) - half]


class NoSkip:
    """Passes nothing on, and keeps nothing but the count of frames."""

    def keep(self, images: Tensor) -> Tensor:
        return images.new_empty(len(images), 0)

    def __call__(self, kept: Tensor) -> None:
        return None


Skip = DirectSkip | TiledSkip | TargetSkip | NoSkip


def side_by_side(images: Tensor, kernels: Sequence[Tensor], bias: Tensor) -> Tensor:
    """Return the convolutions of a block with a ReLU: (N, H, W, in) -> (N, all outputs, H, W), C innermost
    in memory.
    """
    pixels = images.permute(0, 3, 1, 2)
    biases = torch.split(bias, [len(kernel) for kernel in kernels])
    outputs = [
        F.conv2d(pixels, kernel, part, padding=kernel.shape[-1] // 2)
        for kernel, part in zip(kernels, biases, strict=True)
    ]
    return (outputs[0] if len(outputs) == 1 else torch.cat(outputs, 1)).relu_()


def tiled_side_by_side(
    images: Tensor, kernels: Product, bias: Tensor, grid: TileGrid, evens_first: bool = False
) -> Tensor:
    """Return what side_by_side gives, by tiles that are left apart: (N, H, W, in) -> (step, step, N * tiles, all
    outputs).
    """
    product = multiply(tile_spectra(images, grid).flatten(0, 1), kernels)
    add_bias(product, bias, grid)
    return tile_pixels(product, grid, evens_first).relu_()


def few_images(images: Tensor, hidden: int) -> Iterator[Tensor]:
    """Yield a few images at a time on the CPU, where writing new memory costs more than larger batches save."""
    together = max(1, HIDDEN_BYTES // (hidden * images[0, :, :, 0].numel() * images.element_size()))
    return iter(torch.split(images, together if images.device.type == "cpu" else len(images)))


def few_tiles(images: Tensor, grid: TileGrid) -> Iterator[Tensor]:
    """Yield a few images at a time, so that the products of their tiles stay small."""
    return iter(torch.split(images, ceil(ROWS_TOGETHER / grid.tiles)))
