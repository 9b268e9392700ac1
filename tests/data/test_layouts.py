import os
import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from scipy.io import savemat

from maskedskipunet.data import folders
from maskedskipunet.data.labels import labels_for
from maskedskipunet.data.layouts import VideoItem, frame_masks, recognise
from maskedskipunet.errors import DataError, LabelError


def names(items):
    return [item.name for item in items]


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def images(folder, count=3, suffix=".jpg"):
    """Files that have the names of images; recognising looks at nothing else."""
    touch(*(folder / f"{number:03}{suffix}" for number in range(1, count + 1)))
    return folder


def ground_truth(path, *ranges):
    lines = [f"TestVideoFile{{end+1}}.gt_frame = [{stated}];\n" for stated in ranges]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("TestVideoFile = {};\n" + "".join(lines))


def ground_truth_mat(path, *cells):
    array = np.empty((1, len(cells)), dtype=object)
    for place, cell in enumerate(cells):
        array[0, place] = np.array(cell)
    savemat(path, {"gt": array})


@pytest.fixture
def ucsd(tmp_path):
    """A miniature of UCSDped2 with all that lies about in the original."""
    root = tmp_path / "UCSDped2"
    for number in (1, 2):
        images(root / "Train" / f"Train{number:03}", suffix=".tif")
        images(root / "Test" / f"Test{number:03}", suffix=".tif")
        touch(root / "Train" / f"Train{number:03}" / "._001.tif", root / "Test" / f"Test{number:03}" / ".DS_Store")
    images(root / "Test" / "Test001_gt", suffix=".bmp")
    ground_truth(root / "Test" / "UCSDped2.m", "2:3", "1, 3:3")
    (root / "Test" / "UCSDped2.m~").write_text("TestVideoFile{end+1}.gt_frame = [1:2];\n")
    (root / "Test" / "._UCSDped2.m").write_bytes(b"\0\5\26\7")
    touch(root / "Test" / "._Test001", root / ".DS_Store")
    return root


# UCSD


def test_ucsd_is_recognised_as_shipped(ucsd):
    dataset = recognise(ucsd)
    assert (dataset.layout, dataset.root, dataset.ignored) == ("ucsd", ucsd, ())
    assert names(dataset.train) == ["Train001", "Train002"]
    assert names(dataset.test) == ["Test001", "Test002"]
    assert {item.kind for item in dataset.train + dataset.test} == {"images"}


def test_each_ucsd_clip_gets_its_own_ranges(ucsd):
    labels = [labels_for(item.labels, 3).tolist() for item in recognise(ucsd).test]
    assert labels == [[0, 1, 1], [1, 0, 1]]


def test_a_ucsd_clip_gets_its_masks_where_there_are_some(ucsd):
    assert [item.masks for item in recognise(ucsd).test] == [ucsd / "Test" / "Test001_gt", None]


def test_ucsd_is_recognised_in_any_case_and_without_padding(tmp_path):
    for number in (1, 2, 10):
        images(tmp_path / "TRAIN" / f"train{number}", suffix=".PNG")
        images(tmp_path / "test" / f"TEST{number}", suffix=".jpg")
    images(tmp_path / "test" / "test2_GT", suffix=".png")
    ground_truth(tmp_path / "test" / "ucsdPED1.M", "1:1", "2:2", "3:3")
    dataset = recognise(tmp_path)
    assert dataset.layout == "ucsd"
    assert names(dataset.train) == ["train1", "train2", "train10"]
    assert [(item.name, item.labels.clip) for item in dataset.test] == [("TEST1", 1), ("TEST2", 2), ("TEST10", 3)]
    assert dataset.test[1].masks == tmp_path / "test" / "test2_GT"


def test_ucsd_with_one_half_is_enough(tmp_path):
    images(tmp_path / "a" / "Train" / "Train001")
    images(tmp_path / "b" / "Test" / "Test001")
    assert names(recognise(tmp_path / "a").train) == ["Train001"]
    assert recognise(tmp_path / "a").test == ()
    assert names(recognise(tmp_path / "b").test) == ["Test001"]
    assert recognise(tmp_path / "b").test[0].labels is None


def test_ucsds_folder_test_named_alone_is_never_training_footage(ucsd):
    dataset = recognise(ucsd / "Test")
    assert (dataset.layout, dataset.train, names(dataset.test)) == ("ucsd", (), ["Test001", "Test002"])
    assert dataset.test[0].masks
    assert dataset.test[0].labels
    assert dataset.ignored == ()


def test_a_copy_of_the_ground_truth_at_the_root_changes_nothing(ucsd):
    ground_truth(ucsd / "UCSDped2.m", "1:1")
    assert names(recognise(ucsd).test) == ["Test001", "Test002"]


def test_ucsds_folder_train_named_alone_is_a_folder_of_clips(ucsd):
    assert names(recognise(ucsd / "Train").train) == ["Train001", "Train002"]


def test_masks_are_no_footage_in_a_plain_folder_either(tmp_path):
    images(tmp_path / "Test001")
    images(tmp_path / "Test001_gt", suffix=".bmp")
    assert names(recognise(tmp_path).train) == ["Test001"]
    assert recognise(tmp_path).ignored[0].startswith("Test001_gt/ (")


def test_ground_truth_for_another_number_of_clips_is_refused_with_both_numbers(ucsd):
    images(ucsd / "Test" / "Test003")
    with pytest.raises(LabelError, match=r"UCSDped2\.m: .* states 2 clips, but there are 3 test clips"):
        recognise(ucsd)


def test_a_part_of_ucsd_takes_the_ranges_of_its_clips_by_their_numbers_and_says_so(ucsd):
    ground_truth(ucsd / "Test" / "UCSDped2.m", "1:1", "2:2", "3:3", "1:3")
    shutil.rmtree(ucsd / "Test" / "Test001")
    shutil.rmtree(ucsd / "Test" / "Test001_gt")
    images(ucsd / "Test" / "Test004", suffix=".tif")
    dataset = recognise(ucsd)
    assert [labels_for(item.labels, 3).tolist() for item in dataset.test] == [[0, 1, 0], [1, 1, 1]]
    assert dataset.ignored == ("the labels of 2 of 4 clips in UCSDped2.m (here are Test002, Test004 alone)",)


def test_a_part_of_avenue_as_frames_takes_the_ranges_of_its_clips_by_their_numbers(frames):
    ground_truth_mat(frames / "avenue.mat", [[1], [1]], [[2], [2]], [[3], [3]])
    (frames / "testing" / "frames" / "1").rename(frames / "testing" / "frames" / "03")
    dataset = recognise(frames)
    assert [labels_for(item.labels, 3).tolist() for item in dataset.test] == [[0, 1, 0], [0, 0, 1]]
    assert dataset.ignored == ("the labels of 1 of 3 clips in avenue.mat (here are 2, 03 alone)",)


def test_a_part_whose_names_do_not_tell_which_clips_it_has_is_refused(frames):
    ground_truth_mat(frames / "ped2.mat", [[1], [1]], [[2], [2]], [[3], [3]])
    (frames / "testing" / "frames" / "1").rename(frames / "testing" / "frames" / "first")
    with pytest.raises(LabelError, match=r"states 3 clips, but there are 2 test clips"):
        recognise(frames)


def test_two_files_of_ground_truth_are_refused(ucsd):
    ground_truth(ucsd / "Test" / "UCSDped1.m", "1:2", "1:2")
    with pytest.raises(LabelError, match=r"UCSDped1\.m and .*UCSDped2\.m"):
        recognise(ucsd)


def test_a_parent_of_several_ucsd_sets_names_them(ucsd):
    ground_truth(ucsd.parent / "UCSDped1" / "Test" / "UCSDped1.m", "1:2")
    with pytest.raises(DataError, match=r"several data sets, UCSDped1 and UCSDped2\. Name one"):
        recognise(ucsd.parent)


def test_a_parent_of_one_ucsd_set_is_told_to_name_it(ucsd):
    with pytest.raises(DataError, match=r"nothing to learn from .* Name .*UCSDped2\."):
        recognise(ucsd.parent)


def test_ground_truth_without_frames_is_said_to_be_just_that(tmp_path):
    ground_truth(tmp_path / "Test" / "UCSDped1.m", "1:2")
    with pytest.raises(DataError, match=r"holds ground truth, Test/UCSDped1\.m, but no frames\. Copy"):
        recognise(tmp_path)


def test_what_ucsds_layout_does_not_know_is_noted(ucsd):
    images(ucsd / "extra")
    images(ucsd / "Train" / "old")
    (ucsd / "Train" / "Train003").symlink_to(ucsd / "gone")
    assert recognise(ucsd).ignored == (
        "extra/ (no part of UCSD's layout)",
        "Train/old/ (no part of UCSD's layout)",
        "Train/Train003 (a broken link)",
    )


def test_ucsd_clips_without_the_m_file_take_labels_from_beside_them(tmp_path):
    images(tmp_path / "test" / "test1")
    (tmp_path / "test" / "test1_labels.csv").write_text("0\n1\n0\n")
    assert labels_for(recognise(tmp_path).test[0].labels, 3).tolist() == [0, 1, 0]


def test_masks_come_in_the_order_of_their_numbers_whatever_their_words(tmp_path):
    touch(*(tmp_path / name for name in ["frame001.bmp", "002.bmp", "frame003.BMP", "4.png", "frame010.bmp"]))
    touch(tmp_path / "._frame001.bmp", tmp_path / "Thumbs.db")
    masks = frame_masks(VideoItem("a", tmp_path, "images", None, tmp_path))
    assert [mask.name for mask in masks] == ["frame001.bmp", "002.bmp", "frame003.BMP", "4.png", "frame010.bmp"]


def test_a_clip_without_masks_has_none(tmp_path):
    assert frame_masks(VideoItem("a", tmp_path, "images", None, None)) == []


# training/frames and testing/frames


@pytest.fixture
def frames(tmp_path):
    for number in (1, 2, 10):
        images(tmp_path / "training" / "frames" / f"{number:02}")
    for number in (1, 2):
        images(tmp_path / "testing" / "frames" / f"{number}")
    return tmp_path


@pytest.mark.parametrize("place", [".", "testing"])
def test_frames_are_recognised_with_their_mat_at_the_root_or_in_testing(frames, place):
    ground_truth_mat(frames / place / "ped2.mat", [[1], [2]], [[3], [3]])
    dataset = recognise(frames)
    assert (dataset.layout, dataset.ignored) == ("frames", ())
    assert names(dataset.train) == ["01", "02", "10"]
    assert [labels_for(item.labels, 3).tolist() for item in dataset.test] == [[1, 1, 0], [0, 0, 1]]


def test_frames_without_labels_or_without_one_half_are_recognised(frames):
    assert [item.labels for item in recognise(frames).test] == [None, None]
    (frames / "training").rename(frames / "unused")
    dataset = recognise(frames)
    assert (dataset.train, names(dataset.test)) == ((), ["1", "2"])
    assert dataset.ignored == ("unused/ (neither training/ nor testing/)",)


def test_training_videos_go_with_testing_frames(tmp_path):
    touch(tmp_path / "training" / "videos" / "01_001.avi")
    images(tmp_path / "testing" / "frames" / "01_0014")
    dataset = recognise(tmp_path)
    assert (dataset.layout, names(dataset.train), names(dataset.test)) == ("frames", ["01_001"], ["01_0014"])


def test_a_mat_file_without_gt_is_noted(frames):
    savemat(frames / "other.mat", {"x": 1})
    assert recognise(frames).ignored == ("other.mat (no variable gt in it)",)


def test_a_mat_file_for_another_number_of_clips_is_refused(frames):
    ground_truth_mat(frames / "ped2.mat", [[1], [2]])
    with pytest.raises(LabelError, match=r"ped2\.mat: .* states 1 clips, but there are 2 test clips"):
        recognise(frames)


def test_two_mat_files_with_gt_are_refused(frames):
    ground_truth_mat(frames / "a.mat", [[1], [2]], [[1], [2]])
    ground_truth_mat(frames / "testing" / "b.mat", [[1], [2]], [[1], [2]])
    with pytest.raises(LabelError, match=r"a\.mat and .*b\.mat"):
        recognise(frames)


@pytest.mark.parametrize("place", [".", "testing"])
def test_frames_are_recognised_with_the_labels_of_all_clips_in_one_array(frames, place):
    np.save(frames / place / "frame_labels_ped2.npy", np.array([[1, 1, 0, 0, 0, 1]], np.uint8))
    dataset = recognise(frames)
    assert [labels_for(item.labels, 3).tolist() for item in dataset.test] == [[1, 1, 0], [0, 0, 1]]
    assert (dataset.layout, dataset.label_set) == ("frames", "frame labels of frame_labels_ped2.npy")


def test_an_array_of_labels_for_another_number_of_frames_is_refused(frames):
    np.save(frames / "frame_labels_ped2.npy", np.zeros(5, np.uint8))
    with pytest.raises(LabelError, match="found 5 labels, but the 2 test clips have 6 frames"):
        recognise(frames)


# Avenue


@pytest.fixture
def avenue(miniatures, tmp_path):
    return miniatures.avenue(tmp_path / "Avenue")


def labels_of(dataset, frame_count=6):
    return [labels_for(item.labels, frame_count).tolist() for item in dataset.test]


BY_MASKS = [[0, 1, 1, 0, 1, 0], [0, 0, 0, 0, 0, 1]]


@pytest.mark.parametrize("place", [".", "Avenue Dataset"])
def test_avenue_is_recognised_as_shipped_by_the_folder_of_both_archives_or_of_the_videos(avenue, place):
    dataset = recognise(avenue / place)
    assert dataset.layout == "avenue"
    assert (names(dataset.train), names(dataset.test)) == (["01", "02"], ["01", "02"])
    assert {item.kind for item in dataset.train + dataset.test} == {"video"}
    assert labels_of(dataset) == BY_MASKS
    assert [item.masks.name for item in dataset.test] == ["1_label.mat", "2_label.mat"]
    assert dataset.label_set == "masks in testing_label_mask/, a frame with any pixel marked is anomalous"
    assert [note.removeprefix("Avenue Dataset/") for note in dataset.ignored] == [
        f"{part}_vol/ (the videos once more as MATLAB volumes, not needed)" for part in ("testing", "training")
    ]


@pytest.mark.parametrize("place", [".", "Avenue Dataset", "Avenue Dataset/testing_gt"])
def test_avenues_masks_may_lie_with_its_videos(avenue, place):
    (avenue / place).mkdir(exist_ok=True)
    (avenue / "ground_truth_demo" / "testing_label_mask").rename(avenue / place / "testing_label_mask")
    (avenue / "ground_truth_demo").rmdir()
    dataset = recognise(avenue)
    assert labels_of(dataset) == BY_MASKS
    assert len(dataset.ignored) == 2, "its volumes alone"


def test_avenues_masks_beside_its_folder_are_used_where_the_path_is_relative(avenue, monkeypatch):
    monkeypatch.chdir(avenue.parent)
    dataset = recognise(avenue.relative_to(avenue.parent))
    assert labels_of(dataset) == BY_MASKS
    assert not [note for note in dataset.ignored if "ground_truth_demo" in note]


def test_avenues_masks_are_not_looked_for_in_two_places(avenue):
    (avenue / "testing_label_mask").mkdir()
    with pytest.raises(LabelError, match=r"two files state the same ground truth, .*testing_label_mask and "):
        recognise(avenue)


def test_avenues_folder_testing_videos_named_alone_is_never_training_footage(avenue, monkeypatch):
    monkeypatch.chdir(avenue / "Avenue Dataset" / "testing_videos")
    for path in (Path(), Path.cwd()):
        dataset = recognise(path)
        assert (dataset.layout, dataset.train, names(dataset.test)) == ("avenue", (), ["01", "02"])
        assert labels_of(dataset) == BY_MASKS
        assert dataset.ignored == ()


def test_avenues_folder_training_videos_named_alone_is_a_folder_of_normal_videos(avenue):
    assert names(recognise(avenue / "Avenue Dataset" / "training_videos").train) == ["01", "02"]


def test_the_other_label_set_of_avenue_takes_the_place_of_the_masks_for_frames_and_says_so(avenue):
    ground_truth_mat(avenue / "avenue.mat", [[2], [3]], [[1], [6]])
    dataset = recognise(avenue)
    assert labels_of(dataset) == [[0, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1]]
    assert dataset.label_set == "frame ranges of avenue.mat"
    assert [item.masks.name for item in dataset.test] == ["1_label.mat", "2_label.mat"]
    assert dataset.ignored[-1] == "testing_label_mask/ (not for frame labels, which are those of avenue.mat)"


def test_avenues_labels_of_all_frames_in_one_array_are_cut_by_the_lengths_of_the_videos(avenue):
    np.save(avenue / "Avenue Dataset" / "frame_labels_avenue.npy", np.arange(12)[None] == 6)
    dataset = recognise(avenue)
    assert labels_of(dataset) == [[0] * 6, [1, 0, 0, 0, 0, 0]]
    assert dataset.label_set == "frame labels of frame_labels_avenue.npy"


def test_two_more_label_sets_of_avenue_are_refused(avenue):
    np.save(avenue / "frame_labels_avenue.npy", np.zeros(12))
    ground_truth_mat(avenue / "avenue.mat", [[2], [3]], [[1], [6]])
    with pytest.raises(LabelError, match=r"avenue\.mat and .*frame_labels_avenue\.npy"):
        recognise(avenue)


def test_a_video_of_avenue_without_masks_has_no_labels_and_masks_without_a_video_are_noted(avenue):
    (avenue / "ground_truth_demo" / "testing_label_mask" / "2_label.mat").rename(
        avenue / "ground_truth_demo" / "testing_label_mask" / "21_label.mat"
    )
    dataset = recognise(avenue)
    assert [item.labels and item.labels.kind for item in dataset.test] == ["volume", None]
    assert [item.masks is not None for item in dataset.test] == [True, False]
    assert dataset.ignored[-1] == "1 files in testing_label_mask/ (ground truth of no test clip)"


def test_what_avenues_layout_does_not_know_is_noted(avenue):
    touch(avenue / "Avenue Dataset" / "extra" / "a.avi", avenue / "more" / "b.avi")
    savemat(avenue / "other.mat", {"x": 1})
    assert [note for note in recognise(avenue).ignored if "_vol/" not in note] == [
        "Avenue Dataset/extra/ (no part of Avenue's layout)",
        "more/ (no part of Avenue's layout)",
        "other.mat (no variable gt in it)",
    ]


def test_a_parent_of_several_avenues_names_them(avenue):
    touch(avenue / "Copy" / "testing_videos" / "01.avi")
    with pytest.raises(DataError, match=r"several data sets, Avenue Dataset and Copy\. Name one"):
        recognise(avenue)


def test_avenue_whose_videos_were_made_frames_keeps_its_masks(frames, miniatures):
    for number in (1, 2):
        miniatures.volume(frames / "ground_truth_demo" / "testing_label_mask" / f"{number}_label.mat", number - 1)
    dataset = recognise(frames)
    assert (dataset.layout, labels_of(dataset), dataset.ignored) == ("frames", BY_MASKS, ())


def test_avenues_masks_beside_another_data_set_are_not_its_own(frames, miniatures):
    (frames / "ped2").mkdir()
    for part in ("training", "testing"):
        (frames / part).rename(frames / "ped2" / part)
    miniatures.volume(frames / "ground_truth_demo" / "testing_label_mask" / "1_label.mat", 0)
    assert [(item.labels, item.masks) for item in recognise(frames / "ped2").test] == [(None, None), (None, None)]


# ShanghaiTech


@pytest.fixture
def shanghaitech(miniatures, tmp_path):
    return miniatures.shanghaitech(tmp_path / "shanghaitech")


def test_shanghaitech_is_recognised_as_shipped(shanghaitech):
    dataset = recognise(shanghaitech)
    assert (dataset.layout, dataset.ignored) == ("shanghaitech", ())
    assert [(item.name, item.kind) for item in dataset.train] == [("01_001", "video"), ("02_003", "video")]
    assert [(item.name, item.kind) for item in dataset.test] == [("01_0014", "images"), ("02_0007", "images")]
    assert labels_of(dataset) == BY_MASKS
    assert [item.masks.name for item in dataset.test] == ["01_0014.npy", "02_0007.npy"]
    assert dataset.label_set == "frame labels in test_frame_mask/"


def test_shanghaitechs_masks_label_its_frames_where_nothing_else_does(shanghaitech):
    shutil.rmtree(shanghaitech / "testing" / "test_frame_mask")
    dataset = recognise(shanghaitech)
    assert labels_of(dataset) == BY_MASKS
    assert dataset.label_set == "masks in test_pixel_mask/, a frame with any pixel marked is anomalous"


def test_shanghaitechs_ground_truth_may_lie_at_the_root(shanghaitech):
    for part in ("test_frame_mask", "test_pixel_mask"):
        (shanghaitech / "testing" / part).rename(shanghaitech / part)
    dataset = recognise(shanghaitech)
    assert (dataset.layout, dataset.ignored, labels_of(dataset)) == ("shanghaitech", (), BY_MASKS)


@pytest.mark.parametrize("part", ["test_frame_mask", "test_pixel_mask"])
def test_shanghaitechs_ground_truth_in_two_places_is_refused(shanghaitech, part):
    shutil.copytree(shanghaitech / "testing" / part, shanghaitech / part)
    with pytest.raises(LabelError, match=rf"two files state the same ground truth, .*{part} and .*{part}"):
        recognise(shanghaitech)


def test_a_clip_of_shanghaitech_without_arrays_has_none_and_arrays_of_no_clip_are_noted(shanghaitech):
    (shanghaitech / "testing" / "frames" / "02_0007").rename(shanghaitech / "testing" / "frames" / "02_0008")
    dataset = recognise(shanghaitech)
    assert [(item.labels is None, item.masks is None) for item in dataset.test] == [(False, False), (True, True)]
    assert dataset.ignored == (
        "1 files in test_frame_mask/ (ground truth of no test clip)",
        "1 files in test_pixel_mask/ (ground truth of no test clip)",
    )


def test_shanghaitechs_converted_videos_are_not_taken_twice(shanghaitech):
    shutil.copytree(shanghaitech / "training" / "videos", shanghaitech / "training" / "converted_videos")
    dataset = recognise(shanghaitech)
    assert names(dataset.train) == ["01_001", "02_003"]
    assert dataset.ignored == ("training/converted_videos/ (videos/ is used)",)


def test_one_file_for_all_of_shanghaitech_takes_the_place_of_its_frame_masks_and_says_so(shanghaitech):
    np.save(shanghaitech / "frame_labels_shanghai.npy", np.arange(12) < 3)
    dataset = recognise(shanghaitech)
    assert labels_of(dataset) == [[1, 1, 1, 0, 0, 0], [0] * 6]
    assert dataset.ignored == ("test_frame_mask/ (not for frame labels, which are those of frame_labels_shanghai.npy)",)


# Which ground truth


def test_the_label_set_is_told_of_every_layout(ucsd, frames):
    assert recognise(ucsd).label_set == "frame ranges of UCSDped2.m"
    assert recognise(frames).label_set is None
    ground_truth_mat(frames / "ped2.mat", [[1], [2]], [[3], [3]])
    assert recognise(frames).label_set == "frame ranges of ped2.mat"


def test_labels_beside_videos_are_told_to_be_just_that(tmp_path):
    touch(*(tmp_path / "test" / name for name in ["a.mp4", "a_labels.csv", "b.mp4", "b_labels.txt", "c.mp4"]))
    assert recognise(tmp_path).label_set == "labels beside the videos"


# Any folder


def test_videos_directly_in_a_folder_are_normal(tmp_path):
    touch(*(tmp_path / name for name in ["10.mp4", "9.AVI", "notes.txt", "._9.avi"]))
    dataset = recognise(tmp_path)
    assert (dataset.layout, dataset.test, dataset.ignored) == ("folder", (), ())
    assert [(item.name, item.kind) for item in dataset.train] == [("9", "video"), ("10", "video")]


@pytest.mark.parametrize("name", ["normal", "train", "Training", "NORMAL"])
def test_videos_under_normal_train_or_training_are_normal(tmp_path, name):
    touch(tmp_path / name / "a.mp4", tmp_path / name / "nested" / "b.mp4")
    assert names(recognise(tmp_path).train) == ["a", "b"]


@pytest.mark.parametrize("name", ["test", "Testing"])
def test_test_videos_are_never_among_the_training_videos(tmp_path, name):
    touch(tmp_path / "a.mp4", tmp_path / name / "b.mp4", tmp_path / name / "nested" / "c.mp4")
    dataset = recognise(tmp_path)
    assert names(dataset.train) == ["a"]
    assert names(dataset.test) == ["b", "c"]


def test_test_videos_alone_are_enough(tmp_path):
    images(tmp_path / "test" / "one")
    dataset = recognise(tmp_path)
    assert (dataset.train, names(dataset.test)) == ((), ["one"])


def test_other_folders_beside_normal_are_not_used_and_noted(tmp_path):
    touch(tmp_path / "normal" / "00.mp4", tmp_path / "test" / "00.mp4", tmp_path / "earlier" / "20.mp4")
    images(tmp_path / "pictures")
    dataset = recognise(tmp_path)
    assert (names(dataset.train), names(dataset.test)) == (["00"], ["00"])
    assert dataset.ignored == (
        "earlier/ (not normal/, train/, training/, test/ or testing/)",
        "pictures/ (not normal/, train/, training/, test/ or testing/)",
    )


def test_folders_of_images_are_normal_videos_where_no_folder_says_normal(tmp_path):
    images(tmp_path / "clip.10")
    images(tmp_path / "clip.9")
    images(tmp_path / "test" / "clip")
    touch(tmp_path / "elsewhere" / "a.mp4")
    dataset = recognise(tmp_path)
    assert [(item.name, item.kind) for item in dataset.train] == [
        ("clip.9", "images"),
        ("clip.10", "images"),
        ("a", "video"),
    ]
    assert (names(dataset.test), dataset.ignored) == (["clip"], ())


@pytest.mark.parametrize("nest", ["normal", "normal/videos"])
def test_folders_of_images_may_lie_one_level_deeper(tmp_path, nest):
    images(tmp_path / nest / "01")
    images(tmp_path / nest / "02")
    assert names(recognise(tmp_path).train) == ["01", "02"]


def test_normal_may_itself_be_one_folder_of_images(tmp_path):
    images(tmp_path / "normal")
    images(tmp_path / "test")
    (tmp_path / "test_labels.txt").write_text("1-2\n")
    dataset = recognise(tmp_path)
    assert (names(dataset.train), names(dataset.test)) == (["normal"], ["test"])
    assert labels_for(dataset.test[0].labels, 3).tolist() == [0, 1, 1]


def test_a_poster_among_videos_does_not_make_a_folder_of_images(tmp_path):
    touch(*(tmp_path / "normal" / "camera" / name for name in ["a.mp4", "b.mp4", "poster.jpg"]))
    assert names(recognise(tmp_path).train) == ["a", "b"]


def test_images_beside_videos_are_noted(tmp_path):
    touch(tmp_path / "a.mp4", tmp_path / "poster.jpg")
    dataset = recognise(tmp_path)
    assert (names(dataset.train), dataset.ignored) == (["a"], ("poster.jpg (a picture beside footage)",))


def test_an_empty_part_is_noted(tmp_path):
    touch(tmp_path / "normal" / "notes.txt", tmp_path / "test" / "a.mp4")
    assert recognise(tmp_path).ignored == ("normal/ (no footage in it)",)


@pytest.mark.parametrize(
    ("file", "content"), [("A_labels.CSV", "0\n1\n"), ("a_labels.txt", "1-1\n"), ("a.mp4_labels.csv", "0\n1\n")]
)
def test_labels_beside_a_test_video_are_its_own(tmp_path, file, content):
    touch(tmp_path / "test" / "a.mp4", tmp_path / "test" / "b.mp4")
    (tmp_path / "test" / file).write_text(content)
    first, second = recognise(tmp_path).test
    assert labels_for(first.labels, 2).tolist() == [0, 1]
    assert second.labels is None


def test_npy_labels_beside_a_test_video_are_its_own(tmp_path):
    touch(tmp_path / "test" / "a.mp4")
    np.save(tmp_path / "test" / "a_labels.npy", np.array([True, False]))
    assert labels_for(recognise(tmp_path).test[0].labels, 2).tolist() == [1, 0]


def test_labels_are_not_read_before_frames_are_counted(tmp_path):
    touch(tmp_path / "test" / "a.mp4")
    (tmp_path / "test" / "a_labels.csv").write_text("nonsense")
    assert recognise(tmp_path).test[0].labels.ranges is None


def test_two_label_files_of_one_video_are_refused(tmp_path):
    touch(*(tmp_path / "test" / name for name in ["a.mp4", "a_labels.csv", "a_labels.txt"]))
    with pytest.raises(LabelError, match=r"a_labels\.csv and .*a_labels\.txt"):
        recognise(tmp_path)


def test_labels_of_no_video_are_noted(tmp_path):
    touch(*(tmp_path / "test" / name for name in ["a.mp4", "b_labels.csv", "a_labels.md"]))
    assert recognise(tmp_path).ignored == (
        "test/b_labels.csv (labels of no test video)",
        "test/a_labels.md (not read as ground truth: write a_labels.csv, .npy or .txt beside the clip)",
    )


def test_videos_of_one_stem_keep_names_apart_and_share_no_labels(tmp_path):
    touch(*(tmp_path / "test" / name for name in ["a.avi", "a.mp4", "b.mp4", "a.mp4_labels.csv", "a_labels.txt"]))
    dataset = recognise(tmp_path)
    assert names(dataset.test) == ["a.avi", "a.mp4", "b"]
    assert [item.labels.path.name if item.labels else None for item in dataset.test] == [None, "a.mp4_labels.csv", None]
    assert dataset.ignored == ("test/a_labels.txt (labels of no test video)",)


def test_videos_of_one_file_name_are_told_apart_by_their_folders(tmp_path):
    touch(tmp_path / "normal" / "monday" / "a.mp4", tmp_path / "normal" / "tuesday" / "a.mp4")
    assert names(recognise(tmp_path).train) == ["normal-monday-a.mp4", "normal-tuesday-a.mp4"]


def test_a_stem_that_looks_like_another_files_name_is_told_apart(tmp_path):
    touch(*(tmp_path / name for name in ["a.avi", "a.mp4", "a.mp4.avi"]))
    assert names(recognise(tmp_path).train) == ["a.avi", "a.mp4", "a.mp4.avi"]


def test_a_single_video_is_one_training_item(tmp_path):
    touch(tmp_path / "a.mp4", tmp_path / "b.mp4")
    dataset = recognise(tmp_path / "a.mp4")
    assert (dataset.layout, names(dataset.train), dataset.test) == ("folder", ["a"], ())


def test_a_single_folder_of_images_is_one_training_item(tmp_path):
    item = recognise(images(tmp_path / "clip")).train[0]
    assert (item.name, item.path, item.kind) == ("clip", tmp_path / "clip", "images")


def test_the_current_folder_has_a_name_too(tmp_path, monkeypatch):
    monkeypatch.chdir(images(tmp_path / "clip"))
    assert names(recognise(Path()).train) == ["clip"]


def test_linked_files_and_folders_are_used(tmp_path):
    touch(tmp_path / "store" / "x.mp4")
    images(tmp_path / "store" / "frames")
    (tmp_path / "data" / "normal").mkdir(parents=True)
    (tmp_path / "data" / "normal" / "a.mp4").symlink_to(tmp_path / "store" / "x.mp4")
    (tmp_path / "data" / "normal" / "b").symlink_to(tmp_path / "store" / "frames")
    assert [(item.name, item.kind) for item in recognise(tmp_path / "data").train] == [("a", "video"), ("b", "images")]


def test_a_broken_link_is_noted(tmp_path):
    touch(tmp_path / "normal" / "a.mp4")
    (tmp_path / "normal" / "b.mp4").symlink_to(tmp_path / "gone.mp4")
    dataset = recognise(tmp_path)
    assert (names(dataset.train), dataset.ignored) == (["a"], ("normal/b.mp4 (a broken link)",))


def test_a_link_that_leads_back_up_does_no_harm(tmp_path):
    touch(tmp_path / "normal" / "a.mp4")
    (tmp_path / "normal" / "up").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    assert "a" in names(recognise(tmp_path).train)


def test_a_closed_folder_below_does_not_end_the_search(tmp_path, monkeypatch):
    touch(tmp_path / "a.mp4", tmp_path / "closed" / "b.mp4")
    listed = os.scandir

    def scandir(folder):
        if Path(folder).name == "closed":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(folders.os, "scandir", scandir)
    dataset = recognise(tmp_path)
    assert names(dataset.train) == ["a"]
    assert "closed/ (cannot be listed)" in dataset.ignored


# What is no data set


def test_a_missing_path_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: no such file or folder\. Name a video"):
        recognise(tmp_path / "nowhere")


def test_a_broken_link_as_the_path_is_refused(tmp_path):
    (tmp_path / "a.mp4").symlink_to(tmp_path / "gone.mp4")
    with pytest.raises(DataError, match=r"a\.mp4: a broken link"):
        recognise(tmp_path / "a.mp4")


@pytest.mark.parametrize(("name", "cure"), [("a.txt", "Name a file that ends in"), ("a.jpg", "Name its folder")])
def test_a_file_that_is_no_video_is_refused(tmp_path, name, cure):
    touch(tmp_path / name)
    with pytest.raises(DataError, match=f"the file is no video. {cure}"):
        recognise(tmp_path / name)


def test_an_empty_folder_is_refused(tmp_path):
    touch(tmp_path / ".DS_Store")
    with pytest.raises(DataError, match="the folder is empty"):
        recognise(tmp_path)


def test_a_folder_with_nothing_recognisable_says_what_was_looked_for(tmp_path):
    touch(tmp_path / "notes.txt", tmp_path / "recordings" / "a.zip")
    told = r"looked for videos, .*normal/.*; seen: recordings/a\.zip \(an archive: unpack it\)\. Name the folder"
    with pytest.raises(DataError, match=told):
        recognise(tmp_path)


@pytest.mark.real_data
def test_ped2_has_16_training_and_12_test_clips(real_data):
    dataset = recognise(real_data / "UCSDped2")
    assert (dataset.layout, len(dataset.train), len(dataset.test)) == ("ucsd", 16, 12)
    assert dataset.ignored == ()
    masks = frame_masks(dataset.test[5])
    assert [int(mask.stem.removeprefix("frame")) for mask in masks] == list(range(1, len(masks) + 1))


@pytest.mark.real_data
def test_upcam_has_24_training_videos_and_a_labelled_test_video(real_data):
    dataset = recognise(real_data / "upcam")
    assert (dataset.layout, len(dataset.train), names(dataset.test)) == ("folder", 24, ["00"])
    assert labels_for(dataset.test[0].labels, 18_066).sum() == 5517
    assert dataset.ignored == ("earlier/ (not normal/, train/, training/, test/ or testing/)",)


@pytest.mark.real_data
def test_ped1s_own_ground_truth_fits_36_clips_of_200_frames(real_data, tmp_path):
    for number in range(1, 37):
        images(tmp_path / "Test" / f"Test{number:03}", 200, suffix=".tif")
    shutil.copy(real_data / "UCSDped1" / "Test" / "UCSDped1.m", tmp_path / "Test")
    dataset = recognise(tmp_path)
    assert (len(dataset.test), dataset.label_set) == (36, "frame ranges of UCSDped1.m")
    labels = labels_of(dataset, 200)
    assert sum(map(sum, labels)) == 4045
    assert labels[4] == [int(5 <= frame <= 90 or frame >= 140) for frame in range(1, 201)]


@pytest.mark.real_data
def test_ped1_without_its_frames_is_refused(real_data):
    with pytest.raises(DataError, match="holds ground truth"):
        recognise(real_data / "UCSDped1")


@pytest.mark.real_data
def test_one_mask_image_of_ped2_is_as_large_as_its_frames(real_data):
    with PIL.Image.open(frame_masks(recognise(real_data / "UCSDped2").test[0])[0]) as mask:
        assert mask.size == (360, 240)
