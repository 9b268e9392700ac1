from math import isnan, sqrt

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import maskedskipunet as msu
from maskedskipunet.evaluation.baseline import frame_differences, largest_patch_mean

SIDES = st.integers(1, 5).map(lambda patches: 16 * patches)


def images(count: int, *, channels: int = 3, seed: int = 0) -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(seed)
    return [random.integers(0, 256, (channels, 32, 48), dtype=np.uint8) for _ in range(count)]


@settings(max_examples=40)
@given(height=SIDES, width=SIDES, seed=st.integers(0, 2**31), power=st.integers(1, 20))
def test_the_baseline_finds_its_patch_by_the_networks_rule(height: int, width: int, seed: int, power: int) -> None:
    errors = np.random.default_rng(seed).random((height, width)) ** power

    score = msu.frame_score(torch.from_numpy(errors)[None]).item()

    assert largest_patch_mean(errors) == pytest.approx(score, rel=1e-12)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_frames_difference_is_its_largest_patchs_distance_to_the_frame_before(channels: int) -> None:
    made = images(4, channels=channels)

    first, *others = frame_differences(made)

    assert isnan(first)
    for difference, before, present in zip(others, made, made[1:], strict=False):
        pair = [torch.from_numpy(image).double()[None] / 255 for image in (before, present)]
        maps = msu.score_map(*pair) * sqrt(3)
        assert difference == pytest.approx(msu.frame_score(maps).item(), rel=1e-12)


def test_what_does_not_move_differs_by_nothing_and_black_from_white_by_the_root_of_the_channels() -> None:
    still = images(1)[0]
    black, white = np.zeros_like(still), np.full_like(still, 255)

    assert [*frame_differences([still, still, black, black, white])][1::2] == [0.0, 0.0]
    assert [*frame_differences([black, white, black])][1:] == pytest.approx([sqrt(3), sqrt(3)])


def test_no_images_give_no_differences_and_one_gives_no_figure() -> None:
    assert [*frame_differences([])] == []
    assert [isnan(difference) for difference in frame_differences(images(1))] == [True]


def test_images_are_taken_one_by_one() -> None:
    stream = iter(images(5))

    differences = frame_differences(stream)
    next(differences)
    next(differences)

    assert len([*stream]) == 3
