"""Reading from a real server on loopback; what needs none is tested beside the module, under tests/data."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskedskipunet.data import stream_clock
from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.streams import LiveSource
from maskedskipunet.data.video import read_video
from maskedskipunet.errors import VideoError

Rtsp = Callable[..., Any]


def until_it_ends(server: Any, **how: float) -> Iterator[Frame]:
    server.hold_at_end = False
    with suppress(VideoError):
        yield from LiveSource(address=CameraAddress.parse(server.url), **how).frames()


def test_a_stream_gives_the_files_frames_at_the_files_times(rtsp: Rtsp, footage: Path) -> None:
    frames = [*until_it_ends(rtsp(footage, speed=5, login="me:hunter2"))]

    stored = [*read_video(footage)]
    assert len(stored) == 40
    for live, kept in zip(frames, stored, strict=True):
        assert (live.index, live.time_s) == (kept.index, pytest.approx(kept.time_s))
        np.testing.assert_array_equal(live.image, kept.image)


def test_frames_of_a_stream_are_taken_at_the_rate_asked_for(rtsp: Rtsp, footage: Path) -> None:
    frames = [*until_it_ends(rtsp(footage, speed=5), fps=5, stride=2)]

    assert [frame.index for frame in frames] == [*range(0, 40, 4)]


def test_a_stream_that_changes_its_size_goes_on(rtsp: Rtsp, footage: Path, make: Any, tmp_path: Path) -> None:
    larger = make.write_h264(tmp_path / "larger.mp4", make.pictures(10, height_px=64, width_px=96))
    shapes = [frame.image.shape for frame in until_it_ends(rtsp(footage, larger, speed=5)) if frame.image is not None]

    assert shapes == [(48, 64, 3)] * 40 + [(64, 96, 3)] * 10


def test_a_clock_that_jumps_back_leaves_times_rising(rtsp: Rtsp, footage: Path) -> None:
    server = rtsp(footage, speed=2)
    server.stamp = lambda at, time_s: time_s - 1.5 if at >= 20 else time_s
    times_s = [frame.time_s for frame in until_it_ends(server)]

    assert len(times_s) == 40
    assert all(later > earlier for earlier, later in pairwise(times_s))
    assert times_s[-1] - times_s[-2] == pytest.approx(0.1)


@pytest.mark.parametrize("pace", [0.5, 2.0])
def test_a_stream_whose_stamps_go_at_another_pace_goes_by_arrival(
    rtsp: Rtsp, footage: Path, pace: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_clock, "SPANS_S", (0.4,))  # so that it takes no 4 s
    monkeypatch.setattr(stream_clock, "JITTER_S", 0.1)
    server = rtsp(footage, footage, speed=2)
    server.stamp = lambda _, time_s: pace * time_s / 2
    times_s = [frame.time_s for frame in until_it_ends(server)]

    assert times_s[75] - times_s[45] == pytest.approx(1.5, abs=0.1)


def test_a_stream_that_stalls_without_closing_is_given_up_in_time(rtsp: Rtsp, footage: Path) -> None:
    server = rtsp(footage, speed=5)
    server.pause_at = 20
    began_s = time.monotonic()
    frames: list[Frame] = []
    with pytest.raises(VideoError, match="nothing came for too long"):
        frames.extend(LiveSource(address=CameraAddress.parse(server.url), read_s=0.5).frames())

    assert len(frames) >= 19  # the last picture is known to be whole when the next one begins
    assert time.monotonic() - began_s < 15


def test_a_wrong_password_is_told_and_not_shown(rtsp: Rtsp, footage: Path) -> None:
    server = rtsp(footage, login="me:hunter2")
    wrong = server.url.replace("hunter2", "hunter3")
    with pytest.raises(VideoError, match="401 Unauthorized") as caught:
        next(LiveSource(address=CameraAddress.parse(wrong)).frames())

    assert "hunter" not in str(caught.value)
