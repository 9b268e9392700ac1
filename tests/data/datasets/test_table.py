"""Every data set that is recognised, by a miniature of it at its root."""

import pytest

from maskedskipunet.data.labels import labels_for
from maskedskipunet.data.layouts import recognise

BY_MASKS = [[0, 1, 1, 0, 1, 0], [0, 0, 0, 0, 0, 1]]
NORMAL = [0] * 6

FOUND = {
    "street_scene": (
        ["Train001", "Train002"],
        ["Test001", "Test002"],
        BY_MASKS,
        "boxes in NAME_gt.txt, a frame with any box is anomalous",
        (),
    ),
    "ucf_crime": (
        ["Normal_Videos001_x264", "Normal_Videos002_x264"],
        ["Abuse028_x264", "Normal_Videos_003_x264"],
        [BY_MASKS[0], NORMAL],
        "frame ranges of Temporal_Anomaly_Annotation_for_Testing_Videos.txt",
        (
            "Anomaly-Videos-Part-1/Abuse/Abuse001_x264.mp4 (anomalous videos of the training split)",
            "Normal_Videos_event/Normal_Videos001_x264.mp4 (a video that is there twice)",
        ),
    ),
    "xd_violence": (
        ["A.Film.2001__#00-01-45_00-02-50_label_A", "v=abc__#1_label_A"],
        ["C.Film.2003__#00-00-01_00-00-09_label_B2-G-0", "D.Film.2004__#00-00-01_00-00-09_label_A"],
        [BY_MASKS[0], NORMAL],
        "frame ranges of annotations.txt",
        ("1-1004/B.Film.2002__#00-00-01_00-00-09_label_B1-0-0.mp4 (violent videos of the training split)",),
    ),
    "ubnormal": (
        ["normal_scene_1_scenario_1", "normal_scene_1_scenario_2"],
        ["abnormal_scene_1_scenario_1", "normal_scene_1_scenario_3"],
        [BY_MASKS[0], NORMAL],
        "tracks in NAME_annotations/, a frame within any track is anomalous",
        ("Scene1/abnormal_scene_1_scenario_2.mp4 (abnormal videos of the training split)",),
    ),
    "nwpu_campus": (
        ["D001_01", "D002_01"],
        ["D001_02", "D002_02"],
        BY_MASKS,
        "frame labels of gt.npz",
        (),
    ),
    "msad": (
        ["airport_1", "airport_2"],
        ["MSAD_normal_testing_001", "Assault_1"],
        [NORMAL, BY_MASKS[1]],
        "frame ranges of anomaly_annotation.csv",
        (),
    ),
    "corridor": (
        ["000001", "000002"],
        ["000209", "000210"],
        BY_MASKS,
        "frame labels in Test_Annotation/, an array a clip",
        (),
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_a_miniature_is_recognised_at_its_root_with_its_split_its_labels_and_notes(miniatures, tmp_path, name):
    dataset = recognise(getattr(miniatures, name)(tmp_path / "data"))
    train, test, labels, label_set, ignored = FOUND[name]
    assert dataset.layout == name
    assert [item.name for item in dataset.train] == train
    assert [item.name for item in dataset.test] == test
    assert [labels_for(item.labels, 6).tolist() for item in dataset.test] == labels
    assert (dataset.label_set, dataset.ignored) == (label_set, ignored)


@pytest.mark.parametrize("name", FOUND)
def test_a_film_that_lies_at_the_root_of_a_data_set_is_noted_and_not_trained_on(miniatures, tmp_path, name):
    root = getattr(miniatures, name)(tmp_path / "data")
    (root / "holiday.mp4").touch()
    dataset = recognise(root)
    assert dataset.layout == name
    assert "holiday" not in [item.name for item in (*dataset.train, *dataset.test)]
    assert sum("holiday.mp4" in note for note in dataset.ignored) == 1
