import io
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.live.streams import LiveSource
from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.errors import ConfigError, VideoError


def source(text: object, **how: float) -> LiveSource:
    return LiveSource(address=CameraAddress.parse(str(text)), **how)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "v.mp4"
    with VideoWriter(path, height_px=32, width_px=48, frame_rate=10) as writer:
        for level in range(10):
            writer.write(np.full((32, 48, 3), 20 * level, np.uint8))
    return path


def test_a_file_is_played_at_its_own_pace_times_the_speed(video: Path) -> None:
    began_s = time.monotonic()
    frames = [*source(video, speed=4).frames()]

    assert time.monotonic() - began_s >= 0.9 / 4
    for live, stored in zip(frames, read_video(video), strict=True):
        assert (live.index, live.time_s) == (stored.index, stored.time_s)
        np.testing.assert_array_equal(live.image, stored.image)


def test_frames_are_taken_at_the_rate_asked_for(video: Path) -> None:
    assert [frame.index for frame in source(video, fps=5, speed=100).frames()] == [0, 2, 4, 6, 8]
    assert [frame.index for frame in source(video, stride=3, speed=100).frames()] == [0, 3, 6, 9]


def test_a_file_of_fewer_frames_a_second_than_asked_for_is_refused(video: Path) -> None:
    with pytest.raises(ConfigError, match="10 frames a second, fewer than the 25 asked for"):
        source(video, fps=25).frames()


@pytest.mark.parametrize(("name", "value"), [("open_s", 0), ("read_s", -1), ("speed", float("inf")), ("fps", 0)])
def test_a_setting_that_cannot_be_is_refused(video: Path, name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        source(video, **{name: value})


class MotionJpeg(BaseHTTPRequestHandler):
    """Ten pictures, each lighter than the last, as web cameras send them: at /video/STEP, so many seconds apart."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=cut")
        self.end_headers()
        for level in range(10):
            data = io.BytesIO()
            Picture.new("RGB", (48, 32), (20 * level,) * 3).save(data, "jpeg")
            self.wfile.write(b"--cut\r\nContent-Type: image/jpeg\r\n")
            self.wfile.write(f"Content-Length: {len(data.getvalue())}\r\n\r\n".encode() + data.getvalue() + b"\r\n")
            time.sleep(float(self.path.partition("?")[0].rpartition("/")[2]))

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def web_camera() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), MotionJpeg) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://me:hunter2@127.0.0.1:{server.server_port}/video/0.02?token=hunter2"
        server.shutdown()


def test_motion_jpeg_over_http_is_read_until_it_breaks_off(web_camera: str) -> None:
    frames: list[Frame] = []
    with pytest.raises(VideoError, match="the stream ended") as caught:
        frames.extend(source(web_camera).frames())  # extend takes each as it comes

    levels = [int(frame.image.mean()) for frame in frames if frame.image is not None]
    assert len(levels) >= 8
    assert levels == sorted(levels)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("step_s", [0.01, 0.25])
def test_motion_jpeg_over_http_has_the_times_at_which_its_pictures_come(web_camera: str, step_s: float) -> None:
    frames, came_s = [], []
    with suppress(VideoError):
        for frame in source(web_camera.replace("/0.02", f"/{step_s}")).frames():
            frames.append(frame)
            came_s.append(time.monotonic())

    assert len(frames) >= 8
    assert frames[-1].time_s - frames[1].time_s == pytest.approx(came_s[-1] - came_s[1], abs=0.05)


def test_no_picture_of_a_slow_motion_jpeg_camera_is_left_out(web_camera: str) -> None:
    kept: list[Frame] = []
    with suppress(VideoError):
        kept.extend(source(web_camera.replace("/0.02", "/0.2"), fps=5).frames())
    assert len(kept) >= 7


def test_a_film_on_a_server_keeps_its_times_however_fast_it_is_sent(video: Path) -> None:
    class Film(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = video.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Film) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        times_s: list[float] = []
        with suppress(VideoError):
            times_s.extend(frame.time_s for frame in source(f"http://127.0.0.1:{server.server_port}/v.mp4").frames())
        server.shutdown()
    assert times_s == pytest.approx([at / 10 for at in range(len(times_s))])
    assert len(times_s) >= 7


def test_an_address_where_no_one_answers_is_an_error_without_its_secrets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    secret = source(f"rtsp://me:hunter2@127.0.0.1:{port}/x?hunter2")
    with pytest.raises(
        VideoError, match=r"rtsp://127.0.0.1:\d+/x: cannot open the stream \(Connection refused\)"
    ) as caught:
        next(secret.frames())

    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in repr(caught.value.__cause__) + repr(caught.value.__context__)


def test_a_server_that_takes_the_call_and_never_answers_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began_s = time.monotonic()
        with pytest.raises(VideoError, match="cannot open the stream"):
            next(source(f"http://127.0.0.1:{silent.getsockname()[1]}/", open_s=0.3, read_s=0.3).frames())
    assert time.monotonic() - began_s < 10


def test_a_server_leads_to_no_file_of_ours(video: Path) -> None:
    class Playlist(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/vnd.apple.mpegurl")
            self.end_headers()
            self.wfile.write(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{video}\n#EXT-X-ENDLIST\n".encode())

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Playlist) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        with pytest.raises(VideoError, match="stream"):
            [*source(f"http://127.0.0.1:{server.server_port}/x.m3u8", open_s=2, read_s=2).frames()]
        server.shutdown()


def test_a_usb_camera_without_opencv_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(ConfigError, match=r"pip install 'maskedskipunet\[usb\]'"):
        next(source("usb:0").frames())


class Capture:
    """As OpenCV's: three pictures in blue, green, red order, then none."""

    def __init__(self, number: int) -> None:
        self.left = 3 if number == 0 else -1

    def isOpened(self) -> bool:  # noqa: N802  # OpenCV's name
        return self.left >= 0

    def set(self, *_: object) -> None:
        return

    def read(self) -> tuple[bool, np.ndarray]:
        self.left -= 1
        return self.left >= 0, np.full((4, 6, 3), (200, 100, 0), np.uint8)

    def release(self) -> None:
        self.left = -1


def test_a_usb_cameras_pictures_are_given_in_red_green_blue(monkeypatch: pytest.MonkeyPatch) -> None:
    class OpenCV:
        VideoCapture, CAP_PROP_BUFFERSIZE = Capture, 38

    monkeypatch.setitem(__import__("sys").modules, "cv2", OpenCV)
    frames: list[Frame] = []
    with pytest.raises(VideoError, match="usb:0: the camera gives no more pictures"):
        frames.extend(source("usb:0").frames())
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert all((frame.image == (0, 100, 200)).all() for frame in frames)
    with pytest.raises(VideoError, match="usb:7: cannot open the camera"):
        next(source("usb:7").frames())
