"""Labels of frames as people write them: one reader for files beside videos and for files of ground truth."""

from io import StringIO

import numpy as np
import pytest

from maskedskipunet.data.label_files import read_label_file
from maskedskipunet.data.labels import LabelSource, labels_for
from maskedskipunet.errors import LabelError
from maskedskipunet.evaluation.truth import read_ground_truth

STATED = [0, 1, 1, 0]
KINDS = {".csv": "csv", ".tsv": "csv", ".npy": "npy", ".npz": "npz", ".txt": "txt"}


def saved_text(array, **options):
    text = StringIO()
    np.savetxt(text, array, **options)
    return text.getvalue()


TEXTS = {
    "np.savetxt": saved_text(np.array(STATED)),
    "np.savetxt of a row": saved_text(np.array(STATED)[None]),
    "np.savetxt with commas": saved_text(np.array(STATED)[None], delimiter=",", fmt="%d"),
    "np.savetxt with a header": saved_text(np.array(STATED), header="labels of the clip"),
    "one a line": "0\n1\n1\n0\n",
    "one a line and no end": "0\r\n1\r\n1\r\n0",
    "one row of commas": "0,1,1,0\n",
    "one row of semicolons": "0;1;1;0\n",
    "one row of blanks": "0 1 1 0\n",
    "one row of tabs": "0\t1\t1\t0\n",
    "one row, commas and blanks": "0, 1, 1, 0\n",
    "lines that end in a mark": "0;\n1;\n1;\n0;\n",
    "a list of Python": "[0, 1, 1, 0]\n",
    "an array that numpy printed": "[0. 1.\n 1. 0.]\n",
    "words": "False\nTrue\nTrue\nFalse\n",
    "words in a row": "false,true,true,false\n",
    "0 and 255": "0\n255\n255\n0\n",
    "0 and 255 with decimals": "0.0\n255.0\n255.0\n0.0\n",
    "a header": "label\n0\n1\n1\n0\n",
    "another header": "anomaly\n0\n1\n1\n0\n",
    "a header, frames and semicolons": "frame;label\n0;0\n1;1\n2;1\n3;0\n",
    "a header and tabs": "frame\tlabel\n0\t0\n1\t1\n2\t1\n3\t0\n",
    "as pandas writes a table": ",label\n0,0\n1,1\n2,1\n3,0\n",
    "as pandas writes a series": ",0\n0,0\n1,1\n2,1\n3,0\n",
    "frames without a header": "0,0\n1,1\n2,1\n3,0\n",
    "quotes": '"label"\n"0"\n"1"\n"1"\n"0"\n',
    "start,end": "start,end\n1,2\n",
    "start;end": "start;end\n1;2\n",
    "start_frame, end_frame": "start_frame, end_frame\n1, 2\n",
    "whole numbers with decimals": "start,end\n1.0,2.0\n",
    "a range": "1-2\n",
    "a range with commas": "1,2\n",
    "a range of blanks": "1 2\n",
    "two ranges in a line": "1-1, 2-2\n",
    "ranges and a remark": "# falls\n1:1\n\n2 2  # again\n",
}


def by_reader(path, reader):
    """Labels of a file beside its video, and of the same file as ground truth."""
    if reader == "beside its video":
        return labels_for(LabelSource(path, KINDS[path.suffix]), 4).tolist()
    truth = read_ground_truth(path, [4] if any(one.values is None for one in read_label_file(path).values()) else None)
    assert truth.labels[0] is not None
    return truth.labels[0].tolist()


READERS = pytest.mark.parametrize("reader", ["beside its video", "ground truth"])


@READERS
@pytest.mark.parametrize("suffix", [".txt", ".csv"])
@pytest.mark.parametrize("form", TEXTS)
def test_text_is_read_alike_in_both_places_however_it_is_written(tmp_path, form, suffix, reader):
    path = tmp_path / f"a{suffix}"
    path.write_text(TEXTS[form] if form != "ranges and a remark" or suffix == ".txt" else "1-2\n")
    assert by_reader(path, reader) == STATED


@READERS
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("text", ["0\n1\n1\n0\n", "label\r\n0\r\n1\r\n1\r\n0\r\n", "1-2\n"])
def test_text_is_read_in_any_encoding(tmp_path, text, encoding, reader):
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    assert by_reader(tmp_path / "a.txt", reader) == STATED


ARRAYS = {
    "(N,)": np.array(STATED),
    "(N, 1)": np.array(STATED)[:, None],
    "(1, N)": np.array(STATED)[None],
    "0 and 255": np.array(STATED, np.uint8) * 255,
    "decimals": np.array(STATED, np.float32),
    "yes and no": np.array(STATED, bool)[:, None],
    "ranges": np.array([[1, 1], [2, 2]]),
    "frame and label": np.stack([np.arange(4), STATED], axis=1),
}


@READERS
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("form", ARRAYS)
def test_arrays_are_read_alike_in_both_places(tmp_path, form, suffix, reader):
    path = tmp_path / f"a{suffix}"
    np.save(path, ARRAYS[form]) if suffix == ".npy" else np.savez(path, ARRAYS[form])
    assert by_reader(path, reader) == STATED


@READERS
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0\n2\n1\n0\n", r"a\.csv, line 2: found '2', expected 0 or 1"),
        ("0\n-1\n1\n0\n", "line 2: found '-1', expected 0 or 1"),
        ("0\n255\n1\n0\n", "line 2: found '255', expected 0 or 1"),
        ("0\nnan\n1\n0\n", "line 2: found 'nan', expected 0 or 1"),
        ("score\n0\n1\n1\n0\n", "line 1: found 'score', expected 0 or 1, or a header with label"),
        ("video,frame,score\na,0,1\n", "line 1: found 'video,frame,score', expected 0 or 1"),
        ("0,1,1\n1,0,0\n", "line 1: found '0,1,1', expected 0 or 1"),
        ("a photograph\nof nothing\n", "line 1: found 'a,photograph'"),
        ("start,end\n2,1\n", "line 2: found the range 2 to 1, which is back to front"),
        ("1-2\n1-9\n", "line 2: found the range 1 to 9, but the last of the 4 frames is 3"),
    ],
)
def test_what_says_no_labels_is_refused_in_both_places_with_its_line(tmp_path, text, told, reader):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(LabelError, match=told):
        by_reader(tmp_path / "a.csv", reader)


@pytest.mark.parametrize(
    "array", [np.eye(4)[:, :2].astype(int), np.zeros((4, 3)), np.array([[3, 1]]), np.array([0, 7])]
)
def test_arrays_that_could_mean_several_things_are_refused(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(LabelError, match=r"a\.npy"):
        by_reader(tmp_path / "a.npy", "beside its video")


def test_a_table_of_several_videos_is_told_apart_by_their_names(tmp_path):
    (tmp_path / "a.csv").write_text("video;start;end\nb;1;2\na;0;0\n")
    assert labels_for(LabelSource(tmp_path / "a.csv", "csv", video="b"), 4).tolist() == STATED
    with pytest.raises(LabelError, match=r"the file states 2 videos \(b, a\)"):
        labels_for(LabelSource(tmp_path / "a.csv", "csv"), 4)
