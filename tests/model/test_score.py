from math import sqrt

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import maskedskipunet as msu
from maskedskipunet.errors import ShapeError

PATCH, STEP = 16, 8
SIDES = st.integers(1, 5).map(lambda patches: PATCH * patches)


def images(channels: int, *, seed: int, count: int = 2, height: int = 16, width: int = 32) -> torch.Tensor:
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(seed))


def patch_means(score_map: NDArray[np.float32]) -> list[float]:
    """The means of all patches of one map, by its definition: the grid, and the grid 8 pixels further inside."""
    height, width = score_map.shape
    return [
        float(score_map[top : top + PATCH, left : left + PATCH].mean(dtype=np.float64))
        for start in (0, STEP)
        for top in range(start, height - start - PATCH + 1, PATCH)
        for left in range(start, width - start - PATCH + 1, PATCH)
    ]


@settings(max_examples=40)
@given(height=SIDES, width=SIDES, count=st.integers(1, 3), seed=st.integers(0, 2**31), power=st.integers(1, 20))
def test_a_frames_score_is_the_largest_mean_of_any_patch(
    height: int, width: int, count: int, seed: int, power: int
) -> None:
    maps = np.random.default_rng(seed).random((count, height, width), dtype=np.float32) ** power

    scores = msu.frame_score(torch.from_numpy(maps)).tolist()

    for score, score_map in zip(scores, maps, strict=True):
        means = patch_means(score_map)
        assert score == pytest.approx(max(means), rel=1e-5)
        assert all(score >= mean * (1 - 1e-5) for mean in means)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (16, 32), (8, 8), (24, 40)])
def test_an_anomaly_that_fills_a_patch_of_either_grid_counts_in_full(row: int, column: int) -> None:
    maps = torch.zeros(1, 48, 64)
    maps[0, row : row + PATCH, column : column + PATCH] = 0.5

    assert msu.frame_score(maps).tolist() == [0.5]


def test_the_score_of_a_frame_does_not_depend_on_the_others_of_its_batch() -> None:
    maps = images(1, count=4, seed=0)[:, 0]

    assert torch.equal(msu.frame_score(maps), torch.cat([msu.frame_score(one[None]) for one in maps]))


@settings(max_examples=40)
@given(channels=st.sampled_from([1, 3]), seed=st.integers(0, 2**31), extreme=st.booleans())
def test_a_score_map_is_the_norm_over_channels_by_the_root_of_three_and_stays_within_0_and_1(
    channels: int, seed: int, extreme: bool
) -> None:
    target, reconstruction = images(channels, seed=seed), images(channels, seed=seed + 1)
    if extreme:
        target, reconstruction = target.round(), reconstruction.round()

    maps = msu.score_map(target, reconstruction)

    expected = np.linalg.norm((target - reconstruction).numpy().astype(np.float64), axis=1) / sqrt(3)
    np.testing.assert_allclose(maps.numpy(), expected, rtol=1e-6, atol=1e-7)
    assert maps.shape == (2, 16, 32)
    assert maps.min() >= 0
    assert maps.max() <= 1


@settings(max_examples=20)
@given(channels=st.sampled_from([1, 3]), seed=st.integers(0, 2**31))
def test_the_loss_is_the_mean_norm_over_channels(channels: int, seed: int) -> None:
    target, reconstruction = images(channels, seed=seed), images(channels, seed=seed + 1)

    loss = msu.reconstruction_loss(target, reconstruction)

    assert loss.shape == ()
    difference = (target - reconstruction).numpy().astype(np.float64)
    assert loss.item() == pytest.approx(np.linalg.norm(difference, axis=1).mean(), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_the_losss_gradient_is_finite_where_target_and_reconstruction_are_equal_or_nearly(dtype: torch.dtype) -> None:
    target = images(3, seed=0).to(dtype)
    reconstruction = target.clone()
    reconstruction[0] += 1e-30  # rounds away, or is a square too small for the type
    reconstruction[1, 0, 0] = 1 - reconstruction[1, 0, 0]
    reconstruction.requires_grad_()

    loss = msu.reconstruction_loss(target, reconstruction)
    loss.backward()

    assert loss > 0
    assert reconstruction.grad is not None
    assert reconstruction.grad.isfinite().all()
    assert (reconstruction.grad[0] == 0).all()


def test_the_losss_gradient_points_from_the_target_to_the_reconstruction_with_one_length_everywhere() -> None:
    target, reconstruction = images(3, seed=0), images(3, seed=1).requires_grad_()

    msu.reconstruction_loss(target, reconstruction).backward()

    difference = (reconstruction - target).detach()
    assert reconstruction.grad is not None
    pixels = target[:, 0].numel()
    torch.testing.assert_close(reconstruction.grad * pixels, difference / difference.norm(dim=1, keepdim=True))


def test_a_reconstruction_that_is_no_number_is_not_taken_for_a_perfect_one() -> None:
    target = images(3, seed=0)
    reconstruction = target.clone()
    reconstruction[0, 0, 0, 0] = torch.nan

    maps = msu.score_map(target, reconstruction)

    assert maps[0, 0, 0].isnan()
    assert msu.frame_score(maps).isnan().tolist() == [True, False]
    assert msu.reconstruction_loss(target, reconstruction).isnan()


@pytest.mark.parametrize("function", [msu.reconstruction_loss, msu.score_map])
@pytest.mark.parametrize(
    ("target", "reconstruction"),
    [
        ((1, 3, 16, 16), (1, 1, 16, 16)),
        ((2, 3, 16, 16), (1, 3, 16, 16)),
        ((1, 3, 16, 16), (1, 3, 16, 32)),
        ((3, 16, 16), (3, 16, 16)),
        ((1, 3, 3, 16, 16), (1, 3, 3, 16, 16)),
    ],
)
def test_images_of_different_shapes_are_not_broadcast(
    function: object, target: tuple[int, ...], reconstruction: tuple[int, ...]
) -> None:
    assert callable(function)
    with pytest.raises(ShapeError) as refusal:
        function(torch.zeros(target), torch.zeros(reconstruction))

    assert str(refusal.value) == f"target {target} and reconstruction {reconstruction}. Use the same (B, C, H, W)."


@pytest.mark.parametrize("shape", [(16, 16), (1, 1, 16, 16), (1, 16, 24), (1, 8, 16), (1, 0, 16), (0, 16, 16)])
def test_maps_that_hold_no_whole_patches_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError) as refusal:
        msu.frame_score(torch.zeros(shape))

    assert str(refusal.value) == f"score maps of shape {shape}. Use (B, H, W), multiples of 16."
