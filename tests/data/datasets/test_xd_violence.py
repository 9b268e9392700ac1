import pytest

from maskedskipunet.data.labels import labels_for
from maskedskipunet.data.layouts import recognise


@pytest.fixture
def root(miniatures, tmp_path):
    return miniatures.xd_violence(tmp_path / "data")


def test_the_test_folder_is_the_one_that_holds_what_the_annotations_name(root):
    (root / "videos").rename(root / "2005-2804")
    dataset = recognise(root)
    assert [item.path.parent.name for item in dataset.test] == ["2005-2804"] * 2
    assert [item.path.parent.name for item in dataset.train] == ["1-1004"] * 2


def test_without_annotations_no_violent_video_is_trained_on_and_none_has_labels(root):
    (root / "annotations.txt").unlink()
    dataset = recognise(root)
    assert all(item.name.endswith("_label_A") for item in dataset.train)
    assert [item.labels for item in dataset.test] == [None, None]


def test_a_range_that_runs_past_the_end_is_cut(root):
    (root / "annotations.txt").write_text("C.Film.2003__#00-00-01_00-00-09_label_B2-G-0 4 9\n")
    assert labels_for(recognise(root).test[0].labels, 6).tolist() == [0, 0, 0, 0, 1, 1]


def test_one_folder_of_its_videos_alone_is_known_by_their_names(root):
    dataset = recognise(root / "1-1004")
    assert (dataset.layout, len(dataset.train), len(dataset.test)) == ("xd_violence", 2, 0)
    assert dataset.ignored == (
        "B.Film.2002__#00-00-01_00-00-09_label_B1-0-0.mp4 (violent videos of the training split)",
    )
