import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskedskipunet.data.resizing import network_frame, resize_image

sizes = st.integers(1, 80)


def noise(height_px, width_px, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)


def triangles(size, to_size):
    """(to_size, size): by how much each pixel counts; the tent is widened when the image is made smaller."""
    scale = size / to_size
    centres = (np.arange(to_size)[:, None] + 0.5) * scale
    weights = np.maximum(0, 1 - np.abs(np.arange(size) + 0.5 - centres) / max(scale, 1))
    return weights / weights.sum(axis=1, keepdims=True)


def resized_by_definition(image, height_px, width_px):
    """Bilinear with antialiasing, in floating point."""
    rows, columns = triangles(image.shape[0], height_px), triangles(image.shape[1], width_px)
    return np.einsum("yi,xj,ijc->yxc", rows, columns, image.astype(float))


@settings(max_examples=60)
@given(sizes, sizes, sizes, sizes)
def test_resizing_is_bilinear_with_antialiasing_on_eight_bits(height_px, width_px, to_height_px, to_width_px):
    image = noise(height_px, width_px)
    resized = resize_image(image, height_px=to_height_px, width_px=to_width_px)
    assert resized.dtype == np.uint8
    assert resized.shape == (to_height_px, to_width_px, 3)
    # Eight-bit arithmetic rounds after each direction.
    assert np.abs(resized - resized_by_definition(image, to_height_px, to_width_px)).max() <= 1.05


def test_a_fine_pattern_turns_grey_and_does_not_alias():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    inner = resize_image(stripes, height_px=16, width_px=16)[:, 1:-1]
    assert inner.min() >= 126
    assert inner.max() <= 129


def test_an_image_that_fits_is_given_as_it_is():
    image = noise(32, 48)
    assert resize_image(image, height_px=32, width_px=48) is image
    assert np.array_equal(network_frame(image, height_px=32, width_px=48, channels=3), image.transpose(2, 0, 1))


@given(sizes, sizes, st.integers(0, 255))
def test_a_flat_image_stays_flat(height_px, width_px, value):
    flat = np.full((height_px, width_px, 3), value, np.uint8)
    for channels in (1, 3):
        frame = network_frame(flat, height_px=16, width_px=24, channels=channels)
        assert frame.shape == (channels, 16, 24)
        assert np.all(frame == value)


def test_one_channel_is_the_luma_of_the_resized_image():
    image = noise(40, 56)
    luma = network_frame(image, height_px=32, width_px=48, channels=1)
    resized = resize_image(image, height_px=32, width_px=48).astype(float)
    assert luma.dtype == np.uint8
    assert luma.shape == (1, 32, 48)
    assert np.abs(luma[0] - resized @ [0.299, 0.587, 0.114]).max() <= 0.6  # ITU-R 601-2, rounded


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size_px", [32, 48])
def test_frames_lie_in_memory_as_they_are_stored(channels, size_px):
    frame = network_frame(noise(32, 32)[:, ::-1], height_px=size_px, width_px=size_px, channels=channels)
    assert frame.flags.c_contiguous
    assert len(bytes(frame.data)) == channels * size_px**2
