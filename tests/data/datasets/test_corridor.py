import pytest

from maskedskipunet.data.layouts import recognise


@pytest.fixture
def root(miniatures, tmp_path):
    return miniatures.corridor(tmp_path / "data")


def test_one_archive_is_enough(root):
    dataset = recognise(root / "Test_IITB-Corridor")
    assert (dataset.layout, dataset.train, len(dataset.test)) == ("corridor", (), 2)
    assert [item.labels is not None for item in dataset.test] == [True, True]


def test_a_copy_as_frames_keeps_its_labels_in_groundtruth(root, tmp_path, miniatures):
    copy = tmp_path / "iitb"
    miniatures._images(copy / "testing" / "000209", "{:04}.jpg", range(6), 0)
    miniatures._images(copy / "training" / "000001", "{:04}.jpg", range(5))
    (root / "Test_IITB-Corridor" / "Test_Annotation" / "Annotation").rename(copy / "groundtruth")
    dataset = recognise(copy)
    assert (dataset.layout, dataset.test[0].labels.path.name) == ("corridor", "000209.npy")
    assert dataset.ignored == ("1 files in 000210/ (ground truth of no test clip)",)
