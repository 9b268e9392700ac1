from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.movement import DIRECTIONS, MovementMeter, NormalMovement, run_speeds, square_pixels

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


def squeezed(frames: np.ndarray) -> np.ndarray:
    """The footage twice as high, in a picture that is higher than wide, as a network may want it."""
    return np.stack([cv2.resize(frame[0], (96, 128), interpolation=cv2.INTER_LINEAR)[None] for frame in frames])


def test_flow_is_looked_for_at_the_sources_own_shape() -> None:
    narrow = PlaceGrid.of_size(128, 96)
    picture = square_pixels(narrow, 96 / 64)
    assert picture == (104, 152)  # a third more pixels than 128x96, in a shape of about 3:2

    own = speeds(walk(3))[2:-2, 0].max(axis=1).mean()
    across = np.stack([*run_speeds(squeezed(walk(3)), narrow, picture)])[2:-2, 0].max(axis=1).mean()

    assert across == pytest.approx(own * 152 / 96, rel=0.35)  # in pixels of that picture


def test_footage_of_the_networks_own_shape_is_looked_at_as_it_is() -> None:
    assert square_pixels(GRID, None) == square_pixels(GRID, GRID.width_px / GRID.height_px) == (64, 96)
    np.testing.assert_array_equal([*run_speeds(walk(3), GRID, (64, 96))], speeds(walk(3)))


@given(st.sampled_from([(16, 16), (64, 128), (256, 256), (48, 496)]), st.floats(1e-3, 1e3))
def test_square_pixels_keep_their_number_and_never_vanish(size: tuple[int, int], shape: float) -> None:
    height, width = square_pixels(PlaceGrid.of_size(*size), shape)

    assert min(height, width) >= 8
    assert height * width == pytest.approx(1.16 * size[0] * size[1], rel=0.25) or min(size) < 64


def test_every_frame_of_a_run_has_speeds_but_of_a_run_of_one() -> None:
    assert speeds(walk(2, frames=7)).shape == (7, DIRECTIONS, GRID.count)
    assert [*run_speeds(walk(2, frames=1), GRID)] == []
    assert [*run_speeds(walk(2, frames=0), GRID)] == []


def test_frame_by_frame_gives_what_the_whole_run_gives() -> None:
    frames, meter = walk(2), MovementMeter(GRID)
    found = [meter.add([frame])[0] for frame in frames]

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


def test_movement_that_was_stored_before_it_knew_its_picture_is_that_of_the_grid() -> None:
    normal = NormalMovement.fit(speeds(walk(2)), GRID, (48, 128))
    arrays = normal.arrays()
    assert NormalMovement.from_arrays(GRID, arrays).picture_px == (48, 128)

    earlier = {name: array for name, array in arrays.items() if name != "movement.picture"}
    assert NormalMovement.from_arrays(GRID, earlier).picture_px == (64, 96)

    for wrong in ([0, 64], [64, 1e9], [64], [np.nan, 64]):
        with pytest.raises(ValueError, match="of a picture that cannot be"):
            NormalMovement.from_arrays(GRID, arrays | {"movement.picture": np.array(wrong, np.float32)})
