from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from maskedskipunet.errors import ConfigError, DataError
from maskedskipunet.scoring.shapes import MAX_EDGES, Region, covering_boxes, is_shape, region_mask

HEIGHT, WIDTH = 30, 40
sizes = st.integers(1, 60)
coordinates = st.integers(0, 50_000).map(lambda thousandths: thousandths / 1000)
points = st.tuples(coordinates, coordinates)
masks = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@st.composite
def regions(draw: st.DrawFn) -> Region:
    """A box or a polygon that is at least a thousandth of a pixel wide, in pixels or percent."""
    corners = draw(st.lists(points, min_size=3, max_size=6))
    in_percent = draw(st.booleans())
    if draw(st.booleans()):
        (left, top), (right, bottom) = np.min(corners, axis=0).tolist(), np.max(corners, axis=0).tolist()
        assume(left < right and top < bottom)
        return Region(((left, top), (right, top), (right, bottom), (left, bottom)), in_percent)
    (ax, ay), *_ = corners
    assume(any(abs((bx - ax) * (cy - ay) - (by - ay) * (cx - ax)) > 1e-6 for (bx, by), (cx, cy) in pairwise(corners)))
    return Region(tuple(corners), in_percent)


def of_box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[int(top) : int(-(-bottom // 1)), int(left) : int(-(-right // 1))] = True
    return mask


@given(regions())
def test_what_is_written_is_read_as_the_same_shape(region: Region) -> None:
    again = Region.read(str(region), "ignore")

    assert again.in_percent == region.in_percent
    np.testing.assert_allclose(again.corners, region.corners, atol=1e-6)
    assert is_shape(str(region))


@given(st.tuples(*[st.integers(0, 4 * edge) for edge in (WIDTH, HEIGHT, WIDTH, HEIGHT)]))
def test_a_box_marks_the_pixels_that_it_has_a_part_of_and_no_others(edges: tuple[int, ...]) -> None:
    left, right = sorted(edge / 4 for edge in edges[::2])
    top, bottom = sorted(edge / 4 for edge in edges[1::2])
    assume(left < right and top < bottom and left < WIDTH and top < HEIGHT)
    region = Region.read(f"{left},{top},{right - left},{bottom - top}", "ignore")

    assert np.array_equal(region_mask([region], HEIGHT, WIDTH), of_box(left, top, right, bottom))
    slanted = Region((*region.corners, region.corners[0]))  # the same, told as a polygon of five corners
    assert np.array_equal(region_mask([slanted], HEIGHT, WIDTH), of_box(left, top, right, bottom))


@given(st.lists(points, min_size=3, max_size=3), st.lists(st.integers(1, 1000), min_size=3, max_size=3))
def test_no_point_within_a_triangle_lies_in_a_pixel_that_is_looked_at(
    corners: list[tuple[float, float]], weights: list[int]
) -> None:
    x, y = np.average(corners, axis=0, weights=weights)
    (ax, ay), (bx, by), (cx, cy) = corners
    assume(abs((bx - ax) * (cy - ay) - (by - ay) * (cx - ax)) > 1)
    assume(all(0.01 < value % 1 < 0.99 for value in (x, y)) and x < WIDTH and y < HEIGHT)

    assert region_mask([Region(tuple(corners))], HEIGHT, WIDTH)[int(y), int(x)]


@given(st.lists(points, min_size=3, max_size=3))
def test_a_pixel_that_is_not_looked_at_has_a_part_of_the_triangle_in_it_or_beside_it(
    corners: list[tuple[float, float]],
) -> None:
    region = Region(tuple(corners))
    mask = np.zeros((HEIGHT, WIDTH), bool)
    assume(region.mark(mask))
    finely = np.linspace(0, 1, 200)
    edges = [np.outer(1 - finely, start) + np.outer(finely, end) for start, end in pairwise([*corners, corners[0]])]
    near = np.zeros((HEIGHT + 2, WIDTH + 2), bool)
    for x, y in np.concatenate(edges):
        if x < WIDTH and y < HEIGHT:
            near[int(y) : int(y) + 3, int(x) : int(x) + 3] = True
    signs = []
    centre_y, centre_x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    for (ax, ay), (bx, by) in pairwise([*corners, corners[0]]):
        signs.append(np.sign((bx - ax) * (centre_y - ay) - (by - ay) * (centre_x - ax)))
    inside = abs(sum(signs)) == 3

    assert not (mask & ~inside & ~near[1:-1, 1:-1]).any()
    assert not (inside & ~mask).any()


@given(st.tuples(*[st.integers(0, 20)] * 2), st.tuples(*[st.integers(1, 30)] * 2), st.integers(21, 2000), sizes)
def test_a_box_in_pixels_is_the_same_in_percent(
    start: tuple[int, int], size: tuple[int, int], height_px: int, wider: int
) -> None:
    region = Region.read(",".join(map(str, (*start, *size))), "ignore")
    relative = region.of_frames(height_px, height_px + wider)

    assert relative.in_percent
    read = Region.read(str(relative), "ignore")
    expected = region_mask([region], height_px, height_px + wider)
    assert np.array_equal(region_mask([read], height_px, height_px + wider), expected)


@given(masks, sizes, sizes)
def test_the_boxes_of_a_mask_cover_exactly_it_and_what_it_touches_at_any_size(
    mask: np.ndarray, height_px: int, width_px: int
) -> None:
    assume(mask.any())
    boxes = [Region.read(str(box), "ignore") for box in covering_boxes(mask)]

    assert np.array_equal(region_mask(boxes, *mask.shape), mask)
    scaled = region_mask(boxes, height_px, width_px)
    rows = np.arange(height_px)[:, None] / height_px, (np.arange(height_px)[:, None] + 1) / height_px
    columns = np.arange(width_px) / width_px, (np.arange(width_px) + 1) / width_px
    expected = np.zeros((height_px, width_px), bool)
    for row, column in np.argwhere(mask):
        touches_row = (rows[0] < (row + 1) / len(mask) - 1e-9) & (rows[1] > row / len(mask) + 1e-9)
        touches_column = (columns[0] < (column + 1) / mask.shape[1] - 1e-9) & (
            columns[1] > column / mask.shape[1] + 1e-9
        )
        expected |= touches_row & touches_column
    assert np.array_equal(scaled, expected)


@pytest.mark.parametrize(("height_px", "width_px"), [(301, 203), (1, 20_001), (9_001, 3)])
def test_a_mask_of_very_many_pieces_becomes_few_boxes_that_leave_nothing_of_it_out(
    height_px: int, width_px: int
) -> None:
    mask = np.random.default_rng(0).random((height_px, width_px)) < 0.5
    boxes = covering_boxes(mask)

    assert len(boxes) <= MAX_EDGES
    assert not (mask & ~region_mask(boxes, height_px, width_px)).any()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'' is no shape"),
        ("10,20,30", "is no shape"),
        ("1,2,3,4,5", "is no shape"),
        ("1,2 3,4", "is no shape"),
        ("1,2 3,4 5", "is no shape"),
        ("1;2;3;4", "is no shape"),
        ("1,2,,4", "is no shape"),
        ("one,2,3,4", "is no shape"),
        ("nan,2,3,4", "is no shape"),
        ("1e3,2,3,4", "is no shape"),
        ("1,2,0,4", "has a width or height that is not above 0"),
        ("-1,2,3,4", "holds -1, which is below 0"),
        ("1,2,3,99999999999", "holds 99999999999, which is too large"),
        ("10%,20,30,40", "mixes pixels and percent"),
        ("1,1 2,2 3,3", "encloses nothing"),
        ("1,1 1,1 1,1", "encloses nothing"),
        ("1,2 " * 999 + "x", "…' is no shape"),
        ("1,2 3,4 " * 501, "…' has more than 1000 corners"),
    ],
)
def test_what_is_no_shape_is_refused_in_one_line(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Region.read(text, "--ignore")

    assert told in str(refused.value)
    assert str(refused.value).startswith("--ignore: ")
    assert "Use a box x,y,width,height" in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("text", ["40,0,5,5", "0,30,5,5", "100%,0%,1%,1%", "50,0 60,0 55,9", "0,30 5,30 5,40"])
def test_a_shape_outside_the_frame_is_told_with_its_size(text: str) -> None:
    with pytest.raises(DataError, match=f"ignore: {text} lies outside its frames of 40x30"):
        region_mask([Region.read(text, "ignore")], HEIGHT, WIDTH)


@pytest.mark.parametrize("text", [" 1 , 2,3 ,4 ", "1,2,3,4"])
def test_spaces_around_commas_do_not_matter(text: str) -> None:
    assert Region.read(text, "ignore") == Region(((1, 2), (4, 2), (4, 6), (1, 6)))
