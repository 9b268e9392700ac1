"""Ground truth near test clips, under the names that people give it: found and used, or told of."""

import numpy as np
import PIL.Image
import pytest

from maskedskipunet.data.checking import check
from maskedskipunet.data.labels import labels_for
from maskedskipunet.data.layouts import recognise
from maskedskipunet.data.masks import read_masks
from maskedskipunet.data.video.encoding import VideoWriter

STATED = [0, 1, 1, 0]
MASKS = np.zeros((4, 16, 32), np.uint8)
MASKS[1:3, 4:8, 4:8] = 1


def images(folder, frames=4, suffix=".png"):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, frames + 1):
        PIL.Image.new("L", (32, 16), 99).save(folder / f"{number:03}{suffix}")
    return folder


def mask_images(folder, masks=MASKS, suffix=".png"):
    folder.mkdir(parents=True, exist_ok=True)
    for number, mask in enumerate(masks, start=1):
        PIL.Image.fromarray(mask * 255).save(folder / f"{number:03}{suffix}")


def found_labels(root):
    return [None if item.labels is None else labels_for(item.labels, 4).tolist() for item in recognise(root).test]


def frames_layout(root):
    images(root / "training" / "frames" / "01")
    return images(root / "testing" / "frames" / "Test001").parent


def test_masks_beside_a_clip_of_frames_are_used_for_pixels_and_for_labels(tmp_path):
    mask_images(frames_layout(tmp_path) / "Test001_gt")
    dataset = recognise(tmp_path)
    np.testing.assert_array_equal(list(read_masks(dataset.test[0])), MASKS > 0)
    assert (found_labels(tmp_path), dataset.ignored) == ([STATED], ())
    assert dataset.label_set == "masks in frames/, a frame with any pixel marked is anomalous"


def save_npy(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.array(STATED))


def write_ranges(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("1-2\n")


def save_archive(path):
    np.savez(path, Test001=np.array(STATED))


def save_volume(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, MASKS)


@pytest.mark.parametrize(
    ("place", "save"),
    [
        ("testing/frames/Test001/Test001_gt.txt", write_ranges),
        ("testing/frames/Test001/labels.txt", write_ranges),
        ("testing/frames/Test001_label.npy", save_npy),
        ("testing/frames/Test001_gt.npy", save_npy),
        ("testing/frames/Test001-labels.npy", save_npy),
        ("testing/frames/Test001_ground_truth.txt", write_ranges),
        ("testing/labels/Test001.npy", save_npy),
        ("testing/frames/labels/Test001_gt.txt", write_ranges),
        ("labels/Test001.txt", write_ranges),
        ("labels/1.npy", save_npy),
        ("testing/gt.npz", save_archive),
        ("gt.npz", save_archive),
        ("testing/mask/1.npy", save_volume),
        ("testing/mask/1.npy", save_npy),
        ("masks/Test001.npy", save_volume),
    ],
)
def test_labels_under_the_names_that_people_give_them_are_used(tmp_path, place, save):
    frames_layout(tmp_path)
    save(tmp_path / place)
    dataset = recognise(tmp_path)
    assert found_labels(tmp_path) == [STATED]
    assert dataset.ignored == ()


def test_labels_of_a_folder_go_to_the_clips_by_number_where_no_name_agrees(tmp_path):
    for number in (1, 2):
        images(tmp_path / "test" / f"clip{number:02}")
        (tmp_path / "test" / "mask").mkdir(exist_ok=True)
        np.save(tmp_path / "test" / "mask" / f"{number}.npy", np.roll(STATED, number))
    assert found_labels(tmp_path) == [np.roll(STATED, 1).tolist(), np.roll(STATED, 2).tolist()]


def test_a_table_of_all_clips_is_used_for_those_it_names(tmp_path):
    for name in ("a", "b", "c"):
        images(tmp_path / "test" / name)
    (tmp_path / "labels.csv").write_text("video,start,end\na.mp4,1,2\nc,0,0\n")
    assert found_labels(tmp_path) == [STATED, None, [1, 0, 0, 0]]


def test_the_name_that_is_asked_for_comes_first_and_the_other_is_told_of(tmp_path):
    folder = frames_layout(tmp_path)
    (folder / "Test001_labels.csv").write_text("0\n0\n0\n1\n")
    save_npy(folder / "Test001_gt.npy")
    dataset = recognise(tmp_path)
    assert found_labels(tmp_path) == [[0, 0, 0, 1]]
    assert dataset.ignored == (
        "testing/frames/Test001_gt.npy (ground truth that is not used, the clips have theirs from elsewhere)",
    )


@pytest.mark.parametrize("name", ["annotations.txt", "testing/annotations.json", "testing/frames/Test001_gt.mat"])
def test_what_cannot_be_read_is_told_of_with_the_name_that_is_expected(tmp_path, name):
    frames_layout(tmp_path)
    (tmp_path / name).write_text("Test001.avi Fall 2 3 -1 -1\n")
    oddities = check(tmp_path).oddities
    told = "not read as ground truth: write Test001_labels.csv, .npy or .txt beside the clip"
    assert f"not used: {name} ({told})" in oddities


def test_many_files_that_are_not_used_are_one_note(tmp_path):
    frames_layout(tmp_path)
    for number in range(5):
        save_npy(tmp_path / "labels" / f"other{number}a{number}.npy")
    assert [note.partition(" (")[0] for note in recognise(tmp_path).ignored] == [
        "labels/",
        "5 files and folders in labels/",
    ]


def test_ucsds_masks_say_the_labels_where_no_file_does(tmp_path):
    images(tmp_path / "Test" / "Test001", suffix=".tif")
    mask_images(tmp_path / "Test" / "Test001_gt", suffix=".bmp")
    assert found_labels(tmp_path) == [STATED]


@pytest.mark.parametrize("place", ["test/a_gt", "test/masks/a", "masks/a", "test/mask/a_mask"])
def test_folders_of_masks_beside_videos_are_masks_and_no_footage(tmp_path, place):
    (tmp_path / "test").mkdir()
    with VideoWriter(tmp_path / "test" / "a.mp4", height_px=16, width_px=32, frame_rate=5) as writer:
        for _ in range(4):
            writer.write(np.zeros((16, 32, 3), np.uint8))
    mask_images(tmp_path / place, suffix=".tif")
    dataset = recognise(tmp_path)
    assert [item.name for item in dataset.test] == ["a"]
    assert (found_labels(tmp_path), dataset.ignored) == ([STATED], ())


def test_100_videos_with_labels_in_a_folder_are_each_looked_at_once(tmp_path):
    (tmp_path / "test").mkdir()
    (tmp_path / "labels").mkdir()
    for number in range(100):
        (tmp_path / "test" / f"{number}.mp4").touch()
        (tmp_path / "labels" / f"{number}_gt.txt").touch()
    sources = [item.labels for item in recognise(tmp_path).test]
    assert [source.path.name for source in sources] == [f"{number}_gt.txt" for number in range(100)]


def test_a_page_about_labels_is_not_taken_for_labels(tmp_path):
    frames_layout(tmp_path)
    save_npy(tmp_path / "testing" / "frames" / "Test001_labels.npy")
    (tmp_path / "testing" / "frames" / "Test001_labels.md").write_text("How the clip was labelled.\n")
    assert (found_labels(tmp_path), recognise(tmp_path).ignored) == ([STATED], ())


def test_an_archive_with_an_array_a_clip_may_leave_out_frames_that_are_missing(tmp_path):
    (frames_layout(tmp_path) / "Test001" / "002.png").unlink()
    np.savez(tmp_path / "testing" / "frame_gt.npz", Test001=np.array([0, 1, 0]))
    (item,) = recognise(tmp_path).test
    assert labels_for(item.labels, 4, missing=((1, 1),)).tolist() == [0, 0, 1, 0]
