import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.detection.boxes import map_boxes
from maskedskipunet.errors import ShapeError


def spotted(*spots: tuple[slice, slice], height: int = 64, width: int = 96) -> np.ndarray:
    score_map = np.zeros((height, width), np.float32)
    for spot in spots:
        score_map[spot] = 1.0
    return score_map


def test_a_spot_is_boxed_in_pixels_of_the_source() -> None:
    ((x, y, width, height),) = map_boxes(spotted((slice(16, 32), slice(24, 48))), 0.5, height_px=640, width_px=192)

    assert (x, y, width, height) == (48, 160, 48, 160)


def test_the_strongest_spot_comes_first_and_specks_are_left_out() -> None:
    small, large, speck = (
        (slice(40, 48), slice(80, 88)),
        (slice(8, 28), slice(8, 28)),
        (slice(60, 61), slice(2, 3)),
    )
    boxes = map_boxes(spotted(small, large, speck), 0.5, height_px=64, width_px=96)

    assert boxes == ((8, 8, 20, 20), (80, 40, 8, 8))


def test_what_lies_within_a_larger_box_has_none_of_its_own() -> None:
    ring = np.zeros((64, 96))
    ring[4:60, 4:60] = 1.0
    ring[14:50, 14:50] = 0.0
    ring[26:38, 26:38] = 3.0  # stronger, yet in its midst
    ring[4:20, 76:92] = 0.9

    outer, beside = map_boxes(ring, 0.5, height_px=64, width_px=96)

    assert (outer, beside) == ((4, 4, 56, 56), (76, 4, 16, 16))


def test_a_speck_is_boxed_where_there_is_nothing_else() -> None:
    assert map_boxes(spotted((slice(5, 7), slice(5, 7))), 0.15, height_px=64, width_px=96) != ()


def test_where_nothing_reaches_the_level_there_is_no_box() -> None:
    assert map_boxes(np.zeros((32, 32)), 0.1, height_px=64, width_px=64) == ()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 200), st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_every_box_lies_in_the_source_and_holds_a_pixel(
    height: int, width: int, height_px: int, width_px: int, seed: int
) -> None:
    score_map = np.random.default_rng(seed).random((height, width))
    boxes = map_boxes(score_map, 0.55, height_px=height_px, width_px=width_px)

    for x, y, wide, high in boxes:
        assert 0 <= x < x + wide <= width_px
        assert 0 <= y < y + high <= height_px


def test_what_is_no_map_has_no_boxes() -> None:
    with pytest.raises(ShapeError, match=r"a score map of shape \(0, 4\)"):
        map_boxes(np.zeros((0, 4)), 0.1, height_px=4, width_px=4)


def test_regions_that_touch_at_a_corner_are_one() -> None:
    # Smoothed, all of a square but two pixels along its sides stays at 1: to rows and columns 10 to 21, and 22 to 33.
    corner = spotted((slice(8, 24), slice(8, 24)), (slice(20, 36), slice(20, 36)))

    assert map_boxes(corner, 0.999, height_px=64, width_px=96) == ((10, 10, 24, 24),)


@pytest.mark.parametrize(("asked", "expected"), [({}, 8), ({"limit": 3}, 3), ({"limit": 20}, 12)])
def test_of_many_spots_the_strongest_few_are_boxed(asked: dict[str, int], expected: int) -> None:
    score_map = np.zeros((64, 96))
    middles = [(10 + 20 * (at // 4), 12 + 22 * (at % 4)) for at in range(12)]
    for strength, (row, column) in enumerate(middles, start=1):
        score_map[row - 4 : row + 4, column - 4 : column + 4] = strength

    boxes = map_boxes(score_map, 0.5, height_px=64, width_px=96, **asked)

    assert len(boxes) == expected
    for (x, y, width, height), (row, column) in zip(boxes, reversed(middles), strict=False):
        assert (x <= column < x + width, y <= row < y + height) == (True, True)
