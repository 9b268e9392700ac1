import shutil
from pathlib import Path
from typing import Any

import pytest

from maskedskipunet.data.sources import Source
from maskedskipunet.workflows import own_labels as module
from maskedskipunet.workflows.own_labels import labels_path, own_labels


@pytest.fixture
def video(footage: Path, tmp_path: Path) -> Path:
    """A video of twelve frames."""
    return Path(shutil.copy(footage / "test" / "01.mp4", tmp_path / "friday.mp4"))


@pytest.mark.parametrize("name", ["friday_labels.txt", "Friday_Labels.TXT", "friday.mp4_labels.txt"])
def test_labels_beside_a_video_are_its_own(video: Path, name: str, listener: Any) -> None:
    (video.parent / name).write_text("2-3\n")
    (video.parent / "saturday_labels.txt").write_text("5-6\n")
    labels = own_labels(Source(path=video), listener)
    assert labels is not None
    assert labels.tolist() == [0, 0, 1, 1, *[0] * 8]
    assert listener.notes == []


def test_what_could_be_anothers_or_is_stated_twice_is_not_used(video: Path, listener: Any) -> None:
    assert own_labels(Source(path=video), listener) is None
    (video.parent / "friday_labels.txt").write_text("2-3\n")
    (video.parent / "friday_labels.csv").write_text("0\n" * 12)
    assert own_labels(Source(path=video), listener) is None
    assert "two files state the same ground truth" in listener.notes[0]
    assert labels_path(video) is None
    (video.parent / "friday_labels.csv").unlink()
    shutil.copy(video, video.with_suffix(".avi"))
    assert labels_path(video) is None
    assert len(listener.notes) == 1


def test_a_folder_is_listed_once_for_all_its_videos(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[Path] = []
    scandir = module.os.scandir

    def list_once_more(folder: Path) -> Any:
        listed.append(folder)
        return scandir(folder)

    monkeypatch.setattr(module.os, "scandir", list_once_more)
    assert [labels_path(video.with_name(f"{number}.mp4")) for number in range(50)] == [None] * 50
    assert len(listed) == 1
