import pytest

from maskedskipunet.data.layouts import recognise
from maskedskipunet.errors import LabelError


@pytest.fixture
def root(miniatures, tmp_path):
    return miniatures.street_scene(tmp_path / "data")


def test_its_boxes_and_tracks_stay_with_their_clips(root):
    clips = root / "Test"
    assert [item.boxes for item in recognise(root).test] == [
        clips / "Test001" / "Test001_gt.txt",
        clips / "Test002" / "Test002_gt.txt",
    ]


def test_its_folder_test_named_alone_is_never_training_footage(root):
    dataset = recognise(root / "Test")
    assert (dataset.layout, dataset.train, len(dataset.test)) == ("street_scene", (), 2)


def test_boxes_beside_ucsds_own_ranges_leave_the_labels_to_them(root):
    (root / "Test" / "UCSDped2.m").write_text("TestVideoFile{end+1}.gt_frame = [1:2];\n" * 2)
    dataset = recognise(root)
    assert (dataset.layout, dataset.label_set) == ("ucsd", "frame ranges of UCSDped2.m")
    assert all(item.boxes for item in dataset.test)


def test_boxes_of_an_image_that_is_not_there_are_refused_with_their_line(root):
    (root / "Test" / "Test001" / "Test001_gt.txt").write_text("002.jpg 0 8 12 16 16\n999.jpg 0 8 12 16 16\n")
    with pytest.raises(LabelError, match=r"Test001_gt\.txt, line 2: the clip has no image 999\.jpg"):
        recognise(root)
