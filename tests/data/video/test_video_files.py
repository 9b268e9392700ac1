from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.data.video.video_files import VIDEO_SUFFIXES, holds_video, is_video

FORMATS = {
    "mp4": ("mp4", "mpeg4"),
    "mov": ("mov", "mpeg4"),
    "mkv": ("matroska", "mpeg4"),
    "avi": ("avi", "mpeg4"),
    "ts": ("mpegts", "mpeg2video"),
    "mpg": ("mpeg", "mpeg1video"),
    "m2v": ("mpeg2video", "mpeg2video"),
    "asf": ("asf", "mpeg4"),
    "flv": ("flv", "flv1"),
    "h264": ("h264", "libx264"),
    "h265": ("hevc", "libx265"),
    "nut": ("nut", "mpeg4"),
    "mxf": ("mxf", "mpeg2video"),
    "y4m": ("yuv4mpegpipe", "wrapped_avframe"),
}


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, str], Path]:
    """Makes a short film in a format, under a name that says nothing."""

    def write(container_format: str, codec: str) -> Path:
        path = tmp_path / "0001.rec"
        noise = np.random.default_rng(0)
        with av.open(str(path), "w", format=container_format) as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height = 64, 64
            stream.pix_fmt = "yuv420p"
            for _ in range(10):
                picture = noise.integers(0, 255, (64, 64, 3)).astype(np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
        return path

    return write


@pytest.mark.parametrize(("container_format", "codec"), FORMATS.values(), ids=FORMATS)
def test_a_recording_without_a_videos_suffix_is_known_by_its_content_and_is_read(
    written: Callable[[str, str], Path], container_format: str, codec: str
) -> None:
    path = written(container_format, codec)
    assert is_video(path)
    assert next(iter(read_video(path))).image is not None


@pytest.mark.parametrize(
    "head",
    [
        b"\x00\x00\x00\x01\x67\x64\x00\x1f",  # H.264 parameters
        b"\x00\x00\x00\x01\x40\x01\x0c\x01",  # H.265 parameters
        b"DHAV\xfd\x00\x00\x00",
        b"\x00\x00\x00\x00" + (b"\x47" + bytes(191)) * 4,  # Blu-ray's packets, a time before each
    ],
)
def test_other_recorders_streams_are_known_too(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "a").write_bytes(head)
    assert holds_video(tmp_path / "a")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"notes",
        b"GGGG" * 400,
        b"\xff\xd8\xff\xe0 a jpeg",
        b"\x89PNG\r\n",
        b"PK\x03\x04",
        b"\x00" * 2000,
        b"%PDF-1.7",
    ],
)
def test_other_files_are_no_videos(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.xyz").write_bytes(content)
    assert holds_video(tmp_path / "a.xyz") == (content == b"GGGG" * 400)  # what MPEG-TS would look like


def test_a_file_with_a_videos_suffix_counts_whatever_it_holds(tmp_path: Path) -> None:
    assert is_video(tmp_path / "gone.DAV")
    assert not is_video(tmp_path / "gone.xyz")
    assert not holds_video(tmp_path)


def test_the_suffixes_that_recorders_use_are_there() -> None:
    assert {".dav", ".h264", ".264", ".h265", ".m2ts", ".asf", ".mjpeg"} <= VIDEO_SUFFIXES
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in VIDEO_SUFFIXES)
