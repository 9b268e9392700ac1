from collections.abc import Sequence

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.movement import DIRECTIONS, MovementMeter, NormalMovement, run_speeds

GRID = PlaceGrid.of_size(64, 96)
TEXTURE = gaussian_filter(np.random.default_rng(0).normal(size=(64, 400)), 2)
TEXTURE = 128 + 60 * TEXTURE / np.abs(TEXTURE).max()


def walk(speed: float, frames: int = 8, *, rows: slice = slice(24, 48), seed: int = 0) -> np.ndarray:
    """A textured thing, 20 px wide, that crosses a still textured picture from left to right (or back)."""
    noise = np.random.default_rng(seed)
    shown = np.tile(TEXTURE[:, :96], (frames, 1, 1))
    for number in range(frames):
        left = round((10 if speed >= 0 else 66) + speed * number)
        shown[number, rows, left : left + 20] = 255 - TEXTURE[rows, 200:220]
    shown += noise.normal(0, 0.5, shown.shape)
    return shown.clip(0, 255).round().astype(np.uint8)[:, None]


def speeds(frames: np.ndarray) -> np.ndarray:
    return np.stack([*run_speeds(frames, GRID)])


def test_a_thing_has_its_speed_in_its_direction_and_none_in_the_others() -> None:
    right, left = speeds(walk(3)), speeds(walk(-3))

    assert right[2:-2, 0].max(axis=1).mean() == pytest.approx(3, rel=0.35)  # a window holds still edges too
    assert left[2:-2, 2].max(axis=1).mean() == pytest.approx(3, rel=0.35)  # a window holds still edges too
    assert right[2:-2, 2].max() < 1.0 > left[2:-2, 0].max()


def test_every_frame_of_a_run_has_speeds_but_of_a_run_of_one() -> None:
    assert speeds(walk(2, frames=7)).shape == (7, DIRECTIONS, GRID.count)
    assert [*run_speeds(walk(2, frames=1), GRID)] == []
    assert [*run_speeds(walk(2, frames=0), GRID)] == []


def test_frame_by_frame_gives_what_the_whole_run_gives() -> None:
    frames, meter = walk(2), MovementMeter(GRID)
    found = [meter.add(frame) for frame in frames]

    assert found[0] is None
    streamed = np.stack([*(one for one in found if one is not None), meter.finish()])  # type: ignore[list-item]
    np.testing.assert_array_equal(streamed, speeds(frames))
    assert meter.finish() is None


def test_colour_moves_as_grey_does() -> None:
    grey = walk(3)

    np.testing.assert_allclose(speeds(np.repeat(grey, 3, axis=1)), speeds(grey), atol=1e-5)


def learned(kinds: Sequence[np.ndarray]) -> NormalMovement:
    return NormalMovement.fit(np.concatenate([speeds(frames) for frames in kinds]), GRID)


def test_what_is_faster_goes_another_way_or_elsewhere_is_surprising() -> None:
    normal = learned([walk(speed, seed=seed) for seed in range(4) for speed in (1.5, 2.0, 2.5)])

    def highest(frames: np.ndarray) -> float:
        return float(normal.surprise(speeds(frames))[2:-2].max())

    usual = highest(walk(2.0, seed=9))
    assert highest(walk(7.0)) > usual + 1
    assert highest(walk(-2.0)) > usual + 0.5
    assert highest(walk(2.0, rows=slice(0, 14))) > usual + 0.5
    assert highest(walk(0.0)) <= usual


def test_the_ratio_says_how_many_times_as_fast() -> None:
    normal = learned([walk(2.0, seed=seed) for seed in range(8)])
    fast = speeds(walk(6.0))[3]

    assert normal.faster(fast).max() > 1.5
    assert normal.faster(speeds(walk(2.0, seed=9))).max() < 1.3


def test_it_is_kept_and_read_again_and_not_for_another_grid() -> None:
    normal, moving = learned([walk(2.0)]), speeds(walk(5.0))
    again = NormalMovement.from_arrays(GRID, normal.arrays())

    np.testing.assert_array_equal(again.measures(moving), normal.measures(moving))
    with pytest.raises(ValueError, match="another grid"):
        NormalMovement.from_arrays(PlaceGrid.of_size(64, 64), normal.arrays())


def test_footage_in_which_nothing_moves_is_learned_too() -> None:
    normal = learned([walk(0.0)])

    assert np.isfinite(normal.surprise(speeds(walk(4.0)))).all()
    assert normal.surprise(speeds(walk(4.0))).max() > 1
