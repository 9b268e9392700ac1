"""Convolutions by tiles against the library's own, in double precision, where only rounding is left."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from maskedskipunet.model.tiles import (
    LARGEST_BYTES,
    TileGrid,
    convolve,
    kernel_spectra,
    tile_pixels,
    tile_spectra,
    tilings,
    transform_bytes,
)


@settings(max_examples=40)
@given(
    half=st.integers(0, 5),
    more=st.integers(1, 9),
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    frames=st.integers(1, 3),
    count=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_tiles_give_what_a_convolution_gives_at_any_size(
    half: int, more: int, height: int, width: int, frames: int, count: int, seed: int
) -> None:
    kernel = 2 * half + 1
    grid = TileGrid(kernel, kernel + more, height, width)
    random = torch.Generator().manual_seed(seed)
    images = torch.randn(count + frames - 1, 2, height, width, generator=random, dtype=torch.float64)
    weights = torch.randn(frames, 3, 2, kernel, kernel, generator=random, dtype=torch.float64)
    bias = torch.randn(3, generator=random, dtype=torch.float64)

    kernels = [kernel_spectra([weight], grid) for weight in weights]
    found = convolve(tile_spectra(images.permute(0, 2, 3, 1), grid), kernels, grid, bias).permute(0, 3, 1, 2)

    expected = bias[:, None, None] + sum(
        F.conv2d(images[at : at + count], weight, padding=half) for at, weight in enumerate(weights)
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize(("kernel", "tile"), [(17, 48), (11, 26), (7, 22), (3, 6)])
def test_in_single_precision_a_millionth_is_lost(kernel: int, tile: int) -> None:
    torch.manual_seed(0)
    images, weight = torch.randn(2, 8, 64, 64), torch.randn(8, 8, kernel, kernel)
    grid = TileGrid(kernel, tile, 64, 64)
    spectra = tile_spectra(images.permute(0, 2, 3, 1), grid)

    found = convolve(spectra, [kernel_spectra([weight], grid)], grid, torch.zeros(8)).permute(0, 3, 1, 2)

    expected = F.conv2d(images.double(), weight.double(), padding=kernel // 2)
    assert (found - expected).abs().max() < 3e-6 * expected.abs().max()


def test_a_tiles_transform_is_the_discrete_fourier_transform() -> None:
    torch.manual_seed(0)
    grid = TileGrid(3, 8, 6, 6)  # one tile, with a margin of one pixel around
    image = torch.randn(1, 6, 6, 2, dtype=torch.float64)

    spectra = tile_spectra(image, grid).view(grid.half, grid.tile, 2, 2)

    padded = F.pad(image[0], (0, 0, 1, 1, 1, 1))
    expected = torch.view_as_real(torch.fft.fft2(padded, dim=(0, 1))[: grid.half]).transpose(2, 3)
    torch.testing.assert_close(spectra, expected, rtol=0, atol=1e-12)


def test_even_rows_and_columns_can_come_first() -> None:
    torch.manual_seed(0)
    grid = TileGrid(3, 8, 12, 12)
    product = torch.randn(grid.frequencies, 4, 2), torch.randn(grid.frequencies, 4, 2)

    plain, reordered = tile_pixels(product, grid), tile_pixels(product, grid, evens_first=True)

    order = [0, 2, 4, 1, 3, 5]
    torch.testing.assert_close(reordered, plain[order][:, order])


def test_kernels_of_several_sizes_side_by_side_give_what_each_gives() -> None:
    torch.manual_seed(0)
    grid = TileGrid(7, 12, 9, 11)
    image = torch.randn(1, 2, 9, 11, dtype=torch.float64)
    kernels = [torch.randn(outputs, 2, side, side, dtype=torch.float64) for outputs, side in ((3, 3), (1, 5), (2, 7))]

    found = convolve(
        tile_spectra(image.permute(0, 2, 3, 1), grid),
        [kernel_spectra(kernels, grid)],
        grid,
        torch.zeros(6, dtype=torch.float64),
    )

    expected = torch.cat([F.conv2d(image, kernel, padding=kernel.shape[-1] // 2) for kernel in kernels], 1)
    torch.testing.assert_close(found.permute(0, 3, 1, 2), expected, rtol=0, atol=1e-12)


def test_tilings_cover_the_frame_fit_into_memory_and_cut_into_squares_where_asked() -> None:
    for kernel, size in ((17, (128, 128)), (7, (48, 80)), (3, (16, 16)), (7, (2, 2))):
        for even in (True, False):
            grids = tilings(kernel, *size, inputs=64, outputs=64, even=even)
            assert grids
            for grid in grids:
                assert grid.down * grid.step >= size[0]
                assert grid.across * grid.step >= size[1]
                assert not (even and grid.step % 2)
                assert transform_bytes(grid, 64, 64) <= LARGEST_BYTES
