"""Which frame of a video each image of a folder is, by the number in its name."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from maskedskipunet.data.checking import check
from maskedskipunet.data.frame_files import number_frames
from maskedskipunet.data.images import probe_images, read_images
from maskedskipunet.data.labels import LabelSource, labels_of
from maskedskipunet.data.layouts import recognise
from maskedskipunet.data.masks import read_masks
from maskedskipunet.errors import LabelError


def numbered(*names):
    return number_frames([Path(name) for name in names])


def save(folder, names, value=None):
    """An image of each name, whose grey is the last number in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        PIL.Image.new("L", (8, 6), value or int(name[:3])).save(folder / name)
    return folder


def some_missing(suffix=".png"):
    return [f"{number:03}{suffix}" for number in range(1, 101) if not 21 <= number <= 35]


@pytest.fixture
def gap(tmp_path):
    """Frames 001 to 100, of which 021 to 035 are missing."""
    return save(tmp_path / "test" / "clip", some_missing())


def test_frames_keep_their_number_where_others_are_missing(gap):
    info = probe_images(gap)
    frames = list(read_images(gap, "stop", 10))
    assert (info.frame_count, info.missing, info.unplaced) == (100, ((20, 34),), "")
    assert [frame.index for frame in frames] == list(range(100))
    assert [frame.index for frame in frames if frame.image is None] == list(range(20, 35))
    assert frames[60].time_s == 6.0
    assert frames[60].image.max() == 61


def test_a_gap_is_noted(gap, caplog):
    told = "15 images are missing by the numbers in the names: 21 to 35; the other frames keep theirs"
    assert f"train/clip: {told}" in check(gap).oddities


def test_ranges_of_a_clip_with_a_gap_are_of_the_frames_they_name(gap):
    (gap.parent / "clip_labels.txt").write_text("60-80\n")
    labels = labels_of(recognise(gap.parent.parent).test[0].labels, probe_images(gap))
    assert np.flatnonzero(labels).tolist() == list(range(60, 81))


@pytest.mark.parametrize("given", ["of the images", "of all frames", "by their number"])
def test_labels_one_a_frame_fit_with_and_without_the_missing_ones(gap, given):
    whole = np.arange(100) >= 60
    there = np.array([not 20 <= frame <= 34 for frame in range(100)])
    if given == "by their number":
        rows = [f"{frame},{int(whole[frame])}" for frame in np.flatnonzero(there)]
        (gap / "labels.csv").write_text("\n".join(["frame,label", *rows]))
        source = LabelSource(gap / "labels.csv", "csv")
    else:
        np.save(gap / "labels.npy", whole if given == "of all frames" else whole[there])
        source = LabelSource(gap / "labels.npy", "npy")
    np.testing.assert_array_equal(
        labels_of(source, probe_images(gap)), whole & there if given != "of all frames" else whole
    )


def test_labels_of_another_number_are_refused_with_both_that_fit(gap):
    np.save(gap / "labels.npy", np.zeros(90))
    with pytest.raises(
        LabelError, match=r"found 90 labels, expected 85, one an image \(or 100 with the missing ones\)"
    ):
        labels_of(LabelSource(gap / "labels.npy", "npy"), probe_images(gap))


@pytest.mark.parametrize("masks", [85, 100])
def test_masks_of_a_clip_with_a_gap_stay_with_their_frames(gap, masks):
    names = some_missing() if masks == 85 else [f"{number:03}.png" for number in range(1, 101)]
    folder = save(gap.parent / "clip_gt", names)
    for name in names:
        PIL.Image.new("L", (8, 6), 255 * (name == "061.png")).save(folder / name)
    found = list(read_masks(recognise(gap.parent.parent).test[0]))
    assert [frame for frame, mask in enumerate(found) if mask.any()] == [60]


@pytest.mark.parametrize("double", ["001.png", "040 (1).jpg", "040 - Copy.jpg", "40.jpg", "040_2.jpg"])
def test_a_second_image_of_a_frame_is_left_out_and_noted(double):
    found = numbered(*sorted([f"{number:03}.jpg" for number in range(1, 51)] + [double]))
    assert [file.name for file in found.files] == [f"{number:03}.jpg" for number in range(1, 51)]
    assert (found.count, found.missing, found.unplaced) == (50, (), "")
    assert found.notes == (f"left out: {double} (a second image of a frame)",)


def test_where_all_frames_are_there_twice_one_of_each_is_taken():
    found = numbered(*(f"{number:03}.{suffix}" for number in range(4) for suffix in ("jpg", "png")))
    assert (len(found.files), {file.suffix for file in found.files}) == (4, {".jpg"})


def test_masks_among_the_frames_are_no_frames():
    found = numbered("001.png", "001_mask.png", "002.png", "002_mask.png")
    assert [file.name for file in found.files] == ["001.png", "002.png"]


@pytest.mark.parametrize(
    "names",
    [
        [f"f ({number}).jpg" for number in range(1, 6)],  # as Windows numbers many files
        [f"20230426_{clock}.jpg" for clock in ("120058", "120059", "120100", "120102")],
        [f"{milliseconds}.jpg" for milliseconds in (1682467200123, 1682467200223, 1682467200325)],
        [f"cam{camera}_{number:03}.jpg" for camera in (1, 2) for number in range(3)],
        [f"{hour:02}-{minute:02}.jpg" for hour in (7, 8) for minute in (0, 30)],
        ["a.png", "b.png"],
        ["7.png"],
    ],
)
def test_names_without_a_frames_number_are_frames_in_order_and_need_no_word(names):
    found = numbered(*names)
    assert [file.name for file in found.files] == names
    assert (found.indices, found.unplaced, found.notes) == (tuple(range(len(names))), "", ())


@pytest.mark.parametrize(
    ("numbers", "why"),
    [
        (range(0, 100, 5), r"the images are numbered in steps of 5 \(0, 5, 10, …\)"),
        ((3, 17, 45, 102), r"the numbers in the images' names jump \(3, 17, 45, …\)"),
        (range(16, 60), "the images' numbers begin at 16"),
    ],
)
def test_ranges_are_refused_where_the_numbers_do_not_say_which_frames_they_are(tmp_path, numbers, why):
    save(tmp_path, [f"{number:03}.png" for number in numbers], 9)
    info = probe_images(tmp_path)
    (tmp_path / "ranges.txt").write_text("1-2\n")
    with pytest.raises(LabelError, match=f"found ranges of frames, but {why}. Give one 0 or 1 for each image"):
        labels_of(LabelSource(tmp_path / "ranges.txt", "txt"), info)
    np.save(tmp_path / "a.npy", np.arange(len(numbers)) == 1)
    assert labels_of(LabelSource(tmp_path / "a.npy", "npy"), info).tolist() == [
        int(n == 1) for n in range(len(numbers))
    ]


def test_numbers_far_apart_do_not_make_a_video_of_missing_frames():
    assert numbered("1.png", "2.png", "3.png", "99999999.png").count == 4
