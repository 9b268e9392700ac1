from typing import Any, TypeVar

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from maskedskipunet.model.config import BLOCK_KERNELS, BLOCK_MASKS, SKIP_KERNELS, SKIP_MASKS
from maskedskipunet.model.convolutions import MaskedConv2d, SkipConvolution, centred_mask

SKIP_SHAPES = [*zip(SKIP_KERNELS, SKIP_MASKS, strict=True)]
BLOCK_SHAPES = [*zip(BLOCK_KERNELS, BLOCK_MASKS, strict=True)]
CLIP_LENGTHS = (1, 3, 5)
HEIGHT, WIDTH = 12, 15
Layer = TypeVar("Layer", MaskedConv2d, SkipConvolution)
# float64 goes through a plain matrix product, in which a tap of zero adds exactly nothing.
DTYPE = torch.float64


def skip(kernel: int, mask_size: int, frames: int, *, seed: int = 0) -> SkipConvolution:
    torch.manual_seed(seed)
    layer = SkipConvolution(2, frames=frames, kernel=kernel, mask_size=mask_size).to(DTYPE)
    return fill_the_hole(layer)


def masked(in_channels: int, out_channels: int, *, kernel: int, mask_size: int, seed: int = 0) -> MaskedConv2d:
    torch.manual_seed(seed)
    layer = MaskedConv2d(in_channels, out_channels, kernel=kernel, mask_size=mask_size).to(DTYPE)
    return fill_the_hole(layer)


def fill_the_hole(layer: Layer) -> Layer:
    """Junk where the mask is, so that a mask which is not applied shows."""
    with torch.no_grad():
        layer.weight += (1 - layer.mask) * torch.randn_like(layer.weight) * 1e3
    return layer


@pytest.mark.parametrize("frames", CLIP_LENGTHS)
@pytest.mark.parametrize(("kernel", "mask_size"), SKIP_SHAPES + BLOCK_SHAPES)
def test_a_mask_is_zero_in_a_centred_window_of_the_middle_frame_alone(kernel: int, mask_size: int, frames: int) -> None:
    mask = centred_mask(kernel, mask_size, frames)

    frame, row, column = (axis - size // 2 for axis, size in zip(torch.where(mask == 0), mask.shape, strict=True))
    assert mask.shape == (frames, kernel, kernel)
    assert (frame == 0).all()
    assert len(row) == mask_size**2
    assert row.abs().max() == column.abs().max() == mask_size // 2
    assert mask.sum() == mask.numel() - mask_size**2


@pytest.mark.parametrize("frames", CLIP_LENGTHS)
@pytest.mark.parametrize(("kernel", "mask_size"), [*SKIP_SHAPES, (17, 0)])
def test_a_skip_convolution_is_the_target_frame_of_the_whole_convolution(
    kernel: int, mask_size: int, frames: int
) -> None:
    layer = skip(kernel, mask_size, frames)
    clip = torch.rand(2, frames, 2, HEIGHT, WIDTH, dtype=DTYPE)
    volume = clip.transpose(1, 2)

    whole = F.conv3d(volume, layer.weight * layer.mask, layer.bias, padding=(frames // 2, kernel // 2, kernel // 2))

    torch.testing.assert_close(layer(clip), whole[:, :, frames // 2], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(layer.all_frames(volume), whole, rtol=1e-10, atol=1e-10)


@settings(max_examples=60)
@given(
    shape=st.sampled_from(SKIP_SHAPES),
    frames=st.sampled_from(CLIP_LENGTHS),
    row=st.integers(0, HEIGHT - 1),
    column=st.integers(0, WIDTH - 1),
    seed=st.integers(0, 2**31),
)
def test_what_lies_under_the_hole_in_the_target_frame_cannot_change_a_skips_output_there(
    shape: tuple[int, int], frames: int, row: int, column: int, seed: int
) -> None:
    kernel, mask_size = shape
    layer = skip(kernel, mask_size, frames, seed=seed)
    clip = torch.rand(1, frames, 2, HEIGHT, WIDTH, dtype=DTYPE)
    changed = clip.clone()
    fill_window(changed[0, frames // 2], row, column, mask_size)

    before, after = layer(clip), layer(changed)

    assert torch.equal(before[..., row, column], after[..., row, column])
    assert not torch.equal(before, after)  # other places look at what was changed


@settings(max_examples=40)
@given(
    shape=st.sampled_from(BLOCK_SHAPES),
    row=st.integers(0, HEIGHT - 1),
    column=st.integers(0, WIDTH - 1),
    seed=st.integers(0, 2**31),
)
def test_what_lies_under_the_hole_cannot_change_a_masked_convolutions_output_there(
    shape: tuple[int, int], row: int, column: int, seed: int
) -> None:
    kernel, mask_size = shape
    layer = masked(2, 3, kernel=kernel, mask_size=mask_size, seed=seed)
    image = torch.rand(1, 2, HEIGHT, WIDTH, dtype=DTYPE)
    changed = image.clone()
    fill_window(changed[0], row, column, mask_size)

    before, after = layer(image), layer(changed)

    assert torch.equal(before[..., row, column], after[..., row, column])
    assert not torch.equal(before, after)


@pytest.mark.parametrize("frames", CLIP_LENGTHS)
@pytest.mark.parametrize(("kernel", "mask_size"), SKIP_SHAPES)
def test_everything_under_the_kernel_but_the_hole_reaches_the_output(kernel: int, mask_size: int, frames: int) -> None:
    layer = skip(kernel, mask_size, frames)
    clip = torch.rand(1, frames, 2, 2 * kernel, 2 * kernel, dtype=DTYPE, requires_grad=True)
    middle = kernel

    layer(clip)[0, :, middle, middle].sum().backward()

    reached = gradient_of(clip)[0].abs().sum(dim=1) > 0  # (T, H, W)
    expected = torch.zeros_like(reached)
    window = slice(middle - kernel // 2, middle + kernel // 2 + 1)
    expected[:, window, window] = centred_mask(kernel, mask_size, frames) > 0
    assert torch.equal(reached, expected)


def test_a_masked_convolution_is_the_plain_one_with_a_masked_kernel() -> None:
    layer = masked(2, 3, kernel=5, mask_size=3)
    image = torch.rand(2, 2, HEIGHT, WIDTH, dtype=DTYPE)

    plain = F.conv2d(image, layer.weight * centred_mask(5, 3)[0].to(DTYPE), layer.bias, padding=2)

    torch.testing.assert_close(layer(image), plain, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "sizes", "input_shape"),
    [
        (MaskedConv2d, {"in_channels": 2, "out_channels": 2, "kernel": 5, "mask_size": 3}, (1, 2, 8, 8)),
        (SkipConvolution, {"channels": 2, "frames": 3, "kernel": 5, "mask_size": 3}, (1, 3, 2, 8, 8)),
    ],
)
def test_forward_keeps_the_parameters_the_optimizer_holds(
    kind: type[nn.Module], sizes: dict[str, Any], input_shape: tuple[int, ...]
) -> None:
    layer = kind(**sizes)
    held = [*layer.parameters()]
    values = [parameter.clone() for parameter in held]

    layer(torch.rand(input_shape))

    assert all(a is b for a, b in zip(held, layer.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(held, values, strict=True))


@pytest.mark.parametrize(
    "layer", [MaskedConv2d(2, 2, kernel=7, mask_size=5), SkipConvolution(2, frames=3, kernel=7, mask_size=3)]
)
def test_a_new_masked_layer_holds_zeros_in_its_hole_and_stores_no_mask(layer: MaskedConv2d | SkipConvolution) -> None:
    assert torch.equal(layer.weight == 0, (layer.mask == 0).expand_as(layer.weight))
    assert set(layer.state_dict()) == {"weight", "bias"}


def fill_window(frame: Tensor, row: int, column: int, side: int) -> None:
    """Junk into the window of a frame (C, H, W) centred on a place, as far as it lies inside."""
    half = side // 2
    rows, columns = slice(max(0, row - half), row + half + 1), slice(max(0, column - half), column + half + 1)
    frame[:, rows, columns] = torch.randn_like(frame[:, rows, columns]) * 1e3


def gradient_of(tensor: Tensor) -> Tensor:
    assert tensor.grad is not None
    return tensor.grad
