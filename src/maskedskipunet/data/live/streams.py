"""Live sources: network streams by PyAV, USB cameras by OpenCV, and a file played at its own pace."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame

from maskedskipunet.data.addresses import CameraAddress, require_opencv
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.live.connections import OpenedStream, connected
from maskedskipunet.data.live.stream_clock import Stamped, StreamClock, with_first_times
from maskedskipunet.data.live.web_cameras import CameraPicture, JpegDecoder
from maskedskipunet.data.sampling import require_rate, sample
from maskedskipunet.data.video.decoding import probe_video, read_video
from maskedskipunet.errors import ConfigError, VideoError

SNAPSHOT_FPS = 1.0  # of a camera of single pictures, where no rate is asked for


@dataclass(frozen=True, kw_only=True)
class LiveSource:
    """A camera, or a file played as if it were one, and the frames that are taken from it.

    fps, stride: select frames (see `sample`). open_s, read_s: timeouts of the stream and of its next data. speed:
    playing speed of a file, 1 for real time. snapshot_fps: the rate at which a camera of single pictures is polled, if
    fps does not state it.
    """

    address: CameraAddress
    fps: float | None = None
    stride: int = 1
    open_s: float = 10.0
    read_s: float = 10.0
    speed: float = 1.0
    snapshot_fps: float | None = None

    def __post_init__(self) -> None:
        for name in ("open_s", "read_s", "speed"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"{getattr(self, name)!r}", name, "Use a number above 0")
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise ConfigError(f"{self.fps!r} frames a second", "fps", "Use a rate above 0")

    def frames(self) -> Iterator[Frame]:
        """Yield the kept frames as they arrive; their times begin at 0.

        An image is None if a picture was damaged on its way, or rests on one that was. The images of a stream may
        change their size.
        Raises VideoError when a source cannot be opened, ends or breaks off (a file's end is the iterator's),
        LoginError when the user or the password is refused, and ConfigError for a file of fewer frames a second than
        asked for, or where OpenCV is wanted and not installed.
        """
        if self.address.kind == "file":
            return _at_its_pace(self._file(), self.speed)
        if self.address.kind == "usb":
            return sample(_usb_frames(self.address), fps=self.fps, stride=self.stride)
        return map(_converted, sample(_stream_pictures(self), fps=self.fps, stride=self.stride))

    def connect(self) -> AbstractContextManager[OpenedStream | Iterator[CameraPicture]]:
        """Connect to a stream: see `connected`."""
        rate = self.fps or self.snapshot_fps or SNAPSHOT_FPS
        return connected(self.address, open_s=self.open_s, read_s=self.read_s, snapshot_fps=rate)

    def _file(self) -> Iterator[Frame]:
        path = self.address.path
        if self.fps is not None:
            require_rate(probe_video(path, "skip"), self.fps, str(path))
        return sample(read_video(path, "skip"), fps=self.fps, stride=self.stride)


@dataclass(frozen=True, slots=True)
class _Picture:
    """A decoded frame before colour conversion, because most frames are not kept."""

    index: int
    time_s: float
    picture: VideoFrame | None


def _converted(taken: _Picture) -> Frame:
    image = None
    if taken.picture is not None:
        image = taken.picture.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    return Frame(taken.index, taken.time_s, image)


def _stream_pictures(source: LiveSource) -> Iterator[_Picture]:
    clock = StreamClock()
    for index, stamped in enumerate(_arriving(source)):
        yield _Picture(index, clock.time_of(stamped), stamped.what)


def _arriving(source: LiveSource) -> Iterator[Stamped[VideoFrame | None]]:
    """Yield pictures as they arrive; None for one that cannot be trusted, after the first good one."""
    with source.connect() as connection:
        if isinstance(connection, OpenedStream):
            yield from with_first_times(_decoded(connection))
        else:
            decoder = JpegDecoder()
            for stamped in connection:
                yield stamped.stamped(decoder.decode(stamped.jpeg))


def _decoded(opened: OpenedStream) -> Iterator[Stamped[VideoFrame | None]]:
    trust = opened.trust
    opened.stream.thread_type = "SLICE"  # over frames, each of them would wait for the next ones
    begun = False
    for arrival in opened.arrivals():
        packet = arrival.packet
        try:
            pictures: list[VideoFrame | None] = list(packet.decode())
        except (av.FFmpegError, OSError):
            trust.fail()
            pictures = [None]
        if not pictures and trust.is_damaged:
            pictures = [None]  # some decoders show nothing that rests on a lost picture
        for picture in pictures:
            pts = packet.pts if picture is None else picture.pts
            good = picture is not None and trust.trusts(picture)
            begun = begun or good
            if begun:  # before a first picture there are none to miss
                yield opened.stamped(picture if good else None, pts, arrival)
    raise VideoError(f"the stream ended ({opened.fault})", opened.where)


def _usb_frames(address: CameraAddress) -> Iterator[Frame]:
    cv2 = _opencv()
    capture = cv2.VideoCapture(int(address.secret_url))
    try:
        if not capture.isOpened():
            raise VideoError("cannot open the camera", str(address), "Check its number, and the permission to read it")
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        clock, index = StreamClock(), 0
        while True:
            is_read, image = capture.read()
            if not is_read:
                raise VideoError("the camera gives no more pictures", str(address), "Check its cable")
            yield Frame(index, clock.time_s(None, time.monotonic()), np.ascontiguousarray(image[:, :, ::-1]))
            index += 1
    finally:
        capture.release()


def _opencv() -> Any:
    require_opencv()
    import cv2

    return cv2


def _at_its_pace(frames: Iterator[Frame], speed: float) -> Iterator[Frame]:
    began_s = time.monotonic()
    for frame in frames:
        wait_s = began_s + frame.time_s / speed - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
        yield frame
