import numpy as np
import pytest

from maskedskipunet.errors import ConfigError, ShapeError
from maskedskipunet.view.comparison_layout import ComparisonStyle, comparison_layout

SIZES = [(64, 128), (240, 360), (1080, 1920), (640, 480), (40, 1000), (1000, 40), (1, 5000), (241, 359)]


@pytest.mark.parametrize("size", SIZES)
def test_every_source_gets_an_even_size_and_panels_that_do_not_overlap(size: tuple[int, int]) -> None:
    layout = comparison_layout(*size)

    assert (layout.height_px % 2, layout.width_px) == (0, 960)
    assert 400 <= layout.height_px <= 1000
    covered = np.zeros((layout.height_px, layout.width_px), int)
    for box in (layout.frame, layout.errors, layout.reconstruction, layout.scores):
        covered[box.top : box.top + box.height, box.left : box.left + box.width] += 1
        assert box.left >= 12
        assert box.left + box.width <= 960 - 12
        assert box.top + box.height <= layout.height_px - 12
    assert covered.max() == 1


@pytest.mark.parametrize("size", [size for size in SIZES if max(size) / min(size) < 30])
def test_a_source_keeps_its_aspect_ratio_and_fits_its_panel(size: tuple[int, int]) -> None:
    layout = comparison_layout(*size)

    assert layout.picture.height <= layout.frame.height
    assert layout.picture.width <= layout.frame.width
    # Sizes are rounded to even pixels.
    assert layout.picture.height == pytest.approx(
        layout.picture.width * size[0] / size[1], abs=2 * size[0] / size[1] + 2
    )


def test_a_style_without_room_for_its_captions_is_refused() -> None:
    with pytest.raises(ConfigError, match="panels of 300 px"):
        ComparisonStyle(panel_width_px=300)
    with pytest.raises(ConfigError, match="no room"):
        ComparisonStyle(caption_px=8)


def test_a_source_without_pixels_is_refused() -> None:
    with pytest.raises(ShapeError, match="0x4 pixels"):
        comparison_layout(4, 0)
