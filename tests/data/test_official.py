from pathlib import Path

import pytest

from maskedskipunet.data.labels import LabelSource
from maskedskipunet.data.layouts import Dataset, VideoItem
from maskedskipunet.data.official import OFFICIAL, official_size


def dataset(layout, root, truth=None):
    labels = None if truth is None else LabelSource(Path(truth), "mat")
    return Dataset(layout, Path(root), (), (VideoItem("a", Path("a"), "video", labels, None),), ())


@pytest.mark.parametrize(
    ("layout", "root", "truth", "name"),
    [
        ("ucsd", "data/UCSDped1", None, "UCSD Ped1"),
        ("ucsd", "data/any", "UCSDped2.m", "UCSD Ped2"),
        ("frames", "ped2", None, "UCSD Ped2"),
        ("frames", "any", "avenue.mat", "CUHK Avenue"),
        ("frames", "shanghai", None, "ShanghaiTech Campus"),
        ("avenue", "any", None, "CUHK Avenue"),
        ("shanghaitech", "any", None, "ShanghaiTech Campus"),
        ("shanghaitech", "UCSDped12", None, "ShanghaiTech Campus"),
        ("frames", "any", None, None),
        ("ucsd", "StreetScene", None, "Street Scene"),
        ("street_scene", "any", None, "Street Scene"),
        ("nwpu_campus", "any", None, "NWPU Campus"),
        ("msad", "avenue", None, "MSAD"),
        ("folder", "ped2", None, None),
    ],
)
def test_a_copy_is_known_by_its_ground_truth_its_name_or_its_layout(layout, root, truth, name):
    found = official_size(dataset(layout, root, truth))
    assert (found and found.name) == name


def test_the_official_sizes_are_those_that_the_data_sets_are_published_with():
    assert [(size.train_clips, size.test_clips, size.train_frames, size.test_frames) for size in OFFICIAL] == [
        (34, 36, 6800, 7200),
        (16, 12, 2550, 2010),
        (16, 21, 15328, 15324),
        (330, 107, 274515, 40791),
        (46, 35, 56847, 146410),
        (800, 290, None, None),
        (2049, 800, None, None),
        (186, 211, None, None),
        (305, 242, 1082014, 384059),
        (360, 360, None, None),
        (208, 150, 301999, 181567),
    ]
