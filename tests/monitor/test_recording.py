"""Recording from a real server on loopback."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.live import stream_clock
from maskedskipunet.data.live.recording import record
from maskedskipunet.data.live.streams import LiveSource
from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.errors import VideoError

Rtsp = Callable[..., Any]


def live(server: Any) -> LiveSource:
    return LiveSource(address=CameraAddress.parse(server.url), read_s=5)


def test_a_recording_holds_the_streams_pictures_and_times_as_long_as_asked(
    rtsp: Rtsp, footage: Path, tmp_path: Path
) -> None:
    came: list[float] = []
    recorded = record(live(rtsp(footage, speed=5, login="me:hunter2")), tmp_path / "r.mkv", 2.0, came.append)

    assert recorded.fault is None
    assert sum(came) == pytest.approx(1.9)
    frames, stored = [*read_video(tmp_path / "r.mkv")], [*read_video(footage)]
    assert len(frames) == 20
    for ours, theirs in zip(frames, stored, strict=False):
        assert ours.time_s == pytest.approx(theirs.time_s, abs=2e-3)
        np.testing.assert_array_equal(ours.image, theirs.image)


def test_a_stream_that_breaks_off_gives_what_it_gave_and_says_so(rtsp: Rtsp, footage: Path, tmp_path: Path) -> None:
    server = rtsp(footage, speed=5)
    server.cut_at = 15
    recorded = record(live(server), tmp_path / "r.mkv", 60)

    assert recorded.fault is not None
    assert 1.2 <= recorded.seconds <= 1.5
    assert len([*read_video(tmp_path / "r.mkv")]) >= 13


def test_a_clock_that_jumps_back_leaves_the_recordings_times_rising(rtsp: Rtsp, footage: Path, tmp_path: Path) -> None:
    server = rtsp(footage, speed=4)
    server.stamp = lambda at, time_s: time_s - 1.5 if at >= 10 else time_s
    record(live(server), tmp_path / "r.mkv", 2.5)

    times_s = [frame.time_s for frame in read_video(tmp_path / "r.mkv")]
    assert len(times_s) > 15
    assert all(later > earlier for earlier, later in pairwise(times_s))


@pytest.mark.parametrize("pace", [0.5, 2.0])
def test_a_recording_is_as_long_as_asked_whatever_the_streams_clock_says(
    rtsp: Rtsp, footage: Path, tmp_path: Path, pace: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_clock, "SPANS_S", (0.4,))  # so that it takes no 4 s
    monkeypatch.setattr(stream_clock, "JITTER_S", 0.1)
    server = rtsp(footage, footage, speed=2)
    server.stamp = lambda _, time_s: pace * time_s / 2
    recorded = record(live(server), tmp_path / "r.mkv", 2.0)

    times_s = [frame.time_s for frame in read_video(tmp_path / "r.mkv")]
    assert recorded.seconds == pytest.approx(2.0, abs=0.1)
    assert 36 <= len(times_s) <= 50  # some come at once while the stream is opened
    assert times_s[-1] == pytest.approx(2.0, abs=0.2)


def test_what_came_damaged_is_a_bad_frame_in_the_recording(rtsp: Rtsp, footage: Path, tmp_path: Path) -> None:
    server = rtsp(footage, speed=5)
    server.loses = lambda at, place: at == 14
    recorded = record(live(server), tmp_path / "r.mkv", 3.0)

    frames = {round(frame.time_s * 10): frame.image for frame in read_video(tmp_path / "r.mkv", "skip")}
    bad = {at for at, image in frames.items() if image is None}
    assert {15, 16, 17, 18, 19} <= bad <= {13, 15, 16, 17, 18, 19}
    assert recorded.damaged == len(bad)
    with pytest.raises(VideoError, match="cannot be decoded"):
        [*read_video(tmp_path / "r.mkv")]


def test_a_stream_that_gives_nothing_is_told_without_its_secrets(rtsp: Rtsp, footage: Path, tmp_path: Path) -> None:
    server = rtsp(footage, login="me:hunter2")
    wrong = LiveSource(address=CameraAddress.parse(server.url.replace("hunter2", "hunter3")))
    with pytest.raises(VideoError, match="401 Unauthorized") as caught:
        record(wrong, tmp_path / "r.mkv", 1)

    assert "hunter" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
