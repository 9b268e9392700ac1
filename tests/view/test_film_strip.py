import numpy as np
import pytest

from maskedskipunet.errors import ShapeError
from maskedskipunet.view.film_strip import film_strip


def test_a_film_strip_sets_pictures_in_rows() -> None:
    colours = [np.full((40, 60, 3), 50 * number, np.uint8) for number in range(1, 4)]

    strip = film_strip(colours, columns=2, width_px=210, gap_px=10)

    assert strip.shape == (67 * 2 + 10, 210, 3)
    assert [strip[30, 50, 0], strip[30, 160, 0], strip[110, 50, 0]] == [50, 100, 150]
    assert (strip[80:, 110:] < 30).all()


def test_a_film_strip_of_nothing_or_of_different_sizes_is_refused() -> None:
    with pytest.raises(ShapeError, match="0 pictures"):
        film_strip([])
    with pytest.raises(ShapeError, match="2 shapes"):
        film_strip([np.zeros((4, 4, 3), np.uint8), np.zeros((4, 6, 3), np.uint8)])
