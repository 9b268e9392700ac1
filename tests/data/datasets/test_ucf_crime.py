import pytest

from maskedskipunet.data.labels import labels_for
from maskedskipunet.data.layouts import recognise
from maskedskipunet.errors import LabelError

TEXT = "Temporal_Anomaly_Annotation_for_Testing_Videos.txt"


@pytest.fixture
def root(miniatures, tmp_path):
    return miniatures.ucf_crime(tmp_path / "data")


def test_a_range_that_runs_past_the_end_is_cut_as_the_authors_evaluation_cuts_it(root):
    (root / TEXT).write_text("Abuse028_x264.mp4  Abuse  5  8  -1  -1\n")
    anomalous = recognise(root).test[0]
    assert labels_for(anomalous.labels, 6).tolist() == [0, 0, 0, 0, 1, 1]
    assert labels_for(anomalous.labels, 3).tolist() == [0, 0, 0]


def test_without_the_text_videos_have_no_labels_and_the_list_still_tells_the_split(root):
    (root / TEXT).unlink()
    dataset = recognise(root)
    assert [(item.name, item.labels) for item in dataset.test] == [
        ("Abuse028_x264", None),
        ("Normal_Videos_003_x264", None),
    ]


def test_without_list_and_text_no_anomalous_video_is_trained_on(root):
    (root / TEXT).unlink()
    (root / "Anomaly_Detection_splits" / "Anomaly_Test.txt").unlink()
    dataset = recognise(root)
    assert [item.name for item in dataset.train] == ["Normal_Videos001_x264", "Normal_Videos002_x264"]
    assert [item.name for item in dataset.test] == ["Normal_Videos_003_x264"]
    assert dataset.ignored[0].endswith("Abuse028_x264.mp4 (anomalous videos, of no list of the test split)")


@pytest.mark.parametrize(
    "line", ["Abuse028_x264.mp4 Abuse 2 x", "Abuse028_x264.mp4 Abuse 2", "Abuse028_x264.mp4 A 5 2"]
)
def test_a_text_that_is_damaged_is_refused_with_its_line(root, line):
    (root / TEXT).write_text(f"\n{line}\n")
    with pytest.raises(LabelError, match=rf"{TEXT}, line 2: found "):
        recognise(root)
