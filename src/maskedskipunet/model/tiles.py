"""Convolutions with large kernels by the discrete Fourier transform of overlapping tiles (overlap-save).

A convolution becomes a product at each frequency, whose cost does not depend on the kernel's size. Tiles are small, so
their transforms are products with small matrices of cosines and sines: those run at the speed of matrix products, take
any tile size, and leave their results where the next step reads them, which library transforms and the copies around
them do not. Images are (N, H, W, C), C innermost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, pi

import torch
import torch.nn.functional as F
from torch import Tensor

LARGEST_BYTES = 800_000_000  # of one convolution's transformed kernels
READING = 4.0  # multiplications in the time that one number of a kernel's transform is read in, for a frame or two

Product = tuple[Tensor, Tensor]  # real and imaginary part, each (frequencies, tiles, channels)


@dataclass(frozen=True)
class TileGrid:
    """A grid of tiles that cover an image.

    kernel: side of the kernels, odd. tile: side of a tile, above kernel. height_px, width_px: of the images.
    """

    kernel: int
    tile: int
    height_px: int
    width_px: int

    @property
    def step(self) -> int:
        """Side of the part of a tile that is right, the rest being wrapped around."""
        return self.tile - self.kernel + 1

    @property
    def down(self) -> int:
        return ceil(self.height_px / self.step)

    @property
    def across(self) -> int:
        return ceil(self.width_px / self.step)

    @property
    def tiles(self) -> int:
        """Tiles of one image."""
        return self.down * self.across

    @property
    def half(self) -> int:
        """Frequencies kept along the height: the others are their conjugates, images being real."""
        return self.tile // 2 + 1

    @property
    def frequencies(self) -> int:
        return self.half * self.tile


def tilings(kernel: int, height_px: int, width_px: int, *, inputs: int, outputs: int, even: bool) -> list[TileGrid]:
    """Return the tilings with the fewest operations, the best first, without those with too large transformed kernels.

    inputs, outputs: channels. even: whether tiles must cut into squares of 2x2.
    """
    found = {}
    for parts in range(1, max(height_px, width_px) // 4 + 2):
        for side in (height_px, width_px):
            step = -(-side // parts)
            step += step % 2 if even else 0
            grid = TileGrid(kernel, step + kernel - 1, height_px, width_px)
            if transform_bytes(grid, inputs, outputs) <= LARGEST_BYTES:
                found[grid.tile] = grid
    return sorted(found.values(), key=lambda grid: _cost(grid, inputs, outputs))


def _cost(grid: TileGrid, inputs: int, outputs: int) -> float:
    return multiplications(grid, inputs, outputs) + READING * 2 * grid.frequencies * inputs * outputs


def multiplications(grid: TileGrid, inputs: int, outputs: int) -> float:
    """Return the multiplications of one image: those of the products and of the transforms."""
    forward_cost = (
        2 * grid.half * grid.tile * (grid.step if grid.down > 1 else grid.tile) + 4 * grid.half * grid.tile**2
    )
    back = 2 * grid.half * grid.step * grid.tile * 2 + 2 * grid.half * grid.step**2
    products = grid.frequencies * inputs * outputs
    return float(grid.tiles * (4 * products + forward_cost * inputs + back * outputs))


def transform_bytes(grid: TileGrid, inputs: int, outputs: int) -> int:
    """Return what the transforms of kernels take in float32, real and imaginary parts."""
    return 8 * grid.frequencies * inputs * outputs


def tile_spectra(images: Tensor, grid: TileGrid) -> Tensor:
    """Return the transforms of all tiles: (N, H, W, C) -> (N, tiles, frequencies, 2, C), real before imaginary part."""
    count, height, width, channels = images.shape
    tile, step, half = grid.tile, grid.step, grid.half
    rows, columns = _forward(tile, images.dtype)
    margin = grid.kernel // 2
    tall, wide = (grid.down - 1) * step + tile, (grid.across - 1) * step + tile
    padded = images.new_zeros(count, tall, wide, channels)
    padded[:, margin : margin + height, margin : margin + width] = images
    # Along the height, tiles of a row at once: where they overlap they share the work.
    line = wide * channels
    strips = padded.as_strided((count, grid.down, tile, line), (tall * line, step * line, line, 1))
    halfway = images.new_empty(count, grid.down, 2 * half, line)
    for strip, target in zip(strips, halfway, strict=True):
        torch.bmm(rows.expand(grid.down, -1, -1), strip, out=target)
    tiled = halfway.view(count * grid.down, half, 2, wide, channels).unfold(3, tile, step)
    tiled = tiled.permute(0, 3, 1, 2, 5, 4).reshape(-1, 2 * tile, channels)  # rows: real parts, then imaginary parts
    spectra = torch.bmm(columns.expand(len(tiled), -1, -1), tiled)
    return spectra.view(count, grid.tiles, grid.frequencies, 2, channels)


def kernel_spectra(kernels: Sequence[Tensor], grid: TileGrid) -> Product:
    """Return the transforms of kernels side by side, ready to multiply.

    kernels: each (out, in, k, k). Returns two of (frequencies, in, all out), the real and the imaginary part.
    Kernels smaller than the grid's act as if zeros lay around them.
    """
    outputs, inputs = sum(len(kernel) for kernel in kernels), kernels[0].shape[1]
    made = tuple(kernels[0].new_empty(grid.frequencies, inputs, outputs) for _ in range(2))
    first = 0
    for kernel in kernels:
        last = first + len(kernel)
        taps = kernel.flatten(1).T.contiguous().view(inputs, -1, len(kernel))  # (in, k * k, out)
        for wave, whole in zip(_waves_of(kernel, grid), made, strict=True):
            torch.bmm(wave.expand(inputs, -1, -1), taps, out=whole[:, :, first:last].transpose(0, 1))
        first = last
    return made[0], made[1]


def rotated_kernel_spectra(kernel: Tensor, grid: TileGrid) -> Product:
    """Return the spectra of the kernel for the backward pass: rotated by 180 degrees, inputs and outputs exchanged.

    (out, in, k, k) -> two of (frequencies, out, in).
    """
    taps = kernel.flatten(2).flatten(0, 1).T  # (k * k, out * in)
    real, imaginary = (wave.flip(1) @ taps for wave in _waves_of(kernel, grid))
    return real.view(-1, *kernel.shape[:2]), imaginary.view(-1, *kernel.shape[:2])


def _waves_of(kernel: Tensor, grid: TileGrid) -> Product:
    return _kernel_waves(grid.kernel, kernel.shape[-1], grid.tile, kernel.dtype)


def multiply(spectra: Tensor, kernels: Product, into: Product | None = None) -> Product:
    """Return the product at each frequency: (tiles, frequencies, 2, in) by (frequencies, in, out), added to `into`, if
    any.
    """
    real, imaginary = spectra[:, :, 0].transpose(0, 1), spectra[:, :, 1].transpose(0, 1)
    kernel_real, kernel_imaginary = kernels
    if into is None:
        into = torch.bmm(real, kernel_real), torch.bmm(real, kernel_imaginary)
    else:
        into[0].baddbmm_(real, kernel_real)
        into[1].baddbmm_(real, kernel_imaginary)
    into[0].baddbmm_(imaginary, kernel_imaginary, alpha=-1)
    into[1].baddbmm_(imaginary, kernel_real)
    return into


def add_bias(product: Product, bias: Tensor, grid: TileGrid) -> None:
    """Add (out,) to every pixel, which is to add to the lowest frequency alone."""
    product[0][0].add_(bias, alpha=grid.tile**2)


def tile_pixels(product: Product, grid: TileGrid, evens_first: bool = False) -> Tensor:
    """Transform back from frequencies: (frequencies, tiles, C) -> (step, step, tiles, C), the valid part of each tile.

    evens_first: rows 0, 2, 4, … before 1, 3, 5, …, and columns likewise: the four places of 2x2 squares lie apart.
    """
    real, imaginary = product
    tile, step, half = grid.tile, grid.step, grid.half
    from_real, from_imaginary, rows = _inverse(grid.kernel, tile, evens_first, real.dtype)
    channels, line = real.shape[2], real.shape[1] * real.shape[2]
    halfway = torch.bmm(from_real.expand(half, -1, -1), real.view(half, tile, line))
    halfway.baddbmm_(from_imaginary.expand(half, -1, -1), imaginary.view(half, tile, line))
    return (rows @ halfway.view(2 * half, step * line)).view(step, step, -1, channels)


def assemble(pixels: Tensor, grid: TileGrid) -> Tensor:
    """Assemble tiles: (side, side, N * tiles, C) -> images (N, H, W, C), cropped to the image.

    side: the grid's step, or half of it where the tiles were halved since.
    """
    side, _, rows, channels = pixels.shape
    images = pixels.view(side, side, -1, grid.down, grid.across, channels).permute(2, 3, 0, 4, 1, 5)
    images = images.reshape(rows // grid.tiles, grid.down * side, grid.across * side, channels)
    return images[:, : grid.height_px * side // grid.step, : grid.width_px * side // grid.step]


def convolve(spectra: Tensor, kernels: Sequence[Product], grid: TileGrid, bias: Tensor) -> Tensor:
    """Return a "same" convolution over T images, from their transforms: N + T - 1 images by T kernels -> (N, H, W,
    out).

    spectra: tile_spectra of the images. Each kernel belongs to one frame of a window of T that slides over them.
    """
    count = len(spectra) - len(kernels) + 1
    product: Product | None = None
    for index, kernel in enumerate(kernels):
        product = multiply(spectra[index : index + count].flatten(0, 1), kernel, product)
    assert product is not None, "a convolution has a kernel"
    add_bias(product, bias, grid)
    return assemble(tile_pixels(product, grid), grid)


def block_spectra(images: Tensor, grid: TileGrid) -> Tensor:
    """Return the transforms of the valid parts alone, with zeros around them.

    images: (N, H, W, C). Returns (N * tiles, frequencies, 2, C).
    """
    count, height, width, channels = images.shape
    tile, step, half = grid.tile, grid.step, grid.half
    rows, columns = _forward(tile, images.dtype)
    padded = F.pad(images, (0, 0, 0, grid.across * step - width, 0, grid.down * step - height))
    halfway = rows[:, :step] @ padded.view(count * grid.down, step, -1)  # (N * down, 2 * half, across * step * C)
    blocks = halfway.view(count * grid.down, half, 2, grid.across, step, channels)
    blocks = blocks.permute(0, 3, 1, 2, 4, 5).reshape(-1, 2 * step, channels)
    within = columns.view(-1, 2, tile)[:, :, :step].flatten(1)
    spectra = torch.bmm(within.expand(len(blocks), -1, -1), blocks)
    return spectra.view(count * grid.tiles, grid.frequencies, 2, channels)


def kernel_gradient(spectra: Tensor, outputs: Tensor, grid: TileGrid) -> Tensor:
    """Return how a loss changes with the kernel.

    spectra: of the tiles of what was convolved, (N * tiles, frequencies, 2, in). outputs: block_spectra of the loss's
    gradient by what came out, (N * tiles, frequencies, 2, out). Returns (out, in, k, k).
    """
    real, imaginary = spectra[:, :, 0].transpose(0, 1), spectra[:, :, 1].transpose(0, 1)  # (frequencies, tiles, in)
    by_real, by_imaginary = (outputs[:, :, part].permute(1, 2, 0) for part in (0, 1))  # (frequencies, out, tiles)
    sum_real = torch.bmm(by_real, real).baddbmm_(by_imaginary, imaginary)
    sum_imaginary = torch.bmm(by_real, imaginary).baddbmm_(by_imaginary, real, alpha=-1)
    cosine, sine = _lags(grid.kernel, grid.tile, spectra.dtype)
    taps = cosine @ sum_real.flatten(1) - sine @ sum_imaginary.flatten(1)
    return taps.view(grid.kernel, grid.kernel, *sum_real.shape[1:]).permute(2, 3, 0, 1)


@lru_cache(maxsize=64)
@torch.inference_mode(False)
def _forward(tile: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the matrices that transform tiles.

    Along the height: (2 * half, tile), rows (frequency, part). Along the width: (2 * tile, 2 * tile), rows (frequency,
    part), columns (part, pixel).
    """
    cosine, sine = _waves(tile)
    half = tile // 2 + 1
    rows = torch.stack([cosine[:half], -sine[:half]], 1).flatten(0, 1)
    columns = torch.stack([torch.cat([cosine, sine], 1), torch.cat([-sine, cosine], 1)], 1).flatten(0, 1)
    return rows.to(dtype), columns.to(dtype)


@lru_cache(maxsize=64)
@torch.inference_mode(False)
def _inverse(kernel: int, tile: int, evens_first: bool, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Return the matrices that transform frequencies back.

    Along the width, from real and from imaginary parts: (2 * step, tile), rows (part, pixel). Along the height: (step,
    2 * half), columns (frequency, part).
    """
    right = torch.arange(kernel - 1, tile)  # the first pixels are wrapped around
    if evens_first:
        right = torch.cat([right[0::2], right[1::2]])
    cosine, sine = (wave[right] / tile for wave in _waves(tile))
    twice = _with_conjugates(tile)
    half = len(twice)
    rows = torch.stack([cosine[:, :half] * twice, -sine[:, :half] * twice], 2).flatten(1, 2)
    from_real, from_imaginary = torch.cat([cosine, sine]), torch.cat([-sine, cosine])
    return from_real.to(dtype), from_imaginary.to(dtype), rows.to(dtype)


@lru_cache(maxsize=64)
@torch.inference_mode(False)
def _kernel_waves(kernel: int, inner: int, tile: int, dtype: torch.dtype) -> Product:
    """Return the real and imaginary part of each tap's wave, (frequencies, inner * inner).

    The kernels have the side `inner` and lie in the middle of ones of side `kernel`. They are turned around, because
    torch convolves without turning them.
    """
    margin = (kernel - inner) // 2
    position = torch.arange(kernel - 1 - margin, margin - 1, -1, dtype=torch.float64)
    down = torch.arange(tile // 2 + 1, dtype=torch.float64)[:, None, None, None] * position[:, None]
    across = torch.arange(tile, dtype=torch.float64)[:, None, None] * position
    angle = ((down + across) * (2 * pi / tile)).flatten(2).flatten(0, 1)
    return angle.cos().to(dtype), (-angle.sin()).to(dtype)


@lru_cache(maxsize=64)
@torch.inference_mode(False)
def _lags(kernel: int, tile: int, dtype: torch.dtype) -> Product:
    """Return the real and imaginary waves at the first k x k places, (k * k, frequencies), each with its conjugate."""
    real, imaginary = _kernel_waves(kernel, kernel, tile, torch.float64)
    weights = _with_conjugates(tile).repeat_interleave(tile) / tile**2
    # Tap t of a kernel stands at place k - 1 - t there: turned around, places 0 to k - 1 come in order.
    return (real.flip(1).T * weights).to(dtype), (-imaginary.flip(1).T * weights).to(dtype)


def _with_conjugates(tile: int) -> Tensor:
    """Return how often each frequency along the height counts, (half,): those left out are conjugates of those kept."""
    times = torch.full((tile // 2 + 1,), 2.0, dtype=torch.float64)
    times[0] = 1  # the constant is its own conjugate,
    if tile % 2 == 0:
        times[-1] = 1  # and so is the fastest wave
    return times


def _waves(tile: int) -> tuple[Tensor, Tensor]:
    position = torch.arange(tile, dtype=torch.float64)
    angle = torch.outer(position, position).remainder(tile) * (2 * pi / tile)
    return angle.cos(), angle.sin()
