"""Some seconds of a live stream as a file, its pictures as they were sent."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.packet import Packet
from av.video.stream import VideoStream

from maskedskipunet.data.stream_clock import Stamped, Stamping, StreamClock, with_first_times, with_judged_start
from maskedskipunet.data.streams import LiveSource, open_stream, stream_fault
from maskedskipunet.errors import DiskSpaceError, VideoError
from maskedskipunet.files import NO_ROOM

RECORDED_SUFFIX = ".mkv"  # takes whatever cameras send
_TICK = Fraction(1, 1000)  # Matroska's clock, in seconds


@dataclass(frozen=True)
class Recorded:
    """How long the recording is, and why it is no longer; None where nothing broke off."""

    seconds: float
    fault: str | None


def record(
    source: LiveSource, path: Path, seconds: float, advance: Callable[[float], None] = lambda more: None
) -> Recorded:
    """Write so many seconds of a stream to a Matroska file; times begin at 0 and never go back.

    advance: called with the seconds that came since the last call.
    Raises VideoError when the stream cannot be opened or gives no picture, DiskSpaceError when the disk is full.
    """
    with open_stream(source) as container:
        if not container.streams.video:
            raise VideoError("the stream holds no picture", str(source.address), "Name a stream with video in it")
        incoming = container.streams.video[0]
        clock, now_s, fault = StreamClock(), 0.0, None
        began_s = time.monotonic()
        last_tick = -1
        try:
            with av.open(str(path), "w", format="matroska") as file:
                copy = file.add_stream_from_template(incoming)
                packets = _Packets(container.demux(incoming), Stamping.of(container))
                for came in with_judged_start(with_first_times(packets), clock, seconds):
                    packet, before_s = came.what, now_s
                    now_s = clock.time_of(came)
                    if max(now_s, came.arrived_s - began_s) >= seconds:
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
                    fault = packets.fault
        except (av.FFmpegError, OSError) as error:
            if error.errno in NO_ROOM:
                raise DiskSpaceError("no room left to record", str(path), "Make room, or record less") from error
            fault = stream_fault(error)
    if last_tick < 0:
        raise VideoError(f"the stream gave no picture ({fault or 'in time'})", str(source.address))
    return Recorded(now_s, fault)


class _Packets:
    """A stream's packets with the time each states, until it ends. fault: why it did."""

    def __init__(self, packets: Iterator["Packet[VideoStream]"], stamping: Stamping) -> None:
        self.fault = "its end"
        self._packets, self._stamping = packets, stamping

    def __iter__(self) -> Iterator[Stamped["Packet[VideoStream]"]]:
        while True:
            asked_s = time.monotonic()
            try:
                packet = next(self._packets, None)
            except (av.FFmpegError, OSError) as error:
                self.fault = stream_fault(error)
                return
            if packet is None or not packet.size:
                return
            stated = packet.pts if packet.dts is None else packet.dts
            yield self._stamping.stamped(packet, stated, asked_s, time.monotonic())
