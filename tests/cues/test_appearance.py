from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from maskedskipunet.cues.appearance import COMPONENTS, MEMORY_BYTES, PATCH, Descriptor, new_memory
from maskedskipunet.cues.grid import PlaceGrid

Street = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def frames(make_street: Street) -> np.ndarray:
    return np.concatenate([make_street(seed=seed) for seed in range(3)])


@pytest.fixture(scope="module")
def descriptor(frames: np.ndarray, grid: PlaceGrid) -> Descriptor:
    return Descriptor.fit(frames, grid)


def windows(frames: np.ndarray, grid: PlaceGrid, place: int) -> np.ndarray:
    """The pixels of one window reduced to PATCH x PATCH, (N, C * PATCH * PATCH), cut by hand."""
    row, column = divmod(place, grid.shape[1])
    top, left, side = row * grid.stride_px, column * grid.stride_px, grid.window_px
    cut = frames[:, :, top : top + side, left : left + side] / 255.0
    step = side // PATCH
    return cut.reshape(len(frames), -1, PATCH, step, PATCH, step).mean(axis=(3, 5)).reshape(len(frames), -1)


@pytest.mark.parametrize("place", [0, 26, 48])
def test_a_window_is_described_by_the_principal_components_that_an_independent_analysis_finds(
    frames: np.ndarray, grid: PlaceGrid, descriptor: Descriptor, place: int
) -> None:
    seen = windows(frames, grid, place)
    independent = PCA(COMPONENTS).fit_transform(seen)

    ours = descriptor(frames)[place].numpy()

    strong = independent.std(axis=0) > 0.05  # the others are noise, whose directions nearly tie
    np.testing.assert_allclose(np.abs(ours[:, strong]), np.abs(independent[:, strong]), atol=2e-3)


def test_it_keeps_nearly_all_that_windows_differ_by(
    frames: np.ndarray, grid: PlaceGrid, descriptor: Descriptor
) -> None:
    seen = windows(frames, grid, 26)
    whole = ((seen - seen.mean(axis=0)) ** 2).sum()

    assert float(descriptor(frames)[26].square().sum()) > 0.9 * whole


def test_frames_are_described_alike_alone_and_together(frames: np.ndarray, descriptor: Descriptor) -> None:
    together = descriptor(frames[:5])

    alone = torch.cat([descriptor(frames[number : number + 1]) for number in range(5)], 1)

    np.testing.assert_allclose(alone, together, atol=1e-5)
    assert descriptor(frames[:0]).shape == (descriptor.grid.count, 0, descriptor.size)


@pytest.mark.parametrize("level", [0, 38, 255])
def test_a_picture_that_never_changes_is_described_by_nothing(grid: PlaceGrid, level: int) -> None:
    still = np.full((9, 3, grid.height_px, grid.width_px), level, np.uint8)

    found = Descriptor.fit(still, grid)(still)

    assert found.abs().max() < 1e-4


def test_grey_frames_have_a_third_of_the_numbers(make_street: Street, grid: PlaceGrid) -> None:
    grey = Descriptor.fit(make_street(channels=1), grid)

    assert grey.mean.shape == (grid.count, PATCH**2)
    assert grey(make_street(channels=1)).shape == (grid.count, 16, COMPONENTS)


def test_it_is_kept_and_read_again_bit_for_bit(frames: np.ndarray, grid: PlaceGrid, descriptor: Descriptor) -> None:
    arrays = {name: tensor.numpy() for name, tensor in descriptor.arrays().items()}

    assert Descriptor.from_arrays(grid, arrays)(frames).equal(descriptor(frames))


def test_what_is_no_description_or_of_another_grid_is_refused(descriptor: Descriptor, grid: PlaceGrid) -> None:
    arrays = {name: tensor.numpy() for name, tensor in descriptor.arrays().items()}

    with pytest.raises(ValueError, match="another grid"):
        Descriptor.from_arrays(PlaceGrid.of_size(64, 64), arrays)
    with pytest.raises(ValueError, match="no numbers"):
        Descriptor.from_arrays(grid, arrays | {"appearance.mean": arrays["appearance.mean"] * np.float32("nan")})
    with pytest.raises(KeyError):
        Descriptor.from_arrays(grid, {})


def test_a_memory_is_no_larger_than_it_may_be(descriptor: Descriptor) -> None:
    memory = new_memory(descriptor)

    assert 0.9 * MEMORY_BYTES < memory.capacity * descriptor.grid.count * descriptor.size * 4 <= MEMORY_BYTES
