"""Cameras that send pictures over HTTP, from a server on loopback."""

import logging
import socket
import threading
import time
import traceback
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.downloads import opened_download
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.live.recording import record
from maskedskipunet.data.live.streams import LiveSource
from maskedskipunet.data.live.web_cameras import JpegSplitter
from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.errors import LoginError, VideoError

SECRET = "hunter2"


def source(url: str, **how: float) -> LiveSource:
    return LiveSource(address=CameraAddress.parse(url), **how)


def until_it_ends(url: str, **how: float) -> list[Frame]:
    frames: list[Frame] = []
    with suppress(VideoError):
        frames.extend(source(url, **how).frames())  # extend takes each as it comes
    return frames


def levels(frames: list[Frame]) -> list[int]:
    return [round(float(frame.image.mean()) / 20) * 20 for frame in frames if frame.image is not None]


PARTS = {
    "with lengths": lambda n, data: (
        b"--cut\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data) + data
    ),
    "with wrong lengths": lambda n, data: b"--cut\r\nContent-Type: image/jpeg\r\nContent-Length: 7\r\n\r\n" + data,
    "without a first boundary": lambda n, data: (
        (b"--cut\r\n" if n else b"") + b"Content-Type: image/jpeg\r\n\r\n" + data
    ),
    "of another type": lambda n, data: b"--cut\r\nContent-Type: image/jpg\r\n\r\n" + data + b"\r\n",
    "with bare line ends": lambda n, data: b"--cut\nContent-Type: image/jpeg\n\n" + data + b"\n",
    "with another boundary": lambda n, data: b"\r\n--other\r\nX-Time: 1\r\n\r\n" + data,
    "one after another": lambda n, data: data,
}


@pytest.mark.parametrize("way", PARTS)
def test_motion_jpeg_is_read_however_it_is_wrapped(http_camera: Any, way: str) -> None:
    sent = iter(range(1000))
    http_camera.part = lambda data: PARTS[way](next(sent), data)
    frames = until_it_ends(http_camera.url("/video"))

    assert levels(frames) == http_camera.levels
    assert {frame.image.shape for frame in frames if frame.image is not None} == {(32, 48, 3)}


@pytest.mark.parametrize("content_type", ["video/x-motion-jpeg", "application/octet-stream", "multipart/mixed"])
def test_motion_jpeg_is_read_whatever_it_is_called(http_camera: Any, content_type: str) -> None:
    http_camera.content_type = content_type
    assert levels(until_it_ends(http_camera.url("/video"))) == http_camera.levels


def test_motion_jpeg_is_timed_by_its_arrival(http_camera: Any) -> None:
    http_camera.pause_s = 0.1
    times_s = [frame.time_s for frame in until_it_ends(http_camera.url("/video"))]

    assert times_s[-1] == pytest.approx(0.9, abs=0.3)


def test_a_picture_that_breaks_off_is_a_bad_frame_and_those_around_it_are_not(http_camera: Any) -> None:
    sent = iter(range(1000))
    http_camera.part = lambda data: b"--cut\r\n\r\n" + (data[:-200] if next(sent) == 3 else data) + b"\r\n"
    frames = until_it_ends(http_camera.url("/video"))

    assert [frame.index for frame in frames if frame.image is None] == [3]
    assert levels(frames) == [level for level in http_camera.levels if level != 60]


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_pictures_are_found_whatever_the_bytes_come_in(http_camera: Any, size: int) -> None:
    pictures = [http_camera.jpeg(level) for level in (0, 100, 200)]
    data = b"\xff\xd8 no picture" + b"--x\r\n".join(pictures) + pictures[0][:300]
    splitter = JpegSplitter()
    found = [jpeg for at in range(0, len(data), size) for jpeg in splitter.feed(data[at : at + size])]

    assert found == pictures
    assert splitter.waiting_bytes == 300


def test_a_camera_of_single_pictures_is_asked_at_the_rate_that_is_wanted(http_camera: Any) -> None:
    frames = []
    for frame in source(http_camera.url("/snapshot.jpg"), fps=10).frames():
        frames.append(frame)
        if len(frames) == 8:
            break

    assert [frame.time_s for frame in frames] == pytest.approx([at / 10 for at in range(8)])
    assert len(http_camera.requests) <= 10
    assert all(frame.image is not None for frame in frames)


def test_a_single_picture_that_is_not_given_is_a_bad_frame_and_a_camera_that_is_gone_an_error(http_camera: Any) -> None:
    http_camera.answers = [200, 503, 200, 404] + [200] * 3 + [503] * 1000
    frames: list[Frame] = []
    with pytest.raises(VideoError, match="503 Service Unavailable"):
        frames.extend(source(http_camera.url("/snapshot.jpg"), fps=20, read_s=0.5).frames())

    assert [frame.image is not None for frame in frames[:7]] == [True, False, True, False, True, True, True]


@pytest.mark.parametrize("path", ["/video", "/snapshot.jpg?size=large"])
@pytest.mark.parametrize(
    "asks",
    [
        ['Digest realm="cam", nonce="n1", qop="auth", algorithm=MD5'],
        ['Digest realm="cam", nonce="n1", qop="auth", algorithm=SHA-256'],
        ['Digest realm="cam", nonce="n1"', 'Digest realm="cam", nonce="n1", algorithm="SHA-256"'],
        ['Basic realm="cam"'],
        [],
    ],
    ids=["md5", "sha", "both", "basic", "unsaid"],
)
def test_a_login_is_given_as_the_camera_asks_for_it(http_camera: Any, asks: list[str], path: str) -> None:
    http_camera.login, http_camera.asks = "me:hun:ter 2", asks
    frames = source(http_camera.url(path, "me:hun%3Ater%202"), fps=20).frames()

    assert [next(frames).image is not None for _ in range(4)] == [True] * 4
    assert http_camera.refused == 0


def test_a_nonce_that_has_grown_old_is_answered_anew(http_camera: Any) -> None:
    http_camera.login, http_camera.asks = "me:word", ['Digest realm="cam", nonce="n1", qop="auth"']
    frames = source(http_camera.url("/snapshot.jpg", "me:word"), fps=50).frames()
    next(frames)
    let_in = http_camera.is_let_in
    http_camera.asks = ['Digest realm="cam", nonce="n2", stale=true, qop="auth"']
    http_camera.is_let_in = lambda given, path: 'nonce="n2"' in (given or "") and let_in(given, path)

    assert [next(frames).image is not None for _ in range(3)] == [True] * 3


@pytest.mark.parametrize("path", ["/video", "/snapshot.jpg"])
def test_a_wrong_password_is_given_once_and_told_without_it(http_camera: Any, path: str) -> None:
    http_camera.login, http_camera.asks = "me:word", ['Digest realm="cam", nonce="n1", qop="auth"']
    with pytest.raises(LoginError, match=r"401 Unauthorized\). Check user and password") as caught:
        next(source(http_camera.url(path, f"me:{SECRET}")).frames())

    assert http_camera.refused == 1
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_login_that_is_missing_or_not_known_is_named(http_camera: Any) -> None:
    http_camera.login, http_camera.asks = "me:word", ["Negotiate"]
    with pytest.raises(LoginError, match="Write the address as http://USER:PASSWORD@HOST/"):
        next(source(http_camera.url("/video")).frames())
    with pytest.raises(LoginError, match="it asks for Negotiate, not known here"):
        next(source(http_camera.url("/video", "me:word")).frames())


def test_a_certificate_that_the_camera_signed_itself_is_taken_and_told_of(
    https_camera: Any, caplog: pytest.LogCaptureFixture
) -> None:
    https_camera.login, https_camera.asks = "me:word", ['Digest realm="cam", nonce="n1", algorithm=SHA-256']
    with caplog.at_level(logging.WARNING):
        frames = until_it_ends(https_camera.url("/video", "me:word"))

    assert levels(frames) == https_camera.levels
    (said,) = {record.getMessage() for record in caplog.records}
    assert "its certificate cannot be checked" in said
    assert "word" not in said
    with opened_download(CameraAddress.parse(https_camera.url("/snapshot.jpg", "me:word"))) as download:
        assert download.is_live


@pytest.mark.parametrize(("path", "how"), [("/video", {}), ("/snapshot.jpg", {"fps": 10.0})])
def test_a_recording_holds_a_cameras_pictures(
    http_camera: Any, tmp_path: Path, path: str, how: dict[str, float]
) -> None:
    http_camera.levels, http_camera.pause_s = [*range(0, 240, 5)], 0.05
    recorded = record(source(http_camera.url(path), **how), tmp_path / "r.mkv", 1.0)

    frames = [*read_video(tmp_path / "r.mkv")]
    assert (recorded.fault, recorded.damaged) == (None, 0)
    assert 8 <= len(frames) <= 22
    assert all(later.time_s > earlier.time_s for earlier, later in pairwise(frames))
    assert {frame.image.shape for frame in frames if frame.image is not None} == {(32, 48, 3)}


@pytest.mark.parametrize(
    ("content_type", "part", "fault"),
    [
        ("text/html", b"<html>log in</html>", "it is a web page, not a video stream"),
        ("multipart/x-mixed-replace; boundary=x", b"--x\r\nContent-Type: text/plain\r\n\r\nno", "no JPEG picture"),
        ("video/mp4", b"no video at all", "it sends no known video"),
    ],
)
def test_what_is_no_picture_is_named(http_camera: Any, content_type: str, part: bytes, fault: str) -> None:
    http_camera.content_type, http_camera.part = content_type, lambda data: part
    with pytest.raises(VideoError, match=fault):
        next(source(http_camera.url("/video"), open_s=5, read_s=5).frames())


def test_a_server_that_says_nothing_or_something_else_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/video"
        with pytest.raises(VideoError, match="nothing was received for too long"):
            next(source(url, open_s=0.2, read_s=0.2).frames())

        def answer() -> None:
            with suppress(OSError):
                for said in (b"", b"", b"SSH-2.0-camera\r\n"):
                    caller, _ = server.accept()
                    caller.recv(1000)
                    caller.sendall(said)
                    caller.close()

        threading.Thread(target=answer, daemon=True).start()
        for fault in ("it closes the connection without an answer", "its answer is not HTTP"):
            with pytest.raises(VideoError, match=fault):
                next(source(url, open_s=5, read_s=5).frames())
    with pytest.raises(VideoError, match="its name cannot be resolved"):
        next(source("http://nosuch.invalid/video").frames())


def test_a_camera_that_stalls_is_given_up_in_time(http_camera: Any) -> None:
    http_camera.levels, http_camera.pause_s = [0, 20], 5.0
    began_s = time.monotonic()
    with pytest.raises(VideoError, match=r"ended \(nothing was received for too long\)"):
        [*source(http_camera.url("/video"), read_s=0.3).frames()]
    assert time.monotonic() - began_s < 4
