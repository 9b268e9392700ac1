import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maskedskipunet.errors import DataError
from maskedskipunet.evaluation.readers import read_label_table, read_series

NAN = float("nan")


class Trap:
    """What a hostile pickle does when it is loaded."""

    def __reduce__(self):
        return Path.mkdir, (Path("sprung"),)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parquet(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def read(path: Path, column: str = "score") -> tuple[bool, dict[str, list[float]], dict[str, list[int] | None]]:
    series = read_series(path) if column == "score" else read_label_table(path)
    return (
        series.concatenated,
        {clip.name: clip.values.tolist() for clip in series.clips},
        {clip.name: None if clip.frames is None else clip.frames.tolist() for clip in series.clips},
    )


@pytest.mark.parametrize("shape", [(3,), (1, 3), (3, 1), (1, 1, 3)])
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16, np.int32, np.uint8])
def test_an_array_of_one_row_is_the_scores_of_all_clips(place: Path, shape: tuple[int, ...], kind: type) -> None:
    np.save("all.npy", np.array([1, 2, 3], kind).reshape(shape))

    assert read(place / "all.npy") == (True, {"all": [1, 2, 3]}, {"all": None})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "1\n2.5\n-3e2\n"),
        ("a.txt", "1\n\n2.5\n-3e2"),
        ("a.csv", "1\n2.5\n-3e2\n\n"),
        ("a.csv", "score\n1\n2.5\n-3e2\n"),
        ("a.csv", "anomaly\n1\n2.5\n-3e2\n"),
        ("a.csv", "\ufeffScore\r\n1\r\n2.5\r\n-3e2\r\n"),
        ("a.csv", ",score\n0,1\n1,2.5\n2,-3e2\n"),  # as pandas writes it
    ],
)
def test_one_column_is_the_scores_of_all_clips(place: Path, name: str, text: str) -> None:
    (place / name).write_text(text, encoding="utf-8")

    assert read(place / name) == (True, {"a": [1, 2.5, -300]}, {"a": None})


def test_tables_tell_clips_and_frames_in_whatever_order(place: Path) -> None:
    (place / "a.csv").write_text("frame,score,video\n1,0.5,b\n0,0.25,b\n4,1,a\n")
    parquet(place / "a.parquet", frame=[1, 0, 4], score=[0.5, 0.25, 1], video=["b", "b", "a"], more=[1, 1, 1])
    expected = (False, {"b": [0.25, 0.5], "a": [1]}, {"b": [0, 1], "a": [4]})

    assert read(place / "a.csv") == read(place / "a.parquet") == expected


def test_a_table_without_frames_has_its_scores_one_after_another(place: Path) -> None:
    (place / "a.csv").write_text("video,score\n1,0.5\n1,0.25\n2,1\n")

    assert read(place / "a.csv") == (False, {"1": [0.5, 0.25], "2": [1]}, {"1": None, "2": None})


def test_videos_may_be_numbers_and_frames_floats(place: Path) -> None:
    parquet(place / "a.parquet", video=[1, 1], frame=[0.0, 1.0], score=pa.array([1, 2], pa.float32()))

    assert read(place / "a.parquet") == (False, {"1": [1, 2]}, {"1": [0, 1]})


def test_missing_scores_are_no_scores(place: Path) -> None:
    np.save("a.npy", [NAN, 1])
    (place / "a.csv").write_text('score\n""\n1\n')
    (place / "b.csv").write_text("video,frame,score\nv,0,\nv,1,nan\n")
    parquet(place / "a.parquet", video=["v"], frame=[0], score=pa.array([None], pa.float64()))

    for name in ("a.npy", "a.csv"):
        np.testing.assert_array_equal(read_series(place / name).clips[0].values, [NAN, 1])
    for name in ("b.csv", "a.parquet"):
        assert np.isnan(read_series(place / name).clips[0].values).all()


def test_a_folder_holds_a_file_a_clip_in_natural_order(place: Path) -> None:
    folder = place / "scores"
    folder.mkdir()
    np.save(folder / "10.npy", [1.0])
    (folder / "2.txt").write_text("2\n3\n")
    (folder / "1.csv").write_text("frame,score\n4,0.5\n")
    (folder / ".hidden.npy").write_text("")
    (folder / "readme.md").write_text("")

    assert read(folder) == (False, {"1": [0.5], "2": [2, 3], "10": [1]}, {"1": [4], "2": None, "10": None})


def test_a_folder_with_the_scores_of_a_test_is_read_as_those(place: Path) -> None:
    parquet(place / "scores.parquet", video=["v"], frame=[0], score=[0.5], label=[1])
    np.save("other.npy", [1.0])

    assert read(place) == (False, {"v": [0.5]}, {"v": [0]})
    assert read(place / "scores.parquet", "label") == (False, {"v": [1]}, {"v": [0]})


def test_an_archive_holds_an_array_a_clip_or_one_for_all(place: Path) -> None:
    np.savez("clips.npz", a=[1.0, 2], b=[3])
    np.savez("one.npz", [1.0, 2])

    assert read(place / "clips.npz") == (False, {"a": [1, 2], "b": [3]}, {"a": None, "b": None})
    assert read(place / "one.npz") == (True, {"arr_0": [1, 2]}, {"arr_0": None})


def test_videos_without_labels_are_left_out_of_labels(place: Path) -> None:
    parquet(place / "a.parquet", video=["v", "w"], frame=[0, 0], label=pa.array([None, 1], pa.int8()))

    assert read(place / "a.parquet", "label") == (False, {"w": [1]}, {"w": [0]})


def write_refused(place: Path) -> None:
    objects = np.array([np.zeros(2), np.zeros(3)], dtype=object)
    np.save("objects.npy", objects)
    np.savez("objects.npz", objects)
    np.save("trap.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    (place / "trap.pkl").write_bytes(pickle.dumps(Trap()))
    (place / "renamed.npy").write_bytes(pickle.dumps(Trap()))
    np.save("table.npy", np.zeros((12, 180)))
    np.save("words.npy", np.array(["a"]))
    np.save("complex.npy", np.zeros(2, complex))
    np.save("infinite.npy", [0.0, -np.inf])
    np.save("labels.npy", [0.0, 0.5])
    (place / "cut.npy").write_bytes((place / "infinite.npy").read_bytes()[:-4])
    (place / "cut.npz").write_bytes((place / "objects.npz").read_bytes()[:40])
    np.savez("none.npz")
    (place / "zero.npy").write_bytes(b"")
    (place / "scores.docx").write_bytes(b"")
    (place / "empty").mkdir()
    (place / "twice").mkdir()
    (place / "twice" / "a.txt").write_text("1\n")
    (place / "twice" / "a_labels.csv").write_text("1\n")
    (place / "tables").mkdir()
    (place / "tables" / "a.csv").write_text("video,score\na,1\nb,1\n")
    (place / "text.parquet").write_text("video,frame,score\n")
    parquet(place / "columns.parquet", clip=["a"], frame=[0], score=[1.0])
    parquet(place / "types.parquet", video=["a"], frame=["zero"], score=[1.0])
    for name, text in {
        "empty": "",
        "words": "score\n0.5\nhigh\n",
        "columns": "video,frame,anomaly\na,0,1\n",
        "bare": "0,1\n2,3\n",
        "ragged": "video,score\na\n",
        "blank": "score\n1\n\n2\n",
        "twice": "video,frame,score\na,3,1\na,3,2\n",
        "negative": "video,frame,score\na,-1,1\n",
        "half": "video,frame,score\na,0.5,1\n",
        "nowhere": "video,frame,score\na,,1\n",
        "infinite": "video,frame,score\na,0,inf\n",
    }.items():
        (place / f"{name}.csv").write_text(text)
    (place / "pairs.txt").write_text("1\n0 1\n")
    (place / "binary.txt").write_bytes(b"\xff\xfe\x00")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nosuch.npy", "nosuch.npy: no such file or folder. Name a run, or a file of scores."),
        (
            "objects.npy",
            "objects.npy: not plain numbers but Python objects, which could run code; they were not opened.",
        ),
        ("objects.npz", "objects.npz: cannot read the arrays (Python objects in it, which could run code"),
        ("trap.npy", "trap.npy: not plain numbers but Python objects, which could run code"),
        ("trap.pkl", "trap.pkl: cannot read .pkl files, which could run code. Save plain numbers with numpy.save"),
        ("renamed.npy", "renamed.npy: not plain numbers but Python objects"),
        ("table.npy", "table.npy: found an array of shape (12, 180), expected one row of scores. Save plain numbers"),
        ("words.npy", "words.npy: the array holds no numbers."),
        ("complex.npy", "complex.npy: the array holds no numbers."),
        ("infinite.npy", "infinite.npy: score 1 (from 0) is -inf, expected a number, or nan where a frame has none."),
        ("cut.npy", "cut.npy: cannot read the array ("),
        ("cut.npz", "cut.npz: cannot read the arrays ("),
        ("none.npz", "none.npz: the file holds no array."),
        ("zero.npy", "zero.npy: cannot read the array (No data left in file)."),
        ("scores.docx", "scores.docx: cannot read .docx files. Name a file that ends in .npy, .npz, .csv"),
        ("empty", "empty: the folder holds no scores.parquet and no .npy, .csv or .txt. Name a folder with one such"),
        ("twice", "twice: two files are named a. Keep one file a clip."),
        ("tables", "tables/a.csv: the table holds 2 videos. Name the table itself."),
        ("text.parquet", "text.parquet: cannot read the Parquet file. Name a .parquet file with the columns video,"),
        ("columns.parquet", "columns.parquet: the table has no column video, only clip, frame, score."),
        ("types.parquet", "types.parquet: the columns frame and score are not numbers."),
        ("empty.csv", "empty.csv: the file is empty. Give one score a frame."),
        ("words.csv", "words.csv, line 3: found 'high', expected a number."),
        ("columns.csv", "columns.csv: found the columns video, frame, anomaly, none is score. Write the header video,"),
        ("bare.csv", "bare.csv: found the columns 0, 1, none is score."),
        ("ragged.csv", "ragged.csv, line 2: found 1 cells, expected 2. Complete the table."),
        ("blank.csv", "blank.csv, line 3: found 0 cells, expected 1."),
        ("twice.csv", "twice.csv, a: frame 3 stands there twice. Keep one row a frame."),
        ("negative.csv", "negative.csv, a: found the frame -1. Number frames from 0, in whole numbers."),
        ("half.csv", "half.csv, a: found the frame 0.5."),
        ("nowhere.csv", "nowhere.csv, a: found the frame nan."),
        ("infinite.csv", "infinite.csv: score 0 (from 0) is inf, expected a number"),
        ("pairs.txt", "pairs.txt, line 2: found 2 values in a line, expected one score. Write one score a line."),
        ("binary.txt", "binary.txt: not a text file."),
    ],
)
def test_what_is_no_scores_is_refused_in_one_line(place: Path, name: str, told: str) -> None:
    write_refused(place)

    with pytest.raises(DataError) as refusal:
        read_series(Path(name))

    assert str(refusal.value).startswith(told)
    assert not (place / "sprung").exists()


def test_a_label_is_0_or_1(place: Path) -> None:
    parquet(place / "labels.parquet", video=["v", "v"], frame=[0, 1], label=[0.0, 0.5])

    with pytest.raises(
        DataError, match=r"labels\.parquet: label 1 \(from 0\) is 0\.5, expected 0 or 1\. Give one 0 or"
    ):
        read_label_table(Path("labels.parquet"))
