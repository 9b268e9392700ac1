from collections.abc import Callable
from pathlib import Path

import pytest

from maskedskipunet.data.layouts import recognise
from maskedskipunet.errors import ConfigError, DataError
from maskedskipunet.workflows.input_selection import RemoteVideo, find_sources, find_videos, is_one_video

Make = Callable[..., None]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes empty files, and stands where they are."""
    monkeypatch.chdir(tmp_path)

    def touch(*names: str) -> None:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    return touch


def names(*sources: str) -> list[str]:
    return [video.name for video in find_videos(sources)]


def test_a_folder_gives_all_videos_below_it_in_natural_order_named_by_their_place(make: Make) -> None:
    make("day/cam2/10.mp4", "day/cam2/9.MP4", "day/cam1/a.avi", "day/notes.csv", "day/.hidden.mp4", "day/x/1.png")

    assert names("day") == ["cam1/a", "cam2/9", "cam2/10", "x"]


def test_patterns_files_and_folders_may_be_mixed_and_each_video_counts_once(make: Make) -> None:
    make("a/1.mp4", "a/2.mp4", "a/2.txt", "b/3.mp4")

    assert names("a/*", "b", "a/1.mp4", "**/3.mp4") == ["1", "2", "b/3"]


def test_a_list_names_a_video_a_line_relative_to_itself(make: Make, tmp_path: Path) -> None:
    make("lists/a.mp4", "lists/b/c.mp4")
    (tmp_path / "lists" / "l.txt").write_text("# of the day\n\na.mp4\n  b \n")

    assert names("lists/l.txt") == ["a", "b/c"]


def test_videos_of_one_name_get_folders_of_their_own(make: Make) -> None:
    make("a/1.mp4", "b/1.mp4", "c/1.mp4", "a/1.avi", "b/1.AVI")

    found = names("a/1.mp4", "b/1.mp4", "c/1.mp4", "a/1.avi", "b/1.AVI")

    assert found == ["1", "1.mp4", "c/1", "1.avi", "b/1"]
    assert len({name.casefold() for name in found}) == 5


def test_a_folder_that_links_to_itself_is_searched_once(make: Make, tmp_path: Path) -> None:
    make("day/a.mp4")
    (tmp_path / "day" / "again").symlink_to(tmp_path / "day")

    assert names("day") == ["a"]


@pytest.mark.parametrize(
    ("source", "one"),
    [
        ("day/a.mp4", True),
        ("images", True),
        ("nosuch.mp4", True),
        ("day", False),
        ("*.mp4", False),
        ("l.txt", False),
        ("[x].mp4", True),
    ],
)
def test_one_video_is_told_from_many(make: Make, source: str, one: bool) -> None:
    make("day/a.mp4", "images/1.png", "images/2.png", "l.txt", "[x].mp4")

    assert is_one_video(source) == one


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("nosuch", "nosuch: no such file or folder"),
        ("*.mkv", r"no video matches the pattern"),
        ("empty", "empty: the folder holds no video"),
        ("none.txt", "none.txt: the list names nothing"),
        ("nested.txt", "nested.txt: the list names a list, none.txt"),
        ("gone.txt", "x.mp4: no such file"),
        ("binary.txt", "binary.txt: cannot read the list"),
        ("a.pdf", "a.pdf: the file is no video"),
        ("https://user:secret@host/a.mp4", r"^https://host/a\.mp4: an address, which is not read here"),
    ],
)
def test_what_names_no_video_is_refused(make: Make, tmp_path: Path, source: str, fault: str) -> None:
    make("a.pdf", "none.txt")
    (tmp_path / "empty").mkdir()
    (tmp_path / "nested.txt").write_text("none.txt")
    (tmp_path / "gone.txt").write_text("x.mp4")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(DataError, match=fault) as refused:
        find_videos([source])
    assert "secret" not in str(refused.value)


def test_addresses_stand_beside_files_under_names_that_hold_no_secret(make: Make, tmp_path: Path) -> None:
    make("day.mp4")
    (tmp_path / "l.txt").write_text("https://me:secret@host/a/day.mp4?key=secret\nrtsp://me:secret@camera:554/live/1\n")

    found = find_sources(["day.mp4", "l.txt", "https://me:secret@host/a/day.mp4?key=secret"])

    assert [video.name for video in found] == ["day", "day-2", "camera_554_live_1"]
    assert [str(video.address) for video in found if isinstance(video, RemoteVideo)] == [
        "https://host/a/day.mp4",
        "rtsp://camera:554/live/1",
    ]
    assert "secret" not in repr(found)
    assert is_one_video("rtsp://camera/live.txt")


@pytest.mark.parametrize("source", ["ftp://host/a.mp4", "http://", "https://me:se#cret@host/a.mp4"])
def test_an_address_that_cannot_be_is_refused(source: str) -> None:
    with pytest.raises(ConfigError) as refused:
        find_sources([source])
    assert "cret" not in str(refused.value)


def test_a_folder_says_what_of_it_is_no_footage(make: Make) -> None:
    make("day/a.mp4", "day/poster.jpg", "day/@eaDir/a.mp4", "day/b.zip")
    told: list[str] = []

    assert [video.name for video in find_videos(["day"], told.append)] == ["a"]
    assert told == [
        "left out in day: @eaDir/ (a storage system's own folder)",
        "left out in day: b.zip (an archive: unpack it)",
        "left out in day: poster.jpg (a picture beside footage)",
    ]


def test_a_folder_without_footage_is_refused_with_what_was_seen(make: Make) -> None:
    make("day/b.zip")

    with pytest.raises(DataError, match=r"holds no video; seen: b\.zip \(an archive: unpack it\)"):
        find_videos(["day"])


def test_training_and_scoring_find_the_same_videos_in_a_recorders_tree(make: Make, tmp_path: Path) -> None:
    make("d/26/07/door/00.05.mp4", "d/26/08/door/00.05.dav", "d/26/x.mp4", *(f"d/27/{n}.jpg" for n in range(4)))

    scored = [video.path for video in find_videos(["d"])]
    trained = [item.path for item in recognise(Path("d")).train]

    assert sorted(scored) == sorted(trained)
    assert len(trained) == 4
