import json

import numpy as np
import PIL.Image
import pytest

from maskedskipunet.data.checking import check
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.errors import ConfigError, DataError


def save_video(path, frames=4, height_px=16, width_px=32, frame_rate=5):
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, height_px=height_px, width_px=width_px, frame_rate=frame_rate) as writer:
        for value in range(frames):
            writer.write(np.full((height_px, width_px, 3), value, np.uint8))


def save_images(folder, frames=4, size=(32, 16), suffix=".png"):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, frames + 1):
        PIL.Image.new("L", size).save(folder / f"{number:03}{suffix}")


@pytest.fixture
def footage(tmp_path):
    """Two normal videos and a labelled test video, 4 frames each."""
    save_video(tmp_path / "normal" / "a.mp4")
    save_video(tmp_path / "normal" / "b.mp4")
    save_video(tmp_path / "test" / "c.mp4")
    (tmp_path / "test" / "c_labels.csv").write_text("0\n1\n1\n0\n")
    return tmp_path


def test_a_tidy_data_set_has_rows_totals_and_no_oddities(footage):
    report = check(footage)
    assert (report.layout, report.root, report.oddities, report.failed) == ("folder", footage, (), 0)
    assert [row.name for row in report.train] == ["a", "b"]
    row = report.test[0]
    assert (row.split, row.kind, row.frames, row.height_px, row.width_px) == ("test", "video", 4, 16, 32)
    assert (row.frame_rate, row.duration_s, row.anomalous_frames) == (5.0, 0.8, 2)
    assert (report.totals["train"].frames, report.totals["train"].anomalous_frames) == (8, None)
    assert (report.totals["test"].labelled_frames, report.totals["test"].anomalous_frames) == (4, 2)


def test_a_report_is_ready_for_json(footage):
    plain = check(footage).to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["totals"]["test"]["anomalous_frames"] == 2
    assert plain["root"] == str(footage)


def test_images_have_no_rate_of_their_own_and_last_as_long_as_stated(tmp_path):
    save_images(tmp_path / "clip")
    row = check(tmp_path, image_fps=2).train[0]
    assert (row.kind, row.frame_rate, row.duration_s) == ("images", None, 2.0)


def test_an_unreadable_video_is_an_oddity_and_counts_as_failed(footage):
    (footage / "normal" / "bad.mp4").write_text("no video")
    report = check(footage)
    assert (report.failed, [row.name for row in report.train]) == (1, ["a", "b"])
    assert report.oddities[0].startswith("train/bad cannot be read: ")


def test_a_folder_with_a_bad_image_fails_or_is_skipped_over(tmp_path):
    save_images(tmp_path / "clip")
    (tmp_path / "clip" / "002.png").write_text("no image")
    assert check(tmp_path).failed == 1
    report = check(tmp_path, on_bad_frame="skip")
    assert (report.failed, report.train[0].frames) == (0, 4)


@pytest.mark.parametrize(
    ("labels", "found"), [("0\n1\n", "found 2 labels, expected 4"), ("start,end\n1,4\n", "1 to 4")]
)
def test_labels_that_do_not_fit_are_an_oddity_and_count_as_failed(footage, labels, found):
    (footage / "test" / "c_labels.csv").write_text(labels)
    report = check(footage)
    assert (report.failed, report.test[0].frames, report.test[0].anomalous_frames) == (1, 4, None)
    assert report.oddities[0].startswith("test/c has labels that do not fit: ")
    assert found in report.oddities[0]


def test_sizes_that_differ_are_an_oddity(footage):
    save_video(footage / "normal" / "z.mp4", height_px=32, width_px=64)
    assert check(footage).oddities == ("the videos differ in size: 32x16 (train/a, train/b, test/c); 64x32 (train/z)",)


def test_rates_that_differ_are_an_oddity(footage):
    save_video(footage / "normal" / "z.mp4", frame_rate=25)
    assert check(footage).oddities == (
        "the videos differ in rate: 5 frames a second (train/a, train/b, test/c); 25 frames a second (train/z)",
    )


def test_rates_that_hardly_differ_are_no_oddity(footage):
    save_video(footage / "normal" / "z.mp4", frame_rate=4.9)
    assert check(footage).oddities == ()


def test_long_lists_of_names_are_cut(tmp_path):
    for number in range(1, 6):
        save_images(tmp_path / f"{number}")
    save_images(tmp_path / "6", size=(8, 8))
    assert check(tmp_path).oddities == (
        "the videos differ in size: 32x16 (train/1, train/2, train/3 and 2 more); 8x8 (train/6)",
    )


def test_a_video_too_short_for_a_clip_is_an_oddity_but_did_not_fail(footage):
    save_video(footage / "normal" / "z.mp4", frames=2)
    report = check(footage)
    assert report.oddities == ("train/z is short: 2 frames, fewer than 3",)
    assert report.failed == 0


def test_test_videos_without_labels_are_an_oddity(footage):
    save_video(footage / "test" / "d.mp4")
    assert check(footage).oddities == ("1 of 2 test videos have no labels: d",)


def test_what_is_not_used_is_an_oddity(footage):
    save_video(footage / "earlier" / "d.mp4")
    assert check(footage).oddities == ("not used: earlier/ (not normal/, train/, training/, test/ or testing/)",)


def test_another_number_of_masks_than_frames_is_an_oddity(tmp_path):
    save_images(tmp_path / "Test" / "Test001", suffix=".tif")
    save_images(tmp_path / "Test" / "Test001_gt", frames=3, suffix=".bmp")
    (tmp_path / "Test" / "UCSDped2.m").write_text("TestVideoFile{end+1}.gt_frame = [2:4];\n")
    report = check(tmp_path)
    assert report.oddities == (
        "test/Test001 has 3 masks for 4 frames",
        "test: UCSD Ped2 officially has 12 clips and 2,010 frames, here are 1 and 4",
    )
    assert report.test[0].anomalous_frames == 3


@pytest.mark.parametrize(
    ("name", "label_set", "masked", "official"),
    [
        ("ped1", "frame ranges of UCSDped1.m", 1, ("UCSD Ped1", "34", "6,800", "36", "7,200", 3)),
        (
            "avenue",
            "masks in testing_label_mask/, a frame with any pixel marked is anomalous",
            2,
            ("CUHK Avenue", "16", "15,328", "21", "15,324", 2),
        ),
        (
            "shanghaitech",
            "frame labels in test_frame_mask/",
            2,
            ("ShanghaiTech Campus", "330", "274,515", "107", "40,791", 2),
        ),
    ],
)
def test_a_miniature_of_a_known_data_set_is_told_with_its_labels_and_how_it_differs(
    miniatures, tmp_path, name, label_set, masked, official
):
    report = check(getattr(miniatures, name)(tmp_path / "data"))
    assert (report.layout, report.failed) == ("ucsd" if name == "ped1" else name, 0)
    assert (report.label_set, report.masked) == (label_set, masked)
    title, train_clips, train_frames, test_clips, test_frames, clips = official
    assert [line for line in report.oddities if not line.startswith("not used")] == [
        f"train: {title} officially has {train_clips} clips and {train_frames} frames, here are 2 and 10",
        f"test: {title} officially has {test_clips} clips and {test_frames} frames, here are {clips} and {6 * clips}",
    ]
    assert [row.anomalous_frames for row in report.test] == [3, 1, 1][:clips]
    assert report.to_dict()["label_set"] == label_set


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda root, make: make.volume(root / "1_label.mat", 0, 5), "found 5 labels, expected 6, one a frame"),
        (lambda root, make: (root / "1_label.mat").write_bytes(b"hello"), "cannot read the .mat file"),
    ],
)
def test_masks_that_say_no_labels_count_as_failed(miniatures, tmp_path, damage, told):
    miniatures.avenue(tmp_path)
    damage(tmp_path / "ground_truth_demo" / "testing_label_mask", miniatures)
    report = check(tmp_path)
    assert report.failed == 1
    assert report.oddities[0].startswith("test/01 has labels that do not fit: ")
    assert told in report.oddities[0]


@pytest.mark.parametrize(
    ("masks", "told"),
    [
        (np.zeros((5, 32, 48), np.uint8), "found 5 masks, expected 6, one a frame"),
        (np.zeros((6, 48, 32), np.uint8), "found masks of 32x48, but the frames are 48x32"),
    ],
)
def test_masks_of_a_whole_clip_that_do_not_fit_are_an_oddity(miniatures, tmp_path, masks, told):
    file = miniatures.shanghaitech(tmp_path) / "testing" / "test_pixel_mask" / "01_0014.npy"
    np.save(file, masks)
    report = check(tmp_path)
    assert report.failed == 0
    assert report.oddities[0].startswith(f"test/01_0014 has masks that do not fit: {file}: {told}.")


def test_labels_beyond_the_last_frame_that_count_nothing_are_an_oddity(miniatures, tmp_path):
    root = miniatures.ucf_crime(tmp_path / "data")
    text = root / "Temporal_Anomaly_Annotation_for_Testing_Videos.txt"
    text.write_text("Abuse028_x264.mp4  Abuse  5  8  -1  -1\n")
    report = check(root)
    assert report.failed == 0
    told = "test/Abuse028_x264 has labels for 2 frames beyond its last one, which count nothing"
    assert told in report.oddities


def test_a_path_without_a_data_set_is_refused(tmp_path):
    with pytest.raises(DataError, match="the folder is empty"):
        check(tmp_path)


def test_a_rate_that_cannot_be_is_refused(tmp_path):
    save_images(tmp_path / "clip")
    with pytest.raises(ConfigError, match="0 frames a second"):
        check(tmp_path, image_fps=0)


@pytest.mark.real_data
def test_ped2_has_its_official_sizes_and_nothing_odd(real_data):
    report = check(real_data / "UCSDped2")
    assert (report.totals["train"].videos, report.totals["train"].frames) == (16, 2550)
    assert (report.totals["test"].videos, report.totals["test"].frames) == (12, 2010)
    assert (report.totals["test"].labelled_frames, report.totals["test"].anomalous_frames) == (2010, 1648)
    assert (report.label_set, report.masked) == ("frame ranges of UCSDped2.m", 12)
    assert (report.oddities, report.failed) == ((), 0)


@pytest.mark.real_data
def test_upcam_has_24_hours_and_a_labelled_test_hour(real_data):
    report = check(real_data / "upcam")
    assert (report.totals["train"].videos, report.failed) == (24, 0)
    assert (report.totals["test"].labelled_frames, report.totals["test"].anomalous_frames) == (18_066, 5517)
    assert report.oddities == ("not used: earlier/ (not normal/, train/, training/, test/ or testing/)",)
