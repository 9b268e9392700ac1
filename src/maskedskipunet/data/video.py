"""Video files: reading frames from them and writing them, by PyAV."""

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from heapq import heappop, heappush
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from maskedskipunet.data.frames import Frame, Image, OnBadFrame, SourceInfo
from maskedskipunet.errors import DiskSpaceError, VideoError

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".avi", ".mkv", ".mov", ".m4v", ".mpg", ".mpeg", ".wmv", ".webm", ".ts", ".mts", ".flv", ".3gp"}
)

log = logging.getLogger(__name__)


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """An open video and its picture stream; raises VideoError where there is none."""
    if path.is_file() and path.stat().st_size == 0:
        raise VideoError("the video is empty (zero bytes)", str(path), "Copy it again or leave it out")
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        reason = error.strerror or type(error).__name__
        raise VideoError(
            f"cannot open the video ({reason})", str(path), "Check that ffmpeg plays it, or leave it out"
        ) from error
    with container:
        if not container.streams.video:
            raise VideoError("the file holds no picture stream", str(path), "Name a file with video in it")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        yield container, stream


def probe_video(path: Path) -> SourceInfo:
    """Count a video's frames and read its size and rate without decoding it.

    Frames are counted packet by packet: headers may lie, and some containers state no count.
    Raises VideoError when the file cannot be opened or holds no frame.
    """
    with opened(path) as (container, stream):
        count = sum(1 for packet in _packets(container, stream, path) if packet.size and not packet.is_discard)
        if not count:
            raise VideoError("the video holds no frame", str(path), "Leave it out")
        return SourceInfo(count, stream.codec_context.height, stream.codec_context.width, _rate(stream))


def read_video(path: Path, on_bad_frame: OnBadFrame = "stop") -> Iterator[Frame]:
    """Decode a video's frames in the order they are shown.

    A frame that cannot be decoded is an error, or with `skip` a Frame whose image is None.
    Raises VideoError when the file cannot be opened, changes its frame size, or ends early.
    """
    with opened(path) as (container, stream):
        reader = _Reader(path, float(_rate(stream) or 25), on_bad_frame)
        for packet in _packets(container, stream, path):
            try:
                decoded = packet.decode()
            except av.FFmpegError as error:
                reader.fail(error)
                decoded = []
            if packet.pts is not None and packet.size and not packet.is_discard:
                reader.expect(packet.pts, stream.time_base)
            for picture in decoded:
                yield from reader.frames(picture)
        yield from reader.rest(stream.frames)


class _Reader:
    """Numbers decoded pictures and finds where one is missing.

    A decoder works some packets ahead, so an error does not say which picture was lost; the
    timestamps do: those that were sent in and passed over by a later picture.
    """

    def __init__(self, path: Path, rate: float, on_bad_frame: OnBadFrame) -> None:
        self.path, self.rate, self.on_bad_frame = path, rate, on_bad_frame
        self.index = 0
        self.packets = 0
        self.start_s: float | None = None
        self.shape: tuple[int, int] | None = None
        self.failures = 0
        self.expected_s: list[float] = []

    def fail(self, error: av.FFmpegError) -> None:
        if self.on_bad_frame == "stop":
            raise _bad_frame(self.path, self.index, error.strerror or type(error).__name__) from error
        self.failures += 1

    def expect(self, pts: int, time_base: Fraction | None) -> None:
        self.packets += 1
        heappush(self.expected_s, float(pts * (time_base or Fraction(1))))

    def frames(self, picture: VideoFrame) -> Iterator[Frame]:
        time_s = picture.time if picture.time is not None else self.index / self.rate
        if self.start_s is None:
            self.start_s = time_s
            self.failures = 0  # a recording cut between key frames starts with packets nobody can decode
        missing = [heappop(self.expected_s) for _ in range(len(self.expected_s)) if self.expected_s[0] < time_s - 1e-9]
        while self.expected_s and self.expected_s[0] <= time_s + 1e-9:
            heappop(self.expected_s)
        if self.failures:
            self.failures = 0
            for lost_s in missing:
                yield self._numbered(lost_s, None)
        yield self._numbered(time_s, self._image(picture))

    def rest(self, declared: int) -> Iterator[Frame]:
        """What is known to be missing after the last picture."""
        if self.start_s is None:
            raise VideoError("no frame of the video can be decoded", str(self.path), "Copy it again or leave it out")
        if self.failures:
            while self.expected_s:
                yield self._numbered(heappop(self.expected_s), None)
        if declared > self.packets > 0:
            fault = f"the video ends early: {self.packets} of {declared} frames are there"
            if self.on_bad_frame == "stop":
                raise VideoError(fault, str(self.path), "Copy it again, or go on with --on-bad-frame skip")
            log.warning("%s: %s", self.path, fault)

    def _image(self, picture: VideoFrame) -> Image | None:
        if picture.is_corrupt:
            if self.on_bad_frame == "stop":
                raise _bad_frame(self.path, self.index, "damaged data")
            return None
        if self.shape is None:
            self.shape = picture.height, picture.width
        if (picture.height, picture.width) != self.shape:
            if self.on_bad_frame == "stop":
                sizes = f"{picture.width}x{picture.height} after {self.shape[1]}x{self.shape[0]}"
                raise VideoError(
                    f"frame {self.index} changes the size to {sizes}", str(self.path), "Split the video there"
                )
            return None
        return picture.to_ndarray(format="rgb24").astype(np.uint8, copy=False)

    def _numbered(self, time_s: float, image: Image | None) -> Frame:
        if image is None:
            log.warning("%s: frame %d is bad and was skipped", self.path, self.index)
        frame = Frame(self.index, time_s - (self.start_s or 0.0), image)
        self.index += 1
        return frame


def _packets(container: InputContainer, stream: VideoStream, path: Path) -> Iterator["av.Packet[VideoStream]"]:
    try:
        yield from container.demux(stream)
    except (av.FFmpegError, OSError) as error:
        raise VideoError(
            f"cannot read on in the video ({error.strerror or type(error).__name__})",
            str(path),
            "Copy it again or leave it out",
        ) from error


def _rate(stream: VideoStream) -> float | None:
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else None


def _bad_frame(path: Path, index: int, reason: str) -> VideoError:
    return VideoError(
        f"frame {index} cannot be decoded ({reason})", str(path), "Repair the video, or go on with --on-bad-frame skip"
    )


class VideoWriter:
    """Writes an H.264 mp4 that browsers play; the file appears when it is whole.

    Use it in a `with` block: on an error inside it, nothing is left behind.
    path: where; its folder must exist. height_px, width_px: even numbers. frame_rate: frames a second.
    Raises VideoError for a frame of another size, for no frame at all, or where it cannot be written;
    DiskSpaceError when the disk is full.
    """

    def __init__(
        self, path: Path, *, height_px: int, width_px: int, frame_rate: float | Fraction, crf: int = 20
    ) -> None:
        if height_px % 2 or width_px % 2:
            raise VideoError(f"H.264 needs even sizes, not {width_px}x{height_px}", str(path))
        self.path = path
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._shape = (height_px, width_px, 3)
        self._count = 0
        with self._write_errors():
            self._container = av.open(str(self._part), "w", format="mp4", options={"movflags": "+faststart"})
            rate = Fraction(frame_rate).limit_denominator(65535)
            self._stream = self._container.add_stream(
                "libx264", rate=rate, options={"crf": str(crf), "preset": "veryfast"}
            )
        self._stream.height, self._stream.width = height_px, width_px
        self._stream.pix_fmt = "yuv420p"

    def write(self, image: Image) -> None:
        """Add one frame: uint8 (H, W, 3), RGB."""
        if image.shape != self._shape:
            raise VideoError(f"a frame of shape {image.shape} in a video of shape {self._shape}", str(self.path))
        with self._write_errors():
            for packet in self._stream.encode(VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")):
                self._container.mux(packet)
        self._count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            with self._write_errors():
                if self._count and kind is None:
                    for packet in self._stream.encode(None):
                        self._container.mux(packet)
                self._container.close()
            if kind is None and not self._count:
                raise VideoError("no frame was written, so there is no video", str(self.path))
            if kind is None:
                self._part.replace(self.path)
        finally:
            self._part.unlink(missing_ok=True)

    @contextmanager
    def _write_errors(self) -> Iterator[None]:
        try:
            yield
        except (av.FFmpegError, OSError) as error:
            self._part.unlink(missing_ok=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskSpaceError(
                    "no room left for the video", str(self.path), "Make room or name another folder"
                ) from error
            raise VideoError(
                f"cannot write the video ({error.strerror})", str(self.path), "Name a folder that can be written to"
            ) from error
