"""Some seconds of a live stream as a file, its pictures as they were sent."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Protocol, cast

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from maskedskipunet.data.live.connections import OpenedStream
from maskedskipunet.data.live.stream_clock import Stamped, StreamClock, with_first_times, with_judged_start
from maskedskipunet.data.live.stream_faults import stream_fault
from maskedskipunet.data.live.streams import LiveSource
from maskedskipunet.data.live.web_cameras import CameraPicture, JpegDecoder
from maskedskipunet.errors import DiskSpaceError, VideoError
from maskedskipunet.files import DISK_FULL_ERRORS

RECORDED_SUFFIX = ".mkv"  # takes whatever cameras send
_TICK = Fraction(1, 1000)  # Matroska's clock, in seconds


# What no decoder takes for a picture, instead of one that was damaged on its way: so it is a bad frame in the file.
_SPOILED = {"h264": b"\0\0\0\1\x41\0", "hevc": b"\0\0\0\1\x02\1\0"}


@dataclass(frozen=True)
class Recorded:
    """The length of a recording, and the fault that ended it early, None if there was none.

    damaged: frames that were damaged on their way, or rest on such; in the file they are bad frames.
    """

    seconds: float
    fault: str | None
    damaged: int = 0


def record(
    source: LiveSource, path: Path, seconds: float, advance: Callable[[float], None] = lambda more: None
) -> Recorded:
    """Write so many seconds of a stream to a Matroska file; times begin at 0 and never go back.

    advance: called with the seconds that came since the last call.
    Raises VideoError when the stream cannot be opened or gives no picture, DiskSpaceError when the disk is full.
    """
    with source.connect() as connection:
        coded = _Packets(connection) if isinstance(connection, OpenedStream) else _Jpegs(connection)
        clock, now_s, fault = StreamClock(), 0.0, None
        began_s = time.monotonic()
        last_tick = -1
        try:
            with av.open(str(path), "w", format="matroska") as file:
                copy = coded.add_to(file)
                for stamped in with_judged_start(coded, clock, seconds):
                    packet, before_s = stamped.what, now_s
                    now_s = clock.time_of(stamped)
                    if max(now_s, stamped.arrived_s - began_s) >= seconds:
                        break
                    shown_later = 0 if packet.pts is None or packet.dts is None else packet.pts - packet.dts
                    later_s = max(0, shown_later) * float(packet.time_base or 1)
                    last_tick = max(last_tick + 1, round(now_s / _TICK))
                    packet.time_base = _TICK
                    packet.dts, packet.pts = last_tick, last_tick + round(later_s / _TICK)
                    packet.stream = copy
                    file.mux(packet)
                    advance(now_s - before_s)
                else:
                    fault = coded.fault
        except (av.FFmpegError, OSError) as error:
            if error.errno in DISK_FULL_ERRORS:
                raise DiskSpaceError("no space left to record", str(path), "Free some space, or record less") from error
            fault = stream_fault(error)
    if last_tick < 0:
        raise VideoError(f"the stream gave no picture ({fault or 'in time'})", str(source.address))
    return Recorded(now_s, fault, coded.damaged)


class _Coded(Protocol):
    """Pictures as sent, until the stream ends. fault: why it ended. damaged: the number of damaged pictures."""

    fault: str
    damaged: int

    def add_to(self, file: OutputContainer) -> VideoStream:
        """Return the file's stream that takes them."""
        ...

    def __iter__(self) -> Iterator[Stamped["Packet[VideoStream]"]]: ...


class _Packets:
    """The packets of a stream, with the time each states."""

    def __init__(self, opened: OpenedStream) -> None:
        self.damaged = 0
        self._opened = opened

    @property
    def fault(self) -> str:
        return self._opened.fault

    def add_to(self, file: OutputContainer) -> VideoStream:
        return file.add_stream_from_template(self._opened.stream)

    def __iter__(self) -> Iterator[Stamped["Packet[VideoStream]"]]:
        return with_first_times(self._stamped())

    def _stamped(self) -> Iterator[Stamped["Packet[VideoStream]"]]:
        for arrival in self._opened.arrivals():
            packet = kept = arrival.packet
            if self._opened.trust.is_damaged:
                self.damaged += 1
                kept = _packet(_SPOILED.get(self._opened.stream.codec_context.name, b"\0"))
                kept.pts, kept.dts, kept.time_base = packet.pts, packet.dts, packet.time_base
            yield self._opened.stamped(kept, packet.pts if packet.dts is None else packet.dts, arrival)


class _Jpegs:
    """The JPEG pictures of a camera."""

    def __init__(self, pictures: Iterator[CameraPicture]) -> None:
        self.fault, self.damaged = "its end", 0
        self._pictures = pictures

    def add_to(self, file: OutputContainer) -> VideoStream:
        decoder = JpegDecoder()
        for stamped in self._pictures:
            if (picture := decoder.decode(stamped.jpeg)) is not None:
                self._pictures = chain([stamped], self._pictures)
                stream = file.add_mux_stream("mjpeg", width=picture.width, height=picture.height)
                assert isinstance(stream, VideoStream), "mjpeg is video"
                return stream
        raise AssertionError("a camera's pictures have no end")

    def __iter__(self) -> Iterator[Stamped["Packet[VideoStream]"]]:
        try:
            for stamped in self._pictures:
                self.damaged += stamped.jpeg is None
                packet = _packet(stamped.jpeg or b"\0")
                packet.is_keyframe = True
                yield stamped.stamped(packet)
        except VideoError as error:
            self.fault = error.what


def _packet(data: bytes) -> "Packet[VideoStream]":
    return cast("Packet[VideoStream]", Packet(data))
