"""Reading from a real server on loopback; what needs none is tested beside the module, under tests/data."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.live import stream_clock
from maskedskipunet.data.live.streams import LiveSource
from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.errors import LoginError, VideoError

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
    with pytest.raises(VideoError, match="nothing was received for too long"):
        frames.extend(LiveSource(address=CameraAddress.parse(server.url), read_s=0.5).frames())

    assert len(frames) >= 19  # the last picture is known to be whole when the next one begins
    assert time.monotonic() - began_s < 15


def test_a_wrong_password_is_told_and_not_shown(rtsp: Rtsp, footage: Path) -> None:
    server = rtsp(footage, login="me:hunter2")
    wrong = server.url.replace("hunter2", "hunter3")
    with pytest.raises(VideoError, match="401 Unauthorized") as caught:
        next(LiveSource(address=CameraAddress.parse(wrong)).frames())

    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize("refused", ["461 Unsupported Transport", "500 Internal Server Error", "400 Bad Request"])
def test_a_camera_that_gives_nothing_over_tcp_is_read_over_udp(rtsp: Rtsp, footage: Path, refused: str) -> None:
    frames = [*until_it_ends(rtsp(footage, speed=4, login="me:hunter2", refused=refused))]

    stored = [*read_video(footage)]
    assert len(frames) >= 38  # over UDP nobody says where the last one ends
    for live, kept in zip(frames, stored, strict=False):
        np.testing.assert_array_equal(live.image, kept.image)


def test_a_camera_is_asked_for_tcp_first(rtsp: Rtsp, footage: Path) -> None:
    server = rtsp(footage, speed=5)
    assert [*until_it_ends(server)]
    assert server._udp_ports == {}


def of_several_packets_each(make: Any, folder: Path) -> Path:
    """Four seconds of a room at night, whose noise makes pictures too large for a packet."""
    noise = np.random.default_rng(0)
    rooms = make.pictures(40, height_px=96, width_px=128)
    images = [np.clip(room + noise.integers(-20, 20, room.shape), 0, 255).astype(np.uint8) for room in rooms]
    return make.write_h264(folder / "night.mp4", images)


@pytest.mark.parametrize("refused", ["", "461 Unsupported Transport"], ids=["tcp", "udp"])
@pytest.mark.parametrize("packet", [0, 1], ids=["first", "middle"])
def test_what_rests_on_a_lost_packet_is_a_bad_frame_until_the_next_key_frame(
    rtsp: Rtsp, make: Any, tmp_path: Path, packet: int, refused: str
) -> None:
    footage = of_several_packets_each(make, tmp_path)
    server = rtsp(footage, speed=4, refused=refused)
    server.loses = lambda at, place: at in (13, 14, 26) and place == packet
    stored = [frame.image for frame in read_video(footage)]
    frames = [*until_it_ends(server)]

    good = {round(frame.time_s * 10): frame.image for frame in frames if frame.image is not None}
    assert set(good) >= {*range(12), *range(20, 25), *range(30, 38)}
    assert not set(good) & {*range(13, 20), *range(26, 30)}
    for at, image in good.items():
        np.testing.assert_array_equal(image, stored[at])
    assert sum(frame.image is None for frame in frames) >= 8


def test_a_whole_picture_that_is_lost_spoils_those_after_it(rtsp: Rtsp, footage: Path) -> None:
    server = rtsp(footage, speed=4)
    server.loses = lambda at, place: at == 14
    frames = [*until_it_ends(server)]

    bad = {round(frame.time_s * 10) for frame in frames if frame.image is None}
    assert {15, 16, 17, 18, 19} <= bad <= {13, 15, 16, 17, 18, 19}


def test_packets_lost_before_the_first_picture_spoil_what_follows(
    rtsp: Rtsp, make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskedskipunet.data.live.connections.LOOKED_AT_S", 0.5)
    footage = of_several_packets_each(make, tmp_path)
    stored = [frame.image for frame in read_video(footage)]
    server = rtsp(footage, speed=2)
    server.loses = lambda at, place: at == 0 and place == 2
    good = [frame for frame in until_it_ends(server) if frame.image is not None]

    assert good
    for frame in good:
        assert any(np.array_equal(frame.image, image) for image in stored)


def test_a_damaged_stream_that_sends_no_key_frame_is_opened_anew(
    rtsp: Rtsp, make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskedskipunet.data.live.connections.UNKEYED_S", 0.3)
    footage = make.write_h264(tmp_path / "unkeyed.mp4", make.pictures(40), key_every=1000)
    server = rtsp(footage)
    server.loses = lambda at, place: at == 4
    with pytest.raises(VideoError, match="packets were lost, and no key frame came for 0 s"):
        [*LiveSource(address=CameraAddress.parse(server.url), read_s=2).frames()]


def test_a_login_that_is_refused_is_given_once(rtsp: Rtsp, footage: Path) -> None:
    server = rtsp(footage, login="me:hunter2", refused="461 Unsupported Transport")
    wrong = server.url.replace("hunter2", "hunter3")
    with pytest.raises(LoginError, match=r"cannot open the stream \(401 Unauthorized\). Check user and password"):
        next(LiveSource(address=CameraAddress.parse(wrong)).frames())

    assert server.logins == 1


@pytest.mark.parametrize(
    ("asks", "login", "fault"),
    [
        (('Digest realm="c", nonce="1", algorithm=SHA-256',), "me:hunter2@", "it asks for Digest by SHA-256, which"),
        (('Digest realm="c", nonce="1"', 'Basic realm="c"'), "", "it asks for a user and password"),
    ],
)
def test_a_login_that_cannot_be_given_is_named(
    rtsp: Rtsp, footage: Path, asks: tuple[str, ...], login: str, fault: str
) -> None:
    server = rtsp(footage, login="me:hunter2")
    server.asks = asks
    with pytest.raises(LoginError, match=fault) as caught:
        next(LiveSource(address=CameraAddress.parse(f"rtsp://{login}127.0.0.1:{server.port}/live")).frames())

    assert "hunter" not in str(caught.value)


def test_a_host_that_nobody_knows_and_one_that_speaks_something_else_are_named() -> None:
    with pytest.raises(VideoError, match="its name cannot be resolved"):
        next(LiveSource(address=CameraAddress.parse("rtsp://nosuch.invalid/live")).frames())
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    caller, _ = other.accept()
                    caller.sendall(b"220 mail.example.org\r\n")
                    caller.close()

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(VideoError, match="it does not speak RTSP, or closes the connection"):
            next(LiveSource(address=CameraAddress.parse(f"rtsp://127.0.0.1:{other.getsockname()[1]}/live")).frames())
        other.shutdown(socket.SHUT_RDWR)
