import os
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from maskedskipunet.data.start_times import require_pattern, start_of_day_s, start_unix_s
from maskedskipunet.errors import ConfigError


@pytest.fixture
def in_india(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A place whose clock is five and a half hours ahead, at all seasons."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        yield
    time.tzset()


def write_video(path: Path, **said: str) -> Path:
    with av.open(str(path), "w") as container:
        container.metadata.update(said)
        stream = container.add_stream("mpeg4", rate=5)
        stream.height, stream.width, stream.pix_fmt = 32, 32, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "starts", "expected"),
    [
        ("13.mp4", "%H", 13 * 3600),
        ("2024-02-29_07-05-09.mkv", "%Y-%m-%d_%H-%M-%S", 7 * 3600 + 5 * 60 + 9),
        ("cam 3.30 PM.avi", "cam %I.%M %p", 15 * 3600 + 30 * 60),
        ("25.mp4", "%H", None),
        ("hall.mp4", "%H", None),
        ("13 (2).mp4", "%H", None),
    ],
)
def test_a_name_tells_when_its_file_starts(name: str, starts: str, expected: float | None, tmp_path: Path) -> None:
    assert start_of_day_s(tmp_path / name, starts) == expected
    assert start_of_day_s(tmp_path / name, "%H %H") is None


def test_a_folder_of_images_is_read_by_its_whole_name(tmp_path: Path) -> None:
    (tmp_path / "07.30").mkdir()
    assert start_of_day_s(tmp_path / "07.30", "%H.%M") == 7.5 * 3600
    assert start_of_day_s(tmp_path / "07.30", None) is None


@pytest.mark.parametrize(
    ("said", "hours"),
    [
        ("2024-05-01T10:15:00.000000Z", 15.75),
        ("2024-05-01T22:00:00Z", 3.5),
    ],
)
def test_a_container_says_it_in_utc_and_it_becomes_local_time(
    said: str, hours: float, tmp_path: Path, in_india: None
) -> None:
    assert start_of_day_s(write_video(tmp_path / "a.mp4", creation_time=said), None) == hours * 3600


@pytest.mark.parametrize("content", [b"", b"no video"])
def test_what_says_nothing_is_not_known(content: bytes, tmp_path: Path) -> None:
    assert start_of_day_s(write_video(tmp_path / "a.mp4"), None) is None
    assert start_of_day_s(write_video(tmp_path / "b.mkv", creation_time="yesterday"), None) is None
    (tmp_path / "c.mp4").write_bytes(content)
    assert start_of_day_s(tmp_path / "c.mp4", None) is None
    assert start_of_day_s(tmp_path / "none.mp4", None) is None


@pytest.mark.parametrize(
    ("starts", "told"),
    [
        ("", "'' holds no hour"),
        ("%Y-%m-%d", "'%Y-%m-%d' holds no hour"),
        ("%%H", "'%%H' holds no hour"),
        ("%H %Q", "'%H %Q' is no pattern of times"),
        ("%H %", "is no pattern of times"),
        ("%H %H", "is no pattern of times"),
    ],
)
def test_a_pattern_that_tells_no_time_of_day_is_refused(starts: str, told: str) -> None:
    with pytest.raises(ConfigError, match=r"starts: .*Use a pattern such as %H for 13\.mp4") as refused:
        require_pattern(starts)
    assert told in str(refused.value)


@pytest.mark.parametrize("starts", ["%H", "%I%p", "cam_%H-%M", "%Y%m%dT%H%M%S"])
def test_a_pattern_with_an_hour_is_taken(starts: str) -> None:
    require_pattern(starts)


@pytest.mark.parametrize(
    ("place", "starts", "expected"),
    [
        ("2023-04-26/07/front_door/05.30.mp4", "%Y-%m-%d/%H/*/%M.%S", 7 * 3600 + 5 * 60 + 30),
        ("2023-04-26/07/front_door/05.30.mp4", "%H/*/*", 7 * 3600),
        ("cam1/20230426_071500_A1B2.mkv", "%Y%m%d_%H%M%S*", 7 * 3600 + 15 * 60),
        ("cam1/front-20230426-071500-x.mkv", "*-%Y%m%d-%H%M%S-*", 7 * 3600 + 15 * 60),
        ("hall/3.05 PM x.avi", "%I.%M %p*", 15 * 3600 + 5 * 60),
        ("100%/07.mp4", "100%%/%H", 7 * 3600),
        ("07/x.mp4", "%H/y", None),
        ("25/x.mp4", "%H/*", None),
        ("07/a/b.mp4", "%H/*b/*", None),
    ],
)
def test_folders_and_any_text_tell_it_too(place: str, starts: str, expected: float | None, tmp_path: Path) -> None:
    require_pattern(starts)
    assert start_of_day_s(tmp_path / place, starts) == expected


@pytest.mark.parametrize(
    ("place", "starts", "hours"),
    [
        ("1682494200.mp4", "%s", 13.0),
        ("door-1682494200.25-abc.mp4", "*-%s-*", 13.0 + 0.25 / 3600),
        ("1682494200000.mp4", "%s", 13.0),
        ("2023-04-26T09.30.00+0200.mp4", "%Y-%m-%dT%H.%M.%S%z", 13.0),
        ("2023-04-26T07.30.00Z x.mp4", "%Y-%m-%dT%H.%M.%S%z*", 13.0),
        ("2023-04-26/07/door/30.00.mp4", "utc:%Y-%m-%d/%H/*/%M.%S", 13.0),
        ("2023-04-26 07-30.mp4", "utc:%Y-%m-%d %H-%M", 13.0),
    ],
)
def test_times_of_elsewhere_become_local(place: str, starts: str, hours: float, tmp_path: Path, in_india: None) -> None:
    require_pattern(starts)
    assert start_of_day_s(tmp_path / place, starts) == pytest.approx(hours * 3600)


def test_a_relative_path_is_read_with_the_folders_it_lies_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "07").mkdir()
    monkeypatch.chdir(tmp_path / "07")
    assert start_of_day_s(Path("30.mp4"), "%H/%M") == 7.5 * 3600


@pytest.mark.parametrize(
    ("starts", "told"),
    [
        ("*/%Y", "holds no hour"),
        ("%H/%H", "is no pattern of times"),
        ("%H*%Q", "is no pattern of times"),
        ("%X*", "is no pattern of times"),
        ("utc:%H", "is in UTC and holds no date"),
    ],
)
def test_a_pattern_of_folders_that_cannot_be_read_is_refused(starts: str, told: str) -> None:
    with pytest.raises(ConfigError, match=r"^starts: ") as refused:
        require_pattern(starts)
    assert told in str(refused.value)


def test_a_name_with_a_date_tells_when_its_file_begins(tmp_path: Path, in_india: None) -> None:
    began = start_unix_s(tmp_path / "2024-02-29_07-05-09.mkv", "%Y-%m-%d_%H-%M-%S")
    assert began == 1_709_170_509.0
    assert start_unix_s(tmp_path / "2024-02-29_07-05-09.mkv", "utc:%Y-%m-%d_%H-%M-%S") == 1_709_170_509.0 + 5.5 * 3600
    assert start_unix_s(tmp_path / "1709170509.mkv", "%s") == 1_709_170_509.0
    assert start_unix_s(tmp_path / "hall.mkv", "%Y-%m-%d_%H-%M-%S") is None


@pytest.mark.parametrize(("name", "hours"), [("09.mp4", 9), ("13.mp4", 13 - 24)])
def test_a_name_without_a_date_tells_the_last_such_hour_before_its_file_was_changed(
    name: str, hours: int, tmp_path: Path, in_india: None
) -> None:
    midnight = 1_709_145_000.0  # 29 February 2024 there
    (tmp_path / name).write_bytes(b"")
    os.utime(tmp_path / name, (midnight + 10 * 3600, midnight + 10 * 3600))
    assert start_unix_s(tmp_path / name, "%H") == midnight + hours * 3600
    assert start_unix_s(tmp_path / f"gone {name}", "gone %H") is None


def test_a_container_tells_when_it_begins(tmp_path: Path, in_india: None) -> None:
    said = write_video(tmp_path / "a.mp4", creation_time="2024-05-01T10:15:00.000000Z")
    assert start_unix_s(said, None) == 1_714_558_500.0
    assert start_unix_s(tmp_path, None) is None
