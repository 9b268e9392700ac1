"""Live sources: network streams by PyAV, USB cameras by OpenCV, and a file played at its own pace."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame

from maskedskipunet.data.addresses import CameraAddress, require_opencv
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.sampling import require_rate, sample
from maskedskipunet.data.stream_clock import Stamped, StreamClock, with_first_times
from maskedskipunet.data.video import probe_video, read_video
from maskedskipunet.errors import ConfigError, VideoError

LOOKED_AT_S = 2.0  # of a stream's start at most, to learn its codec and size

PROTOCOLS = "rtp,rtsp,rtsps,tcp,udp,tls,http,https,httpproxy,crypto"  # what a server sends leads to no file of ours


@dataclass(frozen=True, kw_only=True)
class LiveSource:
    """A camera, or a file played as if it were one, and the frames that are taken from it.

    fps, stride: which frames are kept (see `sample`). open_s, read_s: how long to wait for the stream, and for its
    next data. speed: how many times faster than real time a file is played.
    """

    address: CameraAddress
    fps: float | None = None
    stride: int = 1
    open_s: float = 10.0
    read_s: float = 10.0
    speed: float = 1.0

    def __post_init__(self) -> None:
        for name in ("open_s", "read_s", "speed"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"{getattr(self, name)!r}", name, "Use a number above 0")
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise ConfigError(f"{self.fps!r} frames a second", "fps", "Use a rate above 0")

    def frames(self) -> Iterator[Frame]:
        """The kept frames as they arrive; their times begin at 0.

        An image is None where a picture was damaged on its way. The images of a stream may change their size.
        Raises VideoError when a source cannot be opened, ends or breaks off (a file's end is the iterator's), and
        ConfigError for a file of fewer frames a second than asked for, or where OpenCV is wanted and not installed.
        """
        if self.address.kind == "file":
            return _at_its_pace(self._file(), self.speed)
        if self.address.kind == "usb":
            return sample(_usb_frames(self.address), fps=self.fps, stride=self.stride)
        return map(_converted, sample(_stream_pictures(self), fps=self.fps, stride=self.stride))

    def _file(self) -> Iterator[Frame]:
        path = self.address.path
        if self.fps is not None:
            require_rate(probe_video(path, "skip"), self.fps, str(path))
        return sample(read_video(path, "skip"), fps=self.fps, stride=self.stride)


@dataclass(frozen=True, slots=True)
class _Picture:
    """A decoded frame whose colours are not converted yet: most are not kept."""

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
    for index, came in enumerate(with_first_times(_decoded(source))):
        yield _Picture(index, clock.time_s(came.stated_s, came.arrived_s), came.what)


def _decoded(source: LiveSource) -> Iterator[Stamped[VideoFrame | None]]:
    """Pictures as they come; None for one that was damaged on its way, once there was a good one."""
    with open_stream(source) as container:
        if not container.streams.video:
            raise VideoError("the stream holds no picture", str(source.address), "Name a stream with video in it")
        stream = container.streams.video[0]
        stream.thread_type = "SLICE"  # over frames, each of them would wait for the next ones
        base_s = float(stream.time_base or 1)
        packets = container.demux(stream)
        begun = False
        while True:
            packet, fault = None, "its end"
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                fault = stream_fault(error)
            if packet is None or not packet.size:  # the last one of a stream is empty
                raise VideoError(f"the stream broke off ({fault})", str(source.address))
            try:
                pictures: list[VideoFrame | None] = list(packet.decode())
            except (av.FFmpegError, OSError):
                pictures = [None] if begun else []  # before a first picture there are none to miss
            for picture in pictures:
                pts = packet.pts if picture is None else picture.pts
                good = picture is not None and not picture.is_corrupt
                begun = begun or good
                yield Stamped(picture if good else None, None if pts is None else pts * base_s, time.monotonic())


def open_stream(source: LiveSource) -> InputContainer:
    """The stream itself. Raises VideoError where it cannot be opened, without its secrets."""
    address = source.address
    # The rate is not measured beforehand, which takes seconds: frames carry their times.
    options = {"analyzeduration": str(int(LOOKED_AT_S * 1e6)), "fpsprobesize": "0", "protocol_whitelist": PROTOCOLS}
    if address.scheme in ("rtsp", "rtsps"):
        # Over UDP a lost packet smears a picture and stays unnoticed; with TCP it comes late or the stream ends.
        options |= {"rtsp_transport": "tcp", "allowed_media_types": "video", "timeout": str(int(source.read_s * 1e6))}
    try:
        return av.open(
            address.secret_url, options=options, timeout=(source.open_s, source.read_s), metadata_errors="replace"
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        fault = stream_fault(error)
    # Raised out here: the library's own error holds the whole address, and no traceback shall show it.
    raise VideoError(f"cannot open the stream ({fault})", str(address), "Check address, user and password")


def stream_fault(error: Exception) -> str:
    """What went wrong in a few words, and without the address that the library's own text holds."""
    if isinstance(error, av.error.ExitError):  # what an interrupted wait ends in
        return "nothing came for too long"
    return getattr(error, "strerror", None) or type(error).__name__


def _usb_frames(address: CameraAddress) -> Iterator[Frame]:
    cv2 = _opencv()
    capture = cv2.VideoCapture(int(address.secret_url))
    try:
        if not capture.isOpened():
            raise VideoError("cannot open the camera", str(address), "Check its number, and the right to read it")
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        clock, index = StreamClock(), 0
        while True:
            there, image = capture.read()
            if not there:
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
