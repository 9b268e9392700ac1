from pathlib import Path

import pytest

from maskedskipunet.data.boxes import TrackedBox, read_boxes
from maskedskipunet.errors import LabelError


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    folder = tmp_path / "Test001"
    folder.mkdir()
    for number in range(1, 4):
        (folder / f"{number:03}.jpg").touch()
    return folder


def test_a_line_is_an_image_a_track_and_a_box_by_its_centre(clip: Path) -> None:
    file = clip / "Test001_gt.txt"
    file.write_text("Test001/002.jpg 3 10 20 4 6\n\n003.jpg,4,10.5,20.5,5,7\n")
    assert read_boxes(file, clip) == [TrackedBox(1, 3, 8, 17, 11, 22), TrackedBox(2, 4, 8, 17, 12, 23)]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("002.jpg 0 1 2 3", "expected a box"),
        ("002.jpg a 1 2 3 4", "expected a box"),
        ("002.jpg 0 1 2 0 4", "found a box of 0x4 pixels"),
        ("9.jpg 0 1 2 3 4", "the clip has no image 9.jpg"),
    ],
)
def test_anything_else_is_refused_with_its_line(clip: Path, line: str, told: str) -> None:
    file = clip / "Test001_gt.txt"
    file.write_text(f"001.jpg 0 1 2 3 4\n{line}\n")
    with pytest.raises(LabelError, match=r"Test001_gt\.txt, line 2: ") as refused:
        read_boxes(file, clip)
    assert told in str(refused.value)


def test_frames_that_are_missing_among_images_keep_their_place(clip: Path) -> None:
    (clip / "002.jpg").unlink()
    (clip / "004.jpg").touch()
    file = clip / "Test001_gt.txt"
    file.write_text("003.jpg 4 10 20 4 6\n")
    assert [box.frame for box in read_boxes(file, clip)] == [2]
