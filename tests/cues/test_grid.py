import numpy as np
import pytest
import torch

from maskedskipunet.cues.grid import PlaceGrid


@pytest.mark.parametrize(("height_px", "width_px"), [(16, 16), (32, 48), (64, 128), (128, 192), (256, 256), (256, 352)])
def test_windows_cover_every_pixel_of_the_picture(height_px: int, width_px: int) -> None:
    grid = PlaceGrid.of_size(height_px, width_px)
    covered = np.zeros((height_px, width_px), bool)
    for place in range(grid.count):
        left, top, right, bottom = grid.share_box(place)
        covered[
            round(top * height_px) : round(bottom * height_px), round(left * width_px) : round(right * width_px)
        ] = 1

    assert covered.all()


def test_a_window_holds_the_mean_of_its_own_pixels() -> None:
    grid = PlaceGrid.of_size(64, 128)
    picture = np.random.default_rng(0).random((64, 128)).astype(np.float32)
    shares = zip(grid.share_box(20), (128, 64, 128, 64), strict=True)
    left, top, right, bottom = (round(share * size) for share, size in shares)

    assert grid.mean_of(picture).ravel()[20] == pytest.approx(picture[top:bottom, left:right].mean(), abs=1e-6)
    assert grid.pooled(torch.from_numpy(picture)[None, None]).shape[2:] == grid.shape


def test_a_map_has_a_places_value_at_the_middle_of_its_window_and_passes_smoothly_to_the_next() -> None:
    grid = PlaceGrid.of_size(64, 128)
    values = np.random.default_rng(0).random(grid.shape).astype(np.float32)

    spread = grid.to_map(values)

    assert spread.shape == (64, 128)
    assert spread[0, 0] == values[0, 0]  # beyond the outermost centres nothing is made up
    middle = spread[7:9, 7:9].mean()
    assert middle == pytest.approx(values[0, 0], abs=0.1)
    assert np.abs(np.diff(spread, axis=1)).max() <= np.abs(np.diff(values, axis=1)).max() / grid.stride_px + 1e-6
    assert values.min() - 1e-6 <= spread.min() <= spread.max() <= values.max() + 1e-6
