from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.io import savemat

from maskedskipunet.data.matlab import mat_variable
from maskedskipunet.data.volumes import read_volume
from maskedskipunet.errors import LabelError


def save_cells(path, cells, shape=None):
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    savemat(path, {"volLabel": array.reshape(shape or (1, len(cells)))})
    return path


def masks_of(path):
    return np.stack(list(read_volume(path).masks()))


volumes = st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 255]))
)


@given(volumes, st.sampled_from([bool, np.uint8, np.int32, np.float64]), st.sampled_from([".mat", ".npy"]))
def test_any_masks_come_back_frame_by_frame_from_cells_and_arrays(tmp_path_factory, masks, kind, suffix):
    masks = np.concatenate([np.zeros_like(masks[:1]), masks])  # a normal frame: without one, white may be background
    path = tmp_path_factory.getbasetemp() / f"masks{suffix}"
    if suffix == ".mat":
        save_cells(path, list(masks.astype(kind)))
    else:
        np.save(path, masks.astype(kind))
    volume = read_volume(path)
    assert (len(volume), volume.size_px) == (len(masks), masks.shape[1:])
    np.testing.assert_array_equal(masks_of(path), masks > 0)
    np.testing.assert_array_equal(volume.labels(), masks.any(axis=(1, 2)))


def test_cells_are_read_in_order_whether_they_lie_in_a_row_or_a_column(tmp_path):
    cells = [np.full((2, 3), number % 2) for number in range(5)]
    for shape in ((1, 5), (5, 1)):
        assert read_volume(save_cells(tmp_path / "a.mat", cells, shape)).labels().tolist() == [0, 1, 0, 1, 0]


def test_an_array_is_mapped_and_not_read(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 4, 5), np.uint8))
    assert isinstance(read_volume(tmp_path / "a.npy").planes, np.memmap)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([np.zeros((2, 3)), np.zeros((3, 2))], r"a\.mat, cell 2: the mask is 2x3, but the first is 3x2"),
        ([np.zeros((2, 3)), np.zeros((0, 0))], r"cell 2: found an array of shape \(0, 0\)"),
        ([np.zeros((2, 3, 4))], r"cell 1: found an array of shape \(2, 3, 4\)"),
        (["words"], "cell 1: found an array .*, expected a mask, one number a pixel"),
    ],
)
def test_a_cell_that_holds_no_mask_is_refused_with_its_number(tmp_path, cells, message):
    with pytest.raises(LabelError, match=message):
        read_volume(save_cells(tmp_path / "a.mat", cells))


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"other": 1}, "holds no variable volLabel"),
        ({"volLabel": np.zeros((2, 3))}, r"found an array of shape \(2, 3\) and type float64 as volLabel, expected a"),
        ({"volLabel": np.empty((0, 0), dtype=object)}, r"found an array of shape \(0, 0\) and type object"),
        ({"volLabel": {"field": 1}}, "as volLabel, expected a cell array of masks"),
    ],
)
def test_a_mat_file_without_cells_of_masks_is_refused(tmp_path, variables, message):
    savemat(tmp_path / "a.mat", variables)
    with pytest.raises(LabelError, match=message):
        read_volume(tmp_path / "a.mat")


def test_a_mat_file_of_the_newest_format_is_refused_with_the_cure(tmp_path):
    header = b"MATLAB 7.3 MAT-file".ljust(124, b" ") + b"\x00\x02IM"
    (tmp_path / "a.mat").write_bytes(header + bytes(400))
    with pytest.raises(LabelError, match=r"a\.mat: the file is of MATLAB 7\.3's format\. Save it again with -v7"):
        read_volume(tmp_path / "a.mat")


def test_wherever_a_mat_file_is_cut_off_it_is_refused_or_still_masks(tmp_path):
    path = tmp_path / "damaged.mat"
    content = save_cells(path, [np.ones((2, 3), np.uint8)] * 2).read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with suppress(LabelError):
            volume = read_volume(path)
            assert all(mask.shape == volume.size_px for mask in volume.masks())


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3), r"a\.npy: found an array of shape \(3,\) .*, expected masks of shape \(frames, height, width\)"),
        (np.zeros((3, 4, 5, 2)), r"found an array of shape \(3, 4, 5, 2\)"),
        (np.full((3, 4, 5), "x"), "and type <U1"),
        (np.full((1, 1, 1), None, dtype=object), "cannot read the masks"),
        (np.zeros((0, 4, 5)), "found an array of shape|cannot read the masks"),
    ],
)
def test_an_array_that_holds_no_masks_is_refused(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(LabelError, match=message):
        read_volume(tmp_path / "a.npy")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x93NUMPY\x01\x00"])
def test_a_damaged_array_is_refused(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(LabelError, match=r"a\.npy: cannot read the masks"):
        read_volume(tmp_path / "a.npy")


def test_an_array_that_was_cut_off_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 4, 5)))
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-1])
    with pytest.raises(LabelError, match=r"a\.npy: cannot read the masks"):
        read_volume(tmp_path / "a.npy")


def test_several_arrays_are_refused(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        np.savez(file, a=np.zeros(3), b=np.ones(3))
    with pytest.raises(LabelError, match="found several arrays"):
        read_volume(tmp_path / "a.npy")


def test_a_variable_that_is_not_there_is_none(tmp_path):
    savemat(tmp_path / "a.mat", {"other": 1})
    assert mat_variable(tmp_path / "a.mat", "gt") is None
    assert mat_variable(tmp_path / "a.mat", "other").tolist() == [[1]]
