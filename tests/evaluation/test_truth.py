from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.io import savemat

from maskedskipunet.errors import DataError
from maskedskipunet.evaluation.truth import GroundTruth, read_ground_truth, read_lengths

UCSD = "TestVideoFile = {};\nTestVideoFile{end+1}.gt_frame = [2:3];\nTestVideoFile{end+1}.gt_frame = [1, 4];\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def labels_of(truth: GroundTruth) -> dict[str, list[int]]:
    return {name: labels.tolist() for name, labels in zip(truth.names, truth.labels, strict=True) if labels is not None}


def test_ucsds_file_with_the_lengths_of_its_clips(place: Path) -> None:
    (place / "gt.m").write_text(UCSD)

    truth = read_ground_truth(Path("gt.m"), [3, 5])

    assert labels_of(truth) == {"1": [0, 1, 1], "2": [1, 0, 0, 1, 0]}
    assert (truth.frames, truth.borders, truth.said_by) == ((3, 5), True, "gt.m, clips by --clips")


def test_ranges_in_a_mat_file(place: Path) -> None:
    cells = np.empty((1, 2), object)
    cells[0, 0], cells[0, 1] = np.array([[2], [3]]), np.zeros((0, 0))
    savemat("gt.mat", {"gt": cells})

    assert labels_of(read_ground_truth(Path("gt.mat"), [3, 2])) == {"1": [0, 1, 1], "2": [0, 0]}


@pytest.mark.parametrize("shape", [(4,), (1, 4)])
def test_one_row_of_labels_is_one_sequence_or_is_cut(place: Path, shape: tuple[int, ...]) -> None:
    np.save("gt.npy", np.array([0, 1, 1, 0]).reshape(shape))

    whole, split = read_ground_truth(Path("gt.npy")), read_ground_truth(Path("gt.npy"), [1, 3])

    assert (labels_of(whole), whole.borders, whole.said_by) == ({"gt": [0, 1, 1, 0]}, False, "gt.npy")
    assert (labels_of(split), split.borders) == ({"1": [0], "2": [1, 1, 0]}, True)


def test_a_folder_of_labels_and_a_table_say_where_clips_begin(place: Path) -> None:
    (place / "gt").mkdir()
    np.save("gt/10.npy", [1, 0])
    (place / "gt" / "9_labels.csv").write_text("0\n1\n1\n")
    (place / "gt.csv").write_text("video,frame,label\n10,0,1\n10,1,0\n9,0,0\n9,1,1\n9,2,1\n")
    pq.write_table(pa.table({"video": ["9"] * 3, "frame": [0, 1, 2], "label": [0, 1, 1]}), "gt.parquet")

    for path in ("gt", "gt.csv"):
        truth = read_ground_truth(Path(path))
        assert labels_of(truth) == {"9": [0, 1, 1], "10": [1, 0]}
        assert truth.names == ("9", "10")
    assert labels_of(read_ground_truth(Path("gt.parquet"))) == {"9": [0, 1, 1]}


def test_lengths_come_as_words_or_from_a_file(place: Path) -> None:
    (place / "lengths.txt").write_text("180\n150\n")

    assert read_lengths("180,150") == read_lengths("lengths.txt") == [180, 150]


@pytest.mark.parametrize("text", ["180,x", "", "180,-1", "1.5", "nosuch.txt", "180,,150", "0", "nan"])
def test_what_are_no_lengths_is_refused(place: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"^--clips: .*Write 180,150, for example\.$"):
        read_lengths(text)


@pytest.mark.parametrize(
    ("path", "lengths", "told"),
    [
        (
            "gt.m",
            None,
            "gt.m: the ground truth states ranges, not how long the clips are. State the lengths of its 2 clips",
        ),
        ("gt.m", [3], "gt.m: the ground truth states 2 clips, --clips 1. State the length of each test clip"),
        ("gt.m", [3, 3], "gt.m, clip 2: found the range 4 to 4, but the last of the 3 frames is 3."),
        ("gt.npy", [1, 4], "--clips: clips of 5 frames in all, but 4 labels. State the length of each test clip"),
        ("gt.csv", [1, 3], "gt.csv: the ground truth has clips of its own. Leave --clips out."),
        ("gt.csv", None, "gt.csv, clip a: found labels of 2 frames up to frame 2, expected all from 0 on. Label every"),
        ("none.parquet", None, "none.parquet: no frame has a label in it. Name a file with labels"),
        ("nosuch.m", None, "nosuch.m: no such file or folder. Name a run, or a file of labels."),
        ("words.mat", None, "words.mat: cannot read the .mat file ("),
    ],
)
def test_ground_truth_that_does_not_fit_is_refused(
    place: Path, path: str, lengths: list[int] | None, told: str
) -> None:
    (place / "gt.m").write_text(UCSD)
    (place / "gt.csv").write_text("video,frame,label\na,0,1\na,2,0\n")
    (place / "words.mat").write_text("words")
    np.save("gt.npy", [0, 1, 1, 0])
    pq.write_table(pa.table({"video": ["a"], "frame": [0], "label": pa.array([None], pa.int8())}), "none.parquet")

    with pytest.raises(DataError) as refusal:
        read_ground_truth(Path(path), lengths)

    assert str(refusal.value).startswith(told)


# Ranges in files that name clips, and lengths from the scores


def test_ranges_of_one_clip_need_its_length(place: Path) -> None:
    (place / "gt.txt").write_text("1-2\n")

    assert labels_of(read_ground_truth(Path("gt.txt"), [4])) == {"1": [0, 1, 1, 0]}
    assert labels_of(read_ground_truth(Path("gt.txt"), None, {"a": 4})) == {"a": [0, 1, 1, 0]}
    with pytest.raises(DataError, match=r"gt\.txt: the ground truth states ranges, not how long the clips are\. State"):
        read_ground_truth(Path("gt.txt"))


def test_a_table_of_ranges_goes_by_the_names_of_the_scores_and_a_clip_without_is_normal(place: Path) -> None:
    (place / "gt.csv").write_text("video,start,end\nb,0,0\nb,2,2\n")

    truth = read_ground_truth(Path("gt.csv"), None, {"a": 2, "b": 3})

    assert labels_of(truth) == {"a": [0, 0], "b": [1, 0, 1]}
    assert truth.said_by == "gt.csv, clips by the scores"


def test_a_folder_may_hold_ranges_and_labels_as_people_write_them(place: Path) -> None:
    (place / "gt").mkdir()
    (place / "gt" / "a_gt.txt").write_text("1-1\n")
    (place / "gt" / "b_label.csv").write_bytes("0;255;255\n".encode("utf-16"))
    (place / "gt" / "c.txt").write_text("True\nFalse\n")

    truth = read_ground_truth(Path("gt"), None, {"a": 2, "b": 3, "c": 2})

    assert labels_of(truth) == {"a": [0, 1], "b": [0, 1, 1], "c": [1, 0]}
    assert labels_of(read_ground_truth(Path("gt"), [2, 3, 2])) == {"1": [0, 1], "2": [0, 1, 1], "3": [1, 0]}
    with pytest.raises(DataError, match=r"gt, clip 2: found 3 labels, expected 4"):
        read_ground_truth(Path("gt"), [2, 4, 2])


def test_ucsds_file_takes_lengths_from_scores_that_come_clip_by_clip(place: Path) -> None:
    (place / "gt.m").write_text(UCSD)

    assert labels_of(read_ground_truth(Path("gt.m"), None, {"y": 5, "x": 3})) == {"x": [0, 1, 1], "y": [1, 0, 0, 1, 0]}
