"""Miniatures of the data sets that others publish figures on, the whole way: check, train, test."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

ANOMALOUS = {"ped1": 5, "avenue": 4, "shanghaitech": 4}
OFFICIAL_TEST = {
    "ped1": "36 clips and 7,200 frames",
    "avenue": "21 clips and 15,324 frames",
    "shanghaitech": "107 clips and 40,791 frames",
}
LABEL_SETS = {
    "ped1": "frame ranges of UCSDped1.m",
    "avenue": "masks in testing_label_mask/, a frame with any pixel marked is anomalous",
    "shanghaitech": "frame labels in test_frame_mask/",
}


@pytest.fixture
def copy(miniatures, place):
    """Makes a miniature where we stand."""
    return lambda name: getattr(miniatures, name)(place / "data")


@pytest.mark.parametrize("name", ANOMALOUS)
def test_a_miniature_is_checked_trained_on_and_tested(cli, copy, small, place, name):
    copy(name)
    clips = 3 if name == "ped1" else 2
    labels = f"labels: {LABEL_SETS[name]}"

    checked = cli("check", "data")
    assert (checked.code, checked.err) == (0, "")
    assert checked.out.splitlines()[:3] == [
        f"data: layout {'ucsd' if name == 'ped1' else name}",
        labels,
        f"masks: for {1 if name == 'ped1' else 2} of {clips} test clips",
    ]
    assert "train: 2 clips, 10 frames, " in checked.out
    assert f"test: {clips} clips, {6 * clips} frames, " in checked.out
    assert f", {ANOMALOUS[name]} of them anomalous\n" in checked.out
    assert "ground_truth_demo" not in checked.out  # it is used
    assert "note: test: " in checked.out
    assert f" officially has {OFFICIAL_TEST[name]}, here are {clips} and {6 * clips}\n" in checked.out

    trained = cli("train", "--data", "data", *small)
    assert trained.code == 0, trained.err
    tested = cli("test", "runs/latest", "--videos", "false", "--json", "figures.json")
    assert tested.code == 0, tested.err
    assert labels in tested.out.splitlines()
    figures = json.loads((place / "figures.json").read_text())
    assert (figures["label_set"], figures["scene"]) == (LABEL_SETS[name], None)
    assert (figures["frames"], figures["frames_anomalous"]) == (6 * clips, ANOMALOUS[name])
    scores = pq.read_table(place / "runs" / "latest" / "scores.parquet").to_pydict()
    assert scores["label"][:6] == [0, 1, 1, 0, 1, 0]


def test_a_scene_is_trained_on_and_tested_alone_until_all_are_asked_for(cli, copy, small, place):
    copy("shanghaitech")
    assert cli("train", "--data", "data", "--data.scene", "01", *small).code == 0
    assert "scene: '01'" in (place / "runs" / "latest" / "config.yaml").read_text()

    def tested(*options):
        answer = cli("test", "runs/latest", "--videos", "false", "--json", "figures.json", *options)
        assert answer.code == 0, answer.err
        figures = json.loads((place / "figures.json").read_text())
        return list(figures["video_auc"]), figures["scene"], "scene: " in answer.out

    def evaluated(*options):
        answer = cli("evaluate", "runs/latest", "--json", "figures.json", *options)
        assert answer.code == 0, answer.err
        figures = json.loads((place / "figures.json").read_text())
        return list(figures["video_auc"]), figures["scene"], f"labels: {LABEL_SETS['shanghaitech']}\n" in answer.out

    assert tested() == (["01_0014"], "01", True)
    assert evaluated() == (["01_0014"], "01", True)
    assert tested("--scene", "02") == (["02_0007"], "02", True)
    assert evaluated("--scene", "02") == (["02_0007"], "02", True)
    assert tested("--scene", "all") == (["01_0014", "02_0007"], None, False)
    assert evaluated("--scene", "all") == (["01_0014", "02_0007"], None, True)


@pytest.mark.parametrize(
    ("name", "scene", "told"),
    [
        ("shanghaitech", "05", "data: none of the 2 clips is of scene 05. Choose from 01, 02."),
        (
            "shanghaitech",
            "5",
            "data.scene: '5' is no scene. Use two digits, such as 01, or the name of a camera's folder.",
        ),
        (
            "ped1",
            "01",
            "data: no clip's name begins with a scene, and no folder tells cameras apart, so none is of scene 01. Take",
        ),
    ],
)
def test_a_scene_that_cannot_be_is_refused_by_train_and_test(cli, copy, run, small, files, name, scene, told):
    copy(name)
    before = files()
    assert told in cli("train", "--data", "data", "--data.scene", scene, *small).refusal()
    assert told in cli("test", run, "--data", "data", "--scene", scene, "--out", "out").refusal()
    assert files() == before


V73 = b"MATLAB 7.3 MAT-file".ljust(124, b" ") + b"\x00\x02IM" + bytes(400)


@pytest.mark.parametrize(
    ("name", "file", "content", "told"),
    [
        (
            "avenue",
            "ground_truth_demo/testing_label_mask/1_label.mat",
            V73,
            "1_label.mat: the file is of MATLAB 7.3's format. Save it again with -v7.",
        ),
        (
            "avenue",
            "ground_truth_demo/testing_label_mask/1_label.mat",
            b"hello",
            "1_label.mat: cannot read the .mat file (",
        ),
        ("avenue", "Avenue Dataset/avenue.mat", V73, "avenue.mat: the file is of MATLAB 7.3's format."),
        ("shanghaitech", "testing/test_frame_mask/01_0014.npy", b"", "01_0014.npy: cannot read the array ("),
        ("shanghaitech", "frame_labels_shanghai.npy", b"hello", "frame_labels_shanghai.npy: cannot read the array ("),
        ("ped1", "Test/UCSDped1.m", b"plot(x)", "UCSDped1.m, line 1: found 'plot(x)', expected TestVideoFile"),
    ],
)
def test_damaged_ground_truth_is_refused_by_test_in_one_line(cli, copy, run, files, name, file, content, told):
    (copy(name) / file).write_bytes(content)
    before = files()
    assert told in cli("test", run, "--data", "data", "--out", "out").refusal()
    assert files() == before


def test_ground_truth_for_another_number_of_frames_is_refused_by_test_and_told_by_check(cli, copy, run, place):
    np.save(copy("shanghaitech") / "testing" / "test_frame_mask" / "01_0014.npy", np.zeros(5, np.uint8))
    told = "01_0014.npy: found 5 labels, expected 6, one a frame. Give one 0 or 1 for each frame."
    assert told in cli("test", run, "--data", "data", "--out", "out").refusal()
    checked = cli("check", "data")
    assert checked.code == 1
    assert "fault: test/01_0014 has labels that do not fit: " in checked.out


def test_a_data_set_is_tested_with_either_label_set_and_the_output_tells_which(cli, copy, run, place):
    def tested():
        answer = cli("test", run, "--data", "data", "--out", "out", "--videos", "false")
        assert answer.code == 0, answer.err
        (told,) = [line for line in answer.out.splitlines() if line.startswith("labels: ")]
        return told, json.loads((place / "out" / "metrics.json").read_text())["frames_anomalous"]

    np.save(copy("avenue") / "frame_labels_avenue.npy", np.ones((1, 12), np.uint8))
    assert tested() == ("labels: frame labels of frame_labels_avenue.npy", 12)
    (place / "data" / "frame_labels_avenue.npy").unlink()
    assert tested() == (f"labels: {LABEL_SETS['avenue']}", 4)
    shutil.rmtree(place / "data" / "ground_truth_demo")
    answer = cli("test", run, "--data", "data", "--out", "out", "--videos", "false")
    assert (answer.code, "labels:" in answer.out) == (0, False)


@pytest.mark.parametrize(
    ("name", "official"),
    [
        ("street_scene", "Street Scene officially has 35 clips and 146,410 frames, here are 2 and 12"),
        ("ucf_crime", "UCF-Crime officially has 290 clips, here are 2"),
        ("xd_violence", "XD-Violence officially has 800 clips, here are 2"),
        ("ubnormal", "UBnormal officially has 211 clips, here are 2"),
        ("nwpu_campus", "NWPU Campus officially has 242 clips and 384,059 frames, here are 2 and 12"),
        ("msad", "MSAD officially has 360 clips, here are 2"),
        ("corridor", "IITB Corridor officially has 150 clips and 181,567 frames, here are 2 and 12"),
    ],
)
def test_a_newer_data_set_is_checked_at_its_root(cli, copy, name, official):
    copy(name)
    checked = cli("check", "data", "--json", "report.json")
    assert (checked.code, checked.err) == (0, "")
    assert checked.out.startswith(f"data: layout {name}\nlabels: ")
    assert official in " ".join(checked.out.split())


def test_region_and_track_figures_of_street_scene_are_from_its_own_boxes(cli, copy, run, place):
    copy("street_scene")
    tested = cli("test", run, "--data", "data", "--out", "out", "--videos", "false", "--maps")
    assert tested.code == 0, tested.err
    answer = cli("evaluate", "out", "--data", "data", "--maps", "out/maps", "--json", "figures.json")
    assert answer.code == 0, answer.err
    figures = json.loads((place / "figures.json").read_text())
    assert (figures["regions_from"], figures["regions"], figures["tracks"]) == ("boxes", 3, 1)  # by masks, 2 tracks
    assert 0 <= figures["rbdc"] <= 1
    assert "2 clips with boxes" in answer.out


def test_a_film_beside_training_and_a_folder_of_calibration_footage_are_left_out_of_training_with_a_note(
    cli, make, small, place
):
    for name in ("training/monday", "calibration/tuesday", "friday"):
        make.video(place / "footage" / f"{name}.mp4")
    trained = cli("train", "--data", "footage", *small)
    assert trained.code == 0, trained.err
    told = " ".join(trained.err.split())
    assert "not used: friday.mp4 (beside training/)" in told
    assert "not used: calibration/ (not normal/, train/, training/, test/ or testing/)" in told
    checked = cli("check", "footage")
    assert "train: 1 clip, 6 frames, " in checked.out


def test_one_camera_of_a_recorders_tree_is_trained_on_by_its_folders_name(cli, make, small, place):
    for name in ("26/07/door/00", "26/08/door/00", "26/07/garage/00"):
        make.video(place / "footage" / f"{name}.mp4")
    checked = " ".join(cli("check", "footage").out.split())
    assert "of 2 cameras by their folders: door (2), garage (1); --data.scene takes one of them" in checked
    trained = cli("train", "--data", "footage", "--data.scene", "garage", *small)
    assert trained.code == 0, trained.err
    refused = cli("train", "--data", "footage", "--data.scene", "roof", *small).refusal()
    assert "none of the 3 clips is of scene roof. Choose from door, garage." in refused
