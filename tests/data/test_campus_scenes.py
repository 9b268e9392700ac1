from pathlib import Path

import pytest

from maskedskipunet.data.campus_scenes import clips_of_scene, scene_of
from maskedskipunet.data.layouts import VideoItem
from maskedskipunet.errors import DataError


def clips(*names):
    return [VideoItem(Path(name).stem, Path("data") / name, "video", None, None) for name in names]


@pytest.mark.parametrize(
    ("name", "scene"),
    [
        ("D001_02.avi", "D001"),
        ("01_001.avi", "01"),
        ("12_0149", "12"),
        ("1_001.avi", None),
        ("001_1", None),
        ("Test001", None),
        ("01", None),
    ],
)
def test_a_scene_is_the_two_digits_before_the_first_line(name, scene):
    assert scene_of(clips(name)[0]) == scene


def test_the_clips_of_one_scene_keep_their_order_and_all_are_of_none():
    items = clips("01_002.avi", "02_001.avi", "01_001.avi", "other.avi")
    assert [item.name for item in clips_of_scene(items, "01", Path("data"))] == ["01_002", "01_001"]
    assert clips_of_scene(items, None, Path("data")) == tuple(items)


def test_a_scene_that_is_not_there_is_refused_with_those_that_are():
    items = clips("03_1.avi", "01_1.avi", "03_2.avi")
    with pytest.raises(DataError, match=r"^data: none of the 3 clips is of scene 02\. Choose from 01, 03\.$"):
        clips_of_scene(items, "02", Path("data"))


def test_names_without_scenes_are_refused_with_the_cure():
    with pytest.raises(DataError, match=r"^data: no clip's name begins with a scene.*leave --data\.scene out"):
        clips_of_scene(clips("a.avi"), "01", Path("data"))


def test_a_camera_is_a_scene_where_names_tell_none():
    items = [VideoItem(str(n), Path(f"{n}.mp4"), "video", None, None, camera=c) for n, c in enumerate(["door", "hall"])]
    assert [item.name for item in clips_of_scene(items, "hall", Path("data"))] == ["1"]
