from dataclasses import replace

import numpy as np
import PIL.Image
import pytest

from maskedskipunet.data.labels import labels_for
from maskedskipunet.data.layouts import recognise
from maskedskipunet.data.masks import has_masks, read_masks
from maskedskipunet.errors import LabelError

FIRST_MASKED = {"ped1": 1, "avenue": 0, "shanghaitech": 0}  # the first test clip with masks


@pytest.fixture(params=FIRST_MASKED)
def masked(request, miniatures, tmp_path):
    """The first clip with masks of each data set, and its number."""
    dataset = recognise(getattr(miniatures, request.param)(tmp_path / "data"))
    return dataset.test[FIRST_MASKED[request.param]], FIRST_MASKED[request.param]


def test_masks_come_one_a_frame_in_order_whatever_they_are_kept_in(miniatures, masked):
    item, clip = masked
    assert has_masks(item)
    found = list(read_masks(item))
    assert all(mask.dtype == bool for mask in found)
    np.testing.assert_array_equal(found, [miniatures.mask(clip, frame) > 0 for frame in range(6)])


def test_a_clip_without_masks_gives_none(masked):
    item = replace(masked[0], masks=None)
    assert not has_masks(item)
    assert list(read_masks(item)) == []


def test_masks_for_part_of_the_clips_are_those_of_these_clips(miniatures, tmp_path):
    assert list(map(has_masks, recognise(miniatures.ped1(tmp_path)).test)) == [False, True, False]


def test_a_mask_image_too_few_is_refused_with_the_folder(miniatures, tmp_path):
    (miniatures.ped1(tmp_path) / "Test" / "Test002_gt" / "004.bmp").unlink()
    with pytest.raises(LabelError, match=r"Test/Test002_gt: found 5 masks, expected 6, one a frame"):
        list(read_masks(recognise(tmp_path).test[1]))


def test_a_mask_image_of_another_size_is_refused_with_its_name(miniatures, tmp_path):
    PIL.Image.new("L", (8, 4)).save(miniatures.ped1(tmp_path) / "Test" / "Test002_gt" / "004.bmp")
    with pytest.raises(LabelError, match=r"004\.bmp: found masks of 8x4, but the frames are 48x32"):
        list(read_masks(recognise(tmp_path).test[1]))


def test_a_damaged_mask_image_is_refused_with_its_name(miniatures, tmp_path):
    (miniatures.ped1(tmp_path) / "Test" / "Test002_gt" / "004.bmp").write_bytes(b"no image")
    with pytest.raises(LabelError, match=r"004\.bmp: cannot read the image \(it is not an image\)\. Copy it again\.$"):
        list(read_masks(recognise(tmp_path).test[1]))


def test_cells_too_many_for_a_video_are_refused_with_the_file(miniatures, tmp_path):
    miniatures.avenue(tmp_path)
    miniatures.volume(tmp_path / "ground_truth_demo" / "testing_label_mask" / "2_label.mat", 1, 7)
    with pytest.raises(LabelError, match=r"2_label\.mat: found 7 masks, expected 6, one a frame"):
        list(read_masks(recognise(tmp_path).test[1]))


def test_an_array_of_another_size_than_the_frames_is_refused_with_the_file(miniatures, tmp_path):
    np.save(miniatures.shanghaitech(tmp_path) / "testing/test_pixel_mask/02_0007.npy", np.zeros((6, 48, 32)))
    with pytest.raises(LabelError, match=r"02_0007\.npy: found masks of 32x48, but the frames are 48x32"):
        list(read_masks(recognise(tmp_path).test[1]))


@pytest.mark.real_data
def test_the_masks_of_a_clip_of_ped2_are_marked_where_its_frames_are_labelled(real_data):
    item = recognise(real_data / "UCSDped2").test[0]
    marked = [mask.any() for mask in read_masks(item)]
    np.testing.assert_array_equal(marked, labels_for(item.labels, 180))
