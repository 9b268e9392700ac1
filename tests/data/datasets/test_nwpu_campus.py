import numpy as np
import pytest

from maskedskipunet.data.campus_scenes import clips_of_scene
from maskedskipunet.data.labels import labels_for
from maskedskipunet.data.layouts import recognise
from maskedskipunet.errors import LabelError


@pytest.fixture
def root(miniatures, tmp_path):
    return miniatures.nwpu_campus(tmp_path / "data")


@pytest.mark.parametrize("place", ["groundtruth/NWPU_Campus_gt.npz", "videos/gt.npz"])
def test_its_labels_are_found_where_copies_have_them(root, place):
    (root / place).parent.mkdir(exist_ok=True)
    (root / "gt.npz").rename(root / place)
    dataset = recognise(root)
    assert [item.labels is not None for item in dataset.test] == [True, True]
    assert dataset.ignored == ()


def test_labels_for_another_number_of_frames_are_refused(root):
    with pytest.raises(LabelError, match="found 6 labels, expected 7, one a frame"):
        labels_for(recognise(root).test[0].labels, 7)


def test_a_camera_is_a_scene(root):
    dataset = recognise(root)
    assert [item.name for item in clips_of_scene(dataset.test, "D002", root)] == ["D002_02"]


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"D001_02": np.array([0, 2])}, "D001_02, entry 1: found 2, expected 0 or 1"),
        ({"D001_02": np.zeros((2, 3))}, r"D001_02: found shape \(2, 3\)"),
        ({"other": np.zeros(6)}, "none of its 1 arrays is named as a test clip, such as D001_02"),
        ({"D001_02": np.array([{}], object)}, "cannot read the array .Python objects"),
    ],
)
def test_an_archive_of_anything_else_is_refused(root, arrays, told):
    np.savez(root / "gt.npz", **arrays)
    with pytest.raises(LabelError, match=told):
        recognise(root)


def test_an_archive_labels_any_layouts_test_clips(root, tmp_path, miniatures):
    (root / "videos" / "Test").rename(tmp_path / "test")
    (root / "gt.npz").rename(tmp_path / "gt.npz")
    plain = tmp_path / "plain"
    plain.mkdir()
    for name in ("test", "gt.npz"):
        (tmp_path / name).rename(plain / name)
    for number, clip in enumerate(sorted((plain / "test").iterdir())):
        clip.rename(plain / "test" / f"clip{number}.avi")
    np.savez(plain / "gt.npz", clip0=miniatures.labels(0), clip1=miniatures.labels(1))
    dataset = recognise(plain)
    assert (dataset.layout, dataset.label_set) == ("folder", "frame labels of gt.npz")
    assert labels_for(dataset.test[0].labels, 6).tolist() == [0, 1, 1, 0, 1, 0]
