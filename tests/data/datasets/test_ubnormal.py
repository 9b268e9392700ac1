import shutil

import numpy as np
import pytest

from maskedskipunet.data.layouts import recognise
from maskedskipunet.data.masks import read_masks


@pytest.fixture
def root(miniatures, tmp_path):
    return miniatures.ubnormal(tmp_path / "data")


def test_its_masks_of_object_numbers_are_read(root, miniatures):
    masks = list(read_masks(recognise(root).test[0]))
    assert np.array_equal(masks, [miniatures.mask(0, frame) > 0 for frame in range(6)])


def test_without_the_lists_normal_videos_are_trained_on_abnormal_ones_tested_and_a_note_says_so(root):
    shutil.rmtree(root / "scripts")
    dataset = recognise(root)
    assert [item.name for item in dataset.train] == [f"normal_scene_1_scenario_{number}" for number in (1, 2, 3)]
    assert [item.name for item in dataset.test] == [f"abnormal_scene_1_scenario_{number}" for number in (1, 2)]
    assert dataset.ignored[0].startswith("the official split (no list such as normal_training_video_names.txt")


def test_one_scene_named_by_itself_never_trains_on_its_abnormal_videos(root):
    dataset = recognise(root / "Scene1")
    assert (dataset.layout, [item.name.startswith("normal") for item in dataset.train]) == ("ubnormal", [True] * 3)
    assert not any("annotations" in item.name for item in dataset.train)


def test_videos_of_the_validation_split_are_in_neither_half(root):
    (root / "scripts" / "normal_validation_video_names.txt").write_text("normal_scene_1_scenario_2\n")
    (root / "scripts" / "normal_training_video_names.txt").write_text("normal_scene_1_scenario_1\n")
    dataset = recognise(root)
    assert [item.name for item in dataset.train] == ["normal_scene_1_scenario_1"]
    assert "Scene1/normal_scene_1_scenario_2.mp4 (videos of the validation split)" in dataset.ignored
