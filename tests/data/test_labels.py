from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from maskedskipunet.data.labels import LabelSource, holds_gt, joined_ranges, labels_for, mat_ranges, ucsd_ranges
from maskedskipunet.errors import LabelError

KINDS = {".csv": "csv", ".npy": "npy", ".txt": "txt"}


def write(path, content):
    path.write_text(content)
    return path


def read(path, frame_count):
    return labels_for(LabelSource(path, KINDS[path.suffix]), frame_count).tolist()


def save_cells(path, *cells):
    array = np.empty((1, len(cells)), dtype=object)
    for place, cell in enumerate(cells):
        array[0, place] = np.array(cell)
    savemat(path, {"gt": array})
    return path


def expected(ranges, frame_count):
    return [int(any(start <= frame <= end for start, end in ranges)) for frame in range(frame_count)]


@st.composite
def ranges_and_count(draw):
    count = draw(st.integers(1, 300))
    pairs = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=6))
    return [(min(pair), max(pair)) for pair in pairs], count


# UCSD's .m


def test_ucsd_ranges_are_read_as_shipped(tmp_path):
    path = write(
        tmp_path / "UCSDped1.m",
        "TestVideoFile = {};\n"
        "TestVideoFile{end+1}.gt_frame = [60:152];\n"
        "TestVideoFile{end+1}.gt_frame = [5:90, 140:200];\n",
    )
    assert ucsd_ranges(path) == [((59, 151),), ((4, 89), (139, 199))]


@pytest.mark.parametrize(
    ("stated", "ranges"),
    [
        ("[5:90 140:200]", ((4, 89), (139, 199))),
        ("[ 5 : 90 ,\t140 : 200 , ]", ((4, 89), (139, 199))),
        ("[5:90,140:200]", ((4, 89), (139, 199))),
        ("[7]", ((6, 6),)),
        ("[7, 9 11:12]", ((6, 6), (8, 8), (10, 11))),
        ("[5:90, ... the rest\n 140:200]", ((4, 89), (139, 199))),
        ("[5:90, % a comment; with [brackets]\n 140:200]", ((4, 89), (139, 199))),
        ("5:90", ((4, 89),)),
        ("[]", ()),
    ],
)
def test_ucsd_ranges_are_read_however_they_are_spaced(tmp_path, stated, ranges):
    path = write(
        tmp_path / "a.m", f"%% ground truth\r\n\nTestVideoFile={{}}\r\nTestVideoFile{{end + 1}}.gt_frame={stated} ;"
    )
    assert ucsd_ranges(path) == [ranges]


def test_comments_in_any_encoding_do_not_disturb(tmp_path):
    (tmp_path / "a.m").write_bytes(b"% caf\xe9\nTestVideoFile{end+1}.gt_frame = [1:2];")
    assert ucsd_ranges(tmp_path / "a.m") == [((0, 1),)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("TestVideoFile = {};\nplot(x)\n", r"a\.m, line 2: found 'plot\(x\)', expected TestVideoFile"),
        ("TestVideoFile{end+1}.gt_frame = [1:x];", r"clip 1: found '1:x', expected first:last"),
        ("TestVideoFile{end+1}.gt_frame = [1:2:9];", r"clip 1: found '1:2:9'"),
        ("TestVideoFile{end+1}.gt_frame = [1:9];\nTestVideoFile{end+1}.gt_frame = [9:1];", r"clip 2: .*9 to 1, .*back"),
        ("TestVideoFile{end+1}.gt_frame = [0:9];", r"clip 1: found the range 0 to 9, but frames count from 1"),
        ("TestVideoFile = {};", "states no clip"),
        ("", "states no clip"),
        ("\0\5\26\7Mac OS X", "line 1: found"),
    ],
)
def test_a_ucsd_file_that_says_something_else_is_refused_with_its_place(tmp_path, content, message):
    with pytest.raises(LabelError, match=message):
        ucsd_ranges(write(tmp_path / "a.m", content))


@given(st.lists(ranges_and_count(), min_size=1, max_size=5), st.sampled_from([", ", " ", ",", "\n"]))
def test_any_ranges_written_in_ucsds_way_come_back_as_labels(tmp_path_factory, clips, separator):
    lines = [separator.join(f"{a + 1}:{b + 1}" for a, b in ranges) for ranges, _ in clips]
    text = "".join(f"TestVideoFile{{end+1}}.gt_frame = [{line}];\n" for line in lines)
    path = write(tmp_path_factory.getbasetemp() / "any.m", text)
    for number, (parsed, (ranges, count)) in enumerate(zip(ucsd_ranges(path), clips, strict=True), start=1):
        labels = labels_for(LabelSource(path, "ucsd", parsed, number), count)
        assert labels.tolist() == expected(ranges, count)


# .mat


def test_mat_cells_hold_starts_above_ends(tmp_path):
    path = save_cells(tmp_path / "ped2.mat", [[5, 140], [90, 200]], [[61], [180]])
    assert mat_ranges(path) == [((4, 89), (139, 199)), ((60, 179),)]


def test_mat_cells_of_other_shapes_are_understood(tmp_path):
    path = save_cells(tmp_path / "ped2.mat", [[1, 2], [4, 5], [7, 8]], [3, 9], np.zeros((0, 0)))
    assert mat_ranges(path) == [((0, 1), (3, 4), (6, 7)), ((2, 8),), ()]


def test_a_mat_file_with_one_bare_array_is_one_clip(tmp_path):
    savemat(tmp_path / "a.mat", {"gt": np.array([[5.0], [9.0]])})
    assert mat_ranges(tmp_path / "a.mat") == [((4, 8),)]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (np.ones((3, 3)), r"clip 2: found an array of shape \(3, 3\)"),
        ([[1.5], [4.0]], r"clip 2: found the range 1\.5:4\.0"),
        ([[9], [4]], r"clip 2: found the range 9 to 4, which is back to front"),
        ([[0], [4]], r"clip 2: found the range 0 to 4, but frames count from 1"),
        (["ab", "cd"], r"clip 2: found an array"),
        ([[np.nan], [4.0]], r"clip 2: found the range nan"),
    ],
)
def test_a_mat_cell_that_holds_no_ranges_is_refused(tmp_path, cell, message):
    with pytest.raises(LabelError, match=message):
        mat_ranges(save_cells(tmp_path / "a.mat", [[1], [2]], cell))


def test_a_mat_file_without_gt_is_refused(tmp_path):
    savemat(tmp_path / "a.mat", {"other": 1})
    assert not holds_gt(tmp_path / "a.mat")
    with pytest.raises(LabelError, match=r"a\.mat: the file holds no variable gt"):
        mat_ranges(tmp_path / "a.mat")


def test_a_mat_file_of_the_newest_format_is_refused_with_the_cure(tmp_path):
    header = b"MATLAB 7.3 MAT-file".ljust(124, b" ") + b"\x00\x02IM"
    (tmp_path / "a.mat").write_bytes(header + bytes(400))
    with pytest.raises(LabelError, match=r"Save it again with -v7"):
        mat_ranges(tmp_path / "a.mat")


@pytest.mark.parametrize("content", [b"", b"hello", bytes(range(256))])
def test_a_damaged_mat_file_is_refused(tmp_path, content):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(LabelError, match=r"a\.mat: cannot read the \.mat file"):
        mat_ranges(tmp_path / "a.mat")


# .csv


@pytest.mark.parametrize(
    "content",
    [
        "0\n1\n1\n0\n",
        "0\r\n1\r\n1\r\n0\r\n\r\n",
        "\ufeff0\n1\n1\n0",
        "label\n0\n1\n1\n0\n",
        "frame,label\n0,0\n1,1\n2,1\n3,0\n",
        "Frame, Label ,note\n0,0,\n1,1,fall\n2,1.0,\n3,0.0,\n",
        "start,end\n1,2\n",
        "start,end,label\n1,1,walks in\n2,2,falls\n",
    ],
)
def test_csv_labels_are_read_in_all_three_forms(tmp_path, content):
    assert read(write(tmp_path / "a_labels.csv", content), 4) == [0, 1, 1, 0]


def test_labels_are_bytes_whatever_the_file(tmp_path):
    labels = labels_for(LabelSource(write(tmp_path / "a.csv", "0\n1\n"), "csv"), 2)
    assert labels.dtype == np.uint8
    assert labels.shape == (2,)


def test_a_csv_of_ranges_without_a_range_says_that_all_is_normal(tmp_path):
    assert read(write(tmp_path / "a.csv", "start,end\n"), 3) == [0, 0, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0\n1\n", r"a\.csv: found 2 labels, expected 4"),
        ("0\n1\n0\n0\n0\n", "found 5 labels, expected 4"),
        ("label\n0\n", "found 1 labels, expected 4"),
        ("0\n2\n0\n0\n", r"a\.csv, line 2: found '2', expected 0 or 1"),
        ("0\n\n0\n0\n", "line 2: found '', expected 0 or 1"),
        ("0\n0,1\n0\n0\n", "line 2: found '0,1'"),
        ("score\n0\n", r"line 1: found 'score', expected 0 or 1, or a header with label, or with start and end"),
        ("frame,label\n0,0\n2,1\n", "line 3: found frame 2, expected 1"),
        ("frame,label\n0,0\n1\n", "line 3: found '', expected 0 or 1"),
        ("frame,label\nx,0\n", "line 2: found 'x', expected a frame's number"),
        ("start,end\n1,4\n", "line 2: found the range 1 to 4, but the last of the 4 frames is 3"),
        ("start,end\n2,1\n", "line 2: found the range 2 to 1, which is back to front"),
        ("start,end\n-1,1\n", "line 2: found '-1'"),
        ("start,end\n1\n", "line 2: found ''"),
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("0" * 200_000 + ",0", "not a table"),
    ],
)
def test_a_csv_that_does_not_fit_is_refused_with_its_line(tmp_path, content, message):
    with pytest.raises(LabelError, match=message):
        read(write(tmp_path / "a.csv", content), 4)


@given(st.lists(st.sampled_from([0, 1]), min_size=1, max_size=50), st.sampled_from(["", "label\n"]))
def test_any_labels_written_one_a_line_come_back(tmp_path_factory, labels, header):
    path = write(tmp_path_factory.getbasetemp() / "any.csv", header + "".join(f"{label}\n" for label in labels))
    assert read(path, len(labels)) == labels


# .npy


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32])
def test_npy_labels_of_any_number_type_are_read(tmp_path, kind):
    np.save(tmp_path / "a.npy", np.array([0, 1, 1], dtype=kind))
    assert read(tmp_path / "a.npy", 3) == [0, 1, 1]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([0, 2, 0]), r"a\.npy, entry 1: found 2, expected 0 or 1"),
        (np.array([0, 0.5, 1]), "entry 1: found 0.5"),
        (np.array([0, np.nan, 1]), "entry 1: found nan"),
        (np.zeros((3, 3)), r"found shape \(3, 3\) and type float64, expected one row"),
        (np.array(["0", "1", "0"]), "expected one row of numbers"),
        (np.array([0, 1]), "found 2 labels, expected 3"),
    ],
)
def test_an_npy_that_does_not_fit_is_refused(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(LabelError, match=message):
        read(tmp_path / "a.npy", 3)


def test_an_npy_with_python_objects_is_never_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([None, 1, 0], dtype=object), allow_pickle=True)
    with pytest.raises(LabelError, match="cannot read the array"):
        read(tmp_path / "a.npy", 3)


@pytest.mark.parametrize("content", [b"", b"hello"])
def test_a_damaged_npy_is_refused(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(LabelError, match="cannot read the array"):
        read(tmp_path / "a.npy", 3)


def test_several_arrays_in_an_npy_are_refused(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        np.savez(file, a=np.zeros(3), b=np.ones(3))
    with pytest.raises(LabelError, match="found several arrays"):
        read(tmp_path / "a.npy", 3)


# .npy with all clips one after another


@given(st.lists(st.lists(st.sampled_from([0, 1]), min_size=1, max_size=20), min_size=1, max_size=5), st.booleans())
def test_labels_one_clip_after_another_come_back_clip_by_clip(tmp_path_factory, clips, as_a_row):
    path = tmp_path_factory.getbasetemp() / "joined.npy"
    labels = np.concatenate(clips).astype(np.uint8)
    np.save(path, labels[None] if as_a_row else labels)
    stated = joined_ranges(path, [len(clip) for clip in clips])
    for number, (ranges, clip) in enumerate(zip(stated, clips, strict=True), start=1):
        assert labels_for(LabelSource(path, "npy", ranges, number), len(clip)).tolist() == clip


def test_another_number_of_labels_than_all_clips_have_frames_is_refused(tmp_path):
    np.save(tmp_path / "all.npy", np.zeros(9))
    with pytest.raises(LabelError, match=r"all\.npy: found 9 labels, but the 2 test clips have 8 frames"):
        joined_ranges(tmp_path / "all.npy", [3, 5])


# Masks of a whole clip


def test_a_frame_is_anomalous_when_its_mask_has_any_pixel(miniatures, tmp_path):
    path = miniatures.volume(tmp_path / "1_label.mat", 0)
    assert labels_for(LabelSource(path, "volume"), 6).tolist() == [0, 1, 1, 0, 1, 0]


def test_another_number_of_masks_than_frames_is_refused(miniatures, tmp_path):
    path = miniatures.volume(tmp_path / "1_label.mat", 0)
    with pytest.raises(LabelError, match=r"1_label\.mat: found 6 labels, expected 7, one a frame"):
        labels_for(LabelSource(path, "volume"), 7)


# .txt


def test_txt_ranges_are_read_with_any_of_their_separators(tmp_path):
    path = write(tmp_path / "a.txt", "# falls\n0-1\n3:3\n\n5 6  # once more\n 8 - 8\n")
    assert read(path, 10) == [1, 1, 0, 1, 0, 1, 1, 0, 1, 0]


def test_an_empty_txt_says_that_all_is_normal(tmp_path):
    assert read(write(tmp_path / "a.txt", "# nothing happens\n"), 2) == [0, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0-1\n5\n", r"a\.txt, line 2: found '5', expected a range such as 10-20"),
        ("a-b\n", "line 1: found 'a-b'"),
        ("1-2-3\n", "line 1: found '1-2-3'"),
        ("3-1\n", "line 1: found the range 3 to 1, which is back to front"),
        ("0-1\n2-10\n", "line 2: found the range 2 to 10, but the last of the 10 frames is 9"),
    ],
)
def test_a_txt_that_does_not_fit_is_refused_with_its_line(tmp_path, content, message):
    with pytest.raises(LabelError, match=message):
        read(write(tmp_path / "a.txt", content), 10)


@given(ranges_and_count(), st.sampled_from(["-", ":", " ", " - ", "\t"]))
def test_any_ranges_written_one_a_line_come_back_as_labels(tmp_path_factory, drawn, separator):
    ranges, count = drawn
    path = write(tmp_path_factory.getbasetemp() / "any.txt", "".join(f"{a}{separator}{b}\n" for a, b in ranges))
    assert read(path, count) == expected(ranges, count)


# Sources


def test_a_range_beyond_the_end_is_told_in_the_files_own_numbers():
    with pytest.raises(
        LabelError, match=r"ped2\.m, clip 3: found the range 1 to 181, but the last of the 180 frames is 180"
    ):
        labels_for(LabelSource(Path("ped2.m"), "ucsd", ((0, 180),), 3), 180)


def test_a_source_without_ranges_reads_its_clip_from_the_file(tmp_path):
    path = save_cells(tmp_path / "ped2.mat", [[1], [1]], [[2], [2]])
    assert labels_for(LabelSource(path, "mat", clip=2), 3).tolist() == [0, 1, 0]
    with pytest.raises(LabelError, match="found 2 clips, expected clip 3"):
        labels_for(LabelSource(path, "mat", clip=3), 3)


@pytest.mark.parametrize("kind", ["csv", "npy", "txt", "ucsd", "mat", "volume"])
def test_a_missing_label_file_is_named(tmp_path, kind):
    with pytest.raises(LabelError, match=r"gone: cannot read"):
        labels_for(LabelSource(tmp_path / "gone", kind), 3)


@pytest.mark.real_data
def test_the_ground_truth_of_ped2_has_1648_anomalous_frames(real_data):
    clips = ucsd_ranges(real_data / "UCSDped2" / "Test" / "UCSDped2.m")
    assert len(clips) == 12
    assert sum(end - start + 1 for ranges in clips for start, end in ranges) == 1648


@pytest.mark.real_data
def test_the_ground_truth_of_ped1_is_36_clips_some_with_two_ranges(real_data):
    path = real_data / "UCSDped1" / "Test" / "UCSDped1.m"
    clips = ucsd_ranges(path)
    assert len(clips) == 36
    assert clips[4] == ((4, 89), (139, 199))
    assert all(labels_for(LabelSource(path, "ucsd", ranges), 200).any() for ranges in clips)


@pytest.mark.real_data
def test_the_labels_of_upcam_have_5517_anomalous_frames(real_data):
    labels = labels_for(LabelSource(real_data / "upcam" / "test" / "00_labels.csv", "csv"), 18_066)
    assert labels.sum() == 5517
