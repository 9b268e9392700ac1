"""Opens the address of a camera: RTSP over TCP or UDP, video or JPEG over HTTP."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.live.rtp_losses import REORDERED, with_losses
from maskedskipunet.data.live.stream_clock import Stamped, Stamping
from maskedskipunet.data.live.stream_faults import is_refused_transport, opening_error, stream_fault
from maskedskipunet.data.live.web_cameras import CameraPicture, camera_pictures, pictures_of, require_no_page
from maskedskipunet.data.video.trust import PictureTrust
from maskedskipunet.data.web import WEB_SCHEMES, WebAddress
from maskedskipunet.errors import VideoError

T = TypeVar("T")

LOOKED_AT_S = 2.0  # of a stream's start at most, to learn its codec and size
UNKEYED_S = 30.0  # that a damaged stream may go on without a key frame; a new connection begins with one
UDP_BUFFER_BYTES = 1 << 20  # a key frame comes in one burst

PROTOCOLS = "rtp,rtsp,rtsps,tcp,udp,tls,http,https,httpproxy,crypto"  # what a server sends leads to no file of ours


@dataclass(frozen=True, slots=True)
class PacketArrival:
    """A packet, when it was asked for, and when it came, by time.monotonic."""

    packet: "Packet[VideoStream]"
    asked_s: float
    arrived_s: float


class OpenedStream:
    """A stream that FFmpeg reads.

    fault: why it ended, once it has. trust: which of its packets and pictures can be trusted.
    """

    def __init__(self, container: InputContainer, where: str, *, is_lossy: bool) -> None:
        if not container.streams.video:
            raise VideoError("the stream holds no picture", where, "Name a stream with video in it")
        self.where = where
        self.stream: VideoStream = container.streams.video[0]
        self.trust = PictureTrust(self.stream)
        self.fault = "its end"
        self._container = container
        self._stamping = Stamping.of(container)
        self._is_lossy = is_lossy  # in what FFmpeg read already, to learn what it is

    def stamped(self, what: T, pts: int | None, arrival: PacketArrival) -> Stamped[T]:
        """Return the content of a packet with the stream's time, if it states one."""
        return self._stamping.stamped(what, pts, arrival.asked_s, arrival.arrived_s)

    def arrivals(self) -> Iterator[PacketArrival]:
        """Yield its packets as they arrive; `trust` sees each of them."""
        packets = self._container.demux(self.stream)
        began_s = damaged_s = None
        while True:
            asked_s = time.monotonic()
            try:
                packet, is_lost = with_losses(lambda: next(packets, None))
            except (av.FFmpegError, OSError) as error:
                self.fault = stream_fault(error)
                return
            if packet is None or not packet.size:  # the last one of a stream is empty
                return
            now_s = time.monotonic()
            began_s = began_s or now_s
            is_lost = is_lost or (self._is_lossy and now_s - began_s < LOOKED_AT_S)
            self.trust.send(packet, is_lost=is_lost, is_cut=packet.is_corrupt)
            damaged_s = (damaged_s or now_s) if self.trust.is_damaged else None
            if damaged_s is not None and now_s - damaged_s > UNKEYED_S:
                self.fault = f"packets were lost, and no key frame came for {UNKEYED_S:.0f} s"
                return
            yield PacketArrival(packet, asked_s, now_s)


@contextmanager
def connected(
    address: CameraAddress, *, open_s: float, read_s: float, snapshot_fps: float
) -> Iterator[OpenedStream | Iterator[CameraPicture]]:
    """Open a stream that FFmpeg reads, or the pictures of a camera that sends JPEG over HTTP.

    open_s, read_s: timeouts of the stream and of its next data. snapshot_fps: the rate at which a camera of single
    pictures is polled. Raises VideoError if it cannot be opened, and LoginError if the login is refused, without its
    secrets.
    """
    if address.scheme in WEB_SCHEMES:
        web = WebAddress(address, open_s=open_s, read_s=read_s, fault="cannot open the stream")
        response = web.open()
        if pictures_of(response) is not None:
            yield camera_pictures(web, response, snapshot_fps, read_s)
            return
        response.close()
        require_no_page(response, web)
        container, is_lossy = _open_video(web, (open_s, read_s)), False
    else:
        container, is_lossy = _open_rtsp(address, (open_s, read_s))
    with container:
        yield OpenedStream(container, str(address), is_lossy=is_lossy)


def _open_video(web: WebAddress, waits_s: tuple[float, float]) -> InputContainer:
    """Return a video over HTTP, by FFmpeg, which asks for it once more; it knows no digest but MD5."""
    url, options = web.address.secret_url, {}
    if (answer := web.strong_answer()) is not None:
        parts = urlsplit(url)
        url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        options = {"headers": f"Authorization: {answer}\r\n"}
    opened = _try(url, options, waits_s)
    if isinstance(opened, InputContainer):
        return opened
    raise opening_error(opened, web.address)


def _open_rtsp(address: CameraAddress, waits_s: tuple[float, float]) -> tuple[InputContainer, bool]:
    """Open an RTSP stream over TCP, which loses nothing, or over UDP if the camera refuses TCP; return whether it is
    lossy.
    """
    common = {"allowed_media_types": "video", "timeout": str(int(waits_s[1] * 1e6))}
    over_tcp = {"rtsp_transport": "tcp", "reorder_queue_size": REORDERED}
    over_udp = {"rtsp_transport": "udp", "buffer_size": str(UDP_BUFFER_BYTES)}
    opened, is_lossy = with_losses(lambda: _try(address.secret_url, common | over_tcp, waits_s))
    if address.scheme == "rtsp" and isinstance(opened, Exception) and is_refused_transport(opened):
        opened, is_lossy = with_losses(lambda: _try(address.secret_url, common | over_udp, waits_s))
    if isinstance(opened, InputContainer):
        return opened, is_lossy
    raise opening_error(opened, address)


def _try(url: str, options: Mapping[str, str], waits_s: tuple[float, float]) -> InputContainer | Exception:
    """Return the open stream, or the error, which holds the whole address and must not be raised."""
    # The rate is not measured beforehand, which takes seconds: frames carry their times.
    looked = {"analyzeduration": str(int(LOOKED_AT_S * 1e6)), "fpsprobesize": "0", "protocol_whitelist": PROTOCOLS}
    try:
        return av.open(url, options=looked | dict(options), timeout=waits_s, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        return error
