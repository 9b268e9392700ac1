"""Writing video files that browsers play, by PyAV."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.video.frame import VideoFrame

from maskedskipunet.data.frames import Image
from maskedskipunet.errors import DiskSpaceError, VideoError
from maskedskipunet.files import DISK_FULL_ERRORS
from maskedskipunet.machine import instruction_set

_TICK = Fraction(1, 90_000)  # of a timed video's clock, in seconds


class VideoWriter:
    """Writes an H.264 mp4 that browsers play; the file appears when it is whole.

    Use it in a `with` block: on an error inside it, nothing is left behind.
    path: where; its folder must exist. height_px, width_px: even numbers. frame_rate: frames a second. timed: frames
    are shown at the times that `write` is told, at whatever intervals, and frame_rate says how long the last is.
    Raises VideoError for a frame of another size, for no frame at all, or where it cannot be written;
    DiskSpaceError when the disk is full.
    """

    def __init__(
        self,
        path: Path,
        *,
        height_px: int,
        width_px: int,
        frame_rate: float | Fraction,
        crf: int = 20,
        timed: bool = False,
    ) -> None:
        if min(height_px, width_px) < 2 or height_px % 2 or width_px % 2:
            raise VideoError(f"H.264 needs even sizes, not {width_px}x{height_px}", str(path))
        if not 0 < frame_rate < float("inf") or not (rate := Fraction(frame_rate).limit_denominator(65535)):
            raise VideoError(f"a video cannot be shown at {frame_rate} frames a second", str(path))
        self.path = path
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._shape = (height_px, width_px, 3)
        self._count = 0
        with self._write_errors():
            self._container = av.open(f"file:{self._part}", "w", format="mp4", options={"movflags": "+faststart"})
        options = {"crf": str(crf), "preset": "veryfast"}
        if instruction_set() == "AVX-512":
            options["x264-params"] = "asm=AVX2"  # x264's AVX-512 code writes the same frames differently now and then
        self._stream = self._container.add_stream("libx264", rate=rate, options=options)
        self._stream.height, self._stream.width = height_px, width_px
        self._stream.pix_fmt = "yuv420p"
        self._last_tick = -1 if timed else None
        self._frame_ticks = max(1, round(1 / (rate * _TICK)))
        if timed:
            self._stream.codec_context.time_base = _TICK

    def write(self, image: Image, time_s: float | None = None) -> None:
        """Add one frame: uint8 (H, W, 3), RGB. time_s: when it is shown, where the video is timed."""
        if image.shape != self._shape:
            raise VideoError(f"a frame of shape {image.shape} in a video of shape {self._shape}", str(self.path))
        if image.dtype != np.uint8:
            raise VideoError(f"a frame of {image.dtype}, not uint8", str(self.path))
        picture = VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        if self._last_tick is not None:
            if time_s is None:
                raise VideoError("a frame without a time in a video that is timed", str(self.path))
            # No two frames at once, and no way back: players accept neither.
            self._last_tick = max(self._last_tick + 1, round(time_s / _TICK))
            picture.pts, picture.time_base = self._last_tick, _TICK
            picture.duration = self._frame_ticks  # players take it for the last frame; others end where the next begins
        with self._write_errors():
            for packet in self._stream.encode(picture):
                self._container.mux(packet)
        self._count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            with suppress(av.FFmpegError, OSError):  # it can complain of what went wrong before
                self._container.close()
            self._part.unlink(missing_ok=True)

    def _finish(self) -> None:
        if not self._count:
            raise VideoError("no frame was written, so there is no video", str(self.path))
        with self._write_errors():
            for packet in self._stream.encode(None):
                self._container.mux(packet)
            self._container.close()
            self._part.replace(self.path)

    @contextmanager
    def _write_errors(self) -> Iterator[None]:
        try:
            yield
        except (av.FFmpegError, OSError) as error:
            if error.errno in DISK_FULL_ERRORS:
                raise DiskSpaceError(
                    "no space left for the video", str(self.path), "Free some space, or name another folder"
                ) from error
            raise VideoError(
                f"cannot write the video ({error.strerror})", str(self.path), "Name a folder that can be written to"
            ) from error
