"""Pictures of an event's peak: bounded in size, in the shape of the source, transparent where nothing is strange."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image as Picture

from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.view.peak_pictures import LONGEST_PX, heat_map_png, peak_pictures

SIZE_PX = {"height_px": 1080, "width_px": 1920}


def shown(content: bytes) -> Picture.Image:
    return Picture.open(BytesIO(content))


def test_a_heat_map_is_transparent_where_nothing_is_strange_and_bright_where_something_is():
    score_map = np.zeros((64, 64), np.float32)
    score_map[16:32, 32:48] = 0.8

    picture = shown(heat_map_png(score_map, 0.8, **SIZE_PX) or b"")

    assert (picture.format, picture.size) == ("PNG", (320, 180))
    pixels = np.asarray(picture.convert("RGBA"))
    assert pixels[10, 10, 3] == 0
    assert pixels[67, 200].tolist() == [252, 255, 164, 255]


def test_of_two_maps_with_one_score_the_place_is_told_apart_and_the_scale_reaches_to_the_score():
    weak = np.full((64, 64), 0.1, np.float32)

    pixels = np.asarray(shown(heat_map_png(weak, 1.0, **SIZE_PX) or b"").convert("RGBA"))

    assert pixels[..., 3].max() < 20  # a tenth of the event's score is next to nothing


@pytest.mark.parametrize("shape", [(64, 128), (256, 256), (1, 1), (720, 1280)])
def test_the_files_are_small_whatever_the_map_and_the_source(shape: tuple[int, int]):
    random = np.random.default_rng(0)
    scored = FrameScore(
        0, 0.0, 1.0, random.random(shape).astype(np.float32), random.integers(0, 256, (3, *shape)).astype(np.uint8)
    )

    for size_px in (SIZE_PX, {"height_px": 17, "width_px": 3}, {"height_px": 4320, "width_px": 7680}):
        made = peak_pictures(scored, 1.0, **size_px)
        assert made is not None
        assert made.reconstruction is not None
        for content in (made.heat_map, made.reconstruction):
            assert max(shown(content).size) == LONGEST_PX
            assert len(content) < 120_000


def test_a_grey_reconstruction_is_shown_and_without_a_network_there_is_none():
    score_map = np.ones((8, 8), np.float32)

    grey = peak_pictures(FrameScore(0, 0.0, 1.0, score_map, np.full((1, 8, 8), 200, np.uint8)), 1.0, **SIZE_PX)
    alone = peak_pictures(FrameScore(0, 0.0, 1.0, score_map), 1.0, **SIZE_PX)

    assert grey is not None
    assert shown(grey.reconstruction or b"").mode == "RGB"
    assert alone is not None
    assert alone.reconstruction is None


@pytest.mark.parametrize("value", [0.0, np.nan, -1.0])
def test_an_empty_map_gives_no_picture(value: float):
    assert heat_map_png(np.full((8, 8), value, np.float32), 0.0, **SIZE_PX) is None
    assert peak_pictures(FrameScore(0, 0.0, 1.0), 1.0, **SIZE_PX) is None
