import numpy as np
import pytest
from numpy.typing import NDArray

from maskedskipunet.errors import ConfigError, ShapeError
from maskedskipunet.view.heatmap import BRIGHTNESS, colour_map, overlay, resized_map

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def picture_of(colour: tuple[int, int, int], height: int = 12, width: int = 256) -> NDArray[np.uint8]:
    return np.full((height, width, 3), colour, np.uint8)


def ramp(height: int = 12, width: int = 256) -> NDArray[np.float64]:
    return np.repeat(np.linspace(0, 1, width)[None], height, axis=0)


def test_a_colour_map_grows_brighter_with_every_value() -> None:
    luminance = colour_map(ramp())[0] @ LUMINANCE

    # Rounding to 8 bits may hold a single step back.
    assert (np.diff(luminance[::4]) > 0).all()
    assert luminance[-1] - luminance[0] > 200


def test_values_outside_a_colour_map_take_its_ends_and_nan_its_lowest() -> None:
    low, high, beyond, below, missing = colour_map(np.array([[0.0, 1.0, 7.0, -3.0, np.nan]]))[0].tolist()

    assert beyond == high
    assert below == missing == low


def test_zero_error_leaves_the_dimmed_grey_picture() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)

    shown = overlay(image, np.zeros((5, 5)), 0.2)

    assert (shown == shown[..., :1]).all()
    assert np.abs(shown[..., 0] - BRIGHTNESS * (image @ [0.299, 0.587, 0.114])).max() <= 1.5


@pytest.mark.parametrize("colour", [(0, 0, 0), (128, 128, 128), (255, 255, 255), (230, 40, 90)])
def test_over_any_picture_a_larger_error_is_brighter(colour: tuple[int, int, int]) -> None:
    luminance = overlay(picture_of(colour), ramp(), 1.0)[0] @ LUMINANCE

    # Rounding in four 8-bit steps may cost a level; what is seen must grow.
    assert np.diff(luminance).min() > -1.5
    assert (np.diff(luminance[::16]) > 0).all()


def test_an_error_at_the_scale_hides_the_picture() -> None:
    ends = [overlay(picture_of(colour), np.full((2, 2), 3.0), 3.0) for colour in [(0, 0, 0), (255, 255, 255)]]

    assert (ends[0] == ends[1]).all()


def test_an_error_map_of_another_size_lands_where_it_belongs() -> None:
    errors = np.zeros((8, 16))
    errors[:4, :8] = 1

    shown = overlay(picture_of((100, 100, 100), 64, 128), errors, 1.0) @ LUMINANCE

    assert shown[:28, :60].min() > shown[36:, 68:].max() + 100


def test_an_overlay_leaves_its_inputs_alone() -> None:
    image, errors = picture_of((90, 90, 90)), ramp()

    overlay(image, errors, 0.5)

    assert (image == 90).all()
    assert (errors == ramp()).all()


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_not_above_zero_is_refused(scale: float) -> None:
    with pytest.raises(ConfigError, match="error scale"):
        overlay(picture_of((0, 0, 0)), ramp(), scale)


@pytest.mark.parametrize(
    ("image_shape", "errors_shape"), [((4, 4), (4, 4)), ((4, 4, 3), (4, 4, 1)), ((4, 4, 3), (0, 4))]
)
def test_arrays_of_another_rank_are_refused(image_shape: tuple[int, ...], errors_shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="error map of shape"):
        overlay(np.zeros(image_shape, np.uint8), np.zeros(errors_shape), 1.0)


def test_a_map_at_another_size_keeps_its_values_and_places() -> None:
    score_map = np.zeros((4, 6), np.float32)
    score_map[1, 4] = 0.5

    large = resized_map(score_map, height_px=40, width_px=60)
    assert (large.shape, large.dtype) == ((40, 60), np.float32)
    assert np.unravel_index(large.argmax(), large.shape)[0] // 10 == 1
    assert large[15, 45] == pytest.approx(0.5, abs=0.06)
    np.testing.assert_array_equal(resized_map(score_map, height_px=4, width_px=6), score_map)
    with pytest.raises(ShapeError, match="a score map of shape"):
        resized_map(np.zeros((0, 3), np.float32), height_px=4, width_px=6)
