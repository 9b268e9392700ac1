"""What the tests of watching share: footage, a network, and a camera on loopback that does what it is told."""

import base64
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext

from maskedskipunet.data.frames import Image
from maskedskipunet.model.config import InputFormat

PATIENCE_S = 150.0
RATE = 10
FIRST_TICK = 123_456_789  # of RTP's clock, which starts anywhere
LARGEST_PAYLOAD = 1200  # bytes, so that pictures are cut up as on a real network


def wait_until(condition: Callable[[], Any], patience_s: float = PATIENCE_S) -> None:
    until_s = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < until_s, "waited in vain"
        time.sleep(0.01)


def pictures(count: int, *, height_px: int = 48, width_px: int = 64, seed: int = 0) -> list[Image]:
    """A still room with a square that moves, so that each frame's score is another."""
    room = np.random.default_rng(seed).integers(40, 160, (height_px // 8, width_px // 8, 3), dtype=np.uint8)
    frames = []
    for at in range(count):
        frame = np.kron(room, np.ones((8, 8, 1), np.uint8))
        left = (5 * at) % (width_px - 16)
        frame[8:24, left : left + 16] = (220, 30 + 5 * (at % 20), 40)
        frames.append(frame)
    return frames


def write_h264(path: Path, frames: Sequence[Image], *, rate: int = RATE, key_every: int = 10) -> Path:
    """As a camera encodes: no frame waits for a later one."""
    with av.open(str(path), "w") as container:
        options = {"crf": "18", "preset": "veryfast", "tune": "zerolatency", "g": str(key_every), "bf": "0"}
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@dataclass(frozen=True)
class AccessUnit:
    """One coded picture: when it is shown, and its parts without start codes."""

    time_s: float
    units: tuple[bytes, ...]


def access_units(path: Path) -> list[AccessUnit]:
    found = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        to_bytes = BitStreamFilterContext("h264_mp4toannexb", stream)
        for packet in container.demux(stream):
            if not packet.size:
                continue
            for whole in to_bytes.filter(packet):
                parts = bytes(whole).replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
                units = tuple(part for part in parts if part)
                found.append(AccessUnit(float(whole.pts * Fraction(whole.time_base)), units))
    return found


class RtspServer:
    """A camera on loopback: OPTIONS, DESCRIBE, SETUP and PLAY, H.264 in RTP over TCP or UDP (RFC 2326, 6184).

    Each viewer sees the footage from its start, at its own pace times `speed`.
    paused: stalls without closing. away: takes no viewer. stamp: which time a picture claims. login: USER:PASSWORD.
    refused: what it answers where TCP is asked for. loses: which RTP packets never leave, by picture and by packet of
    it. asks: what it says to who gives no login, or another. logins: how often one was given.
    """

    def __init__(self, units: Sequence[AccessUnit], *, speed: float = 1.0, login: str = "", refused: str = "") -> None:
        self.units, self.speed, self.login, self.refused = list(units), speed, login, refused
        self.loses: Callable[[int, int], bool] = lambda picture, packet: False
        self.asks = ('Basic realm="camera"',)
        self.logins = 0
        self._udp_ports: dict[socket.socket, int] = {}
        self.stamp: Callable[[int, float], float] = lambda at, time_s: time_s
        self.paused = threading.Event()
        self.pause_at: int | None = None
        self.cut_at: int | None = None
        self.hold_at_end = True
        self.away = False
        self.sent = 0
        self.plays = 0
        self._open: set[socket.socket] = set()
        self._ending = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        login = f"{self.login}@" if self.login else ""
        return f"rtsp://{login}127.0.0.1:{self.port}/live"

    def cut(self) -> None:
        """Break off whoever looks on."""
        for viewer in list(self._open):
            viewer.close() if viewer.fileno() < 0 else viewer.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._ending.set()
        self._listener.close()
        for viewer in list(self._open):
            viewer.close()

    def _serve(self) -> None:
        while not self._ending.is_set():
            try:
                viewer, _ = self._listener.accept()
            except OSError:
                return
            if self.away:
                viewer.close()
                continue
            self._open.add(viewer)
            threading.Thread(target=self._converse, args=(viewer,), daemon=True).start()

    def _converse(self, viewer: socket.socket) -> None:
        writing = threading.Lock()
        try:
            with viewer, viewer.makefile("rb") as requests:
                while line := requests.readline():
                    if line.startswith(b"$"):
                        continue
                    method = line.split()[0].decode()
                    headers = {}
                    while header := requests.readline().decode().strip():
                        name, _, value = header.partition(":")
                        headers[name.lower()] = value.strip()
                    with writing:
                        viewer.sendall(self._answer(method, headers, viewer))
                    if method == "PLAY":
                        self.plays += 1
                        threading.Thread(target=self._play, args=(viewer, writing), daemon=True).start()
                    if method == "TEARDOWN":
                        return
        except (OSError, ValueError):
            return
        finally:
            self._open.discard(viewer)

    def _answer(self, method: str, headers: dict[str, str], viewer: socket.socket) -> bytes:
        lines, body = [f"CSeq: {headers.get('cseq', '0')}"], ""
        status = "200 OK"
        asked = base64.b64encode(self.login.encode()).decode()
        if self.login and method != "OPTIONS" and headers.get("authorization") != f"Basic {asked}":
            status = "401 Unauthorized"
            self.logins += "authorization" in headers
            lines += [f"WWW-Authenticate: {way}" for way in self.asks]
        elif method == "OPTIONS":
            lines.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER")
        elif method == "DESCRIBE":
            sets = [unit for unit in self.units[0].units if unit[0] & 0x1F in (7, 8)]
            sprop = ",".join(base64.b64encode(unit).decode() for unit in sets)
            body = "\r\n".join(
                [
                    "v=0",
                    "o=- 1 1 IN IP4 127.0.0.1",
                    "s=camera",
                    "c=IN IP4 127.0.0.1",
                    "t=0 0",
                    "a=control:*",
                    "m=video 0 RTP/AVP 96",
                    "a=rtpmap:96 H264/90000",
                    f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sprop}",
                    "a=control:track0",
                    "",
                ]
            )
            lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
        elif method == "SETUP" and self.refused and "TCP" in headers["transport"]:
            status = self.refused
        elif method == "SETUP" and "client_port" in headers["transport"]:
            port = headers["transport"].partition("client_port=")[2].partition("-")[0]
            self._udp_ports[viewer] = int(port)
            lines += ["Session: 1;timeout=60", f"Transport: RTP/AVP;unicast;client_port={port}-{int(port) + 1}"]
        elif method == "SETUP":
            lines += ["Session: 1;timeout=60", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"]
        else:
            lines.append("Session: 1")
        return "\r\n".join([f"RTSP/1.0 {status}", *lines, "", body]).encode()

    def _play(self, viewer: socket.socket, writing: threading.Lock) -> None:
        number, began_s = 0, time.monotonic()
        try:
            for at, unit in enumerate(self.units):
                while time.monotonic() < began_s + unit.time_s / self.speed:
                    time.sleep(0.002)
                if at == self.pause_at:
                    self.paused.set()
                while self.paused.is_set() and not self._ending.is_set():
                    time.sleep(0.005)
                if at == self.cut_at:
                    viewer.shutdown(socket.SHUT_RDWR)
                    return
                for place, packet in enumerate(_rtp(unit.units, self.stamp(at, unit.time_s), number)):
                    number += 1
                    if not self.loses(at, place):
                        self._send(packet, viewer, writing)
                self.sent += 1
            while self.hold_at_end and not self._ending.is_set() and viewer.fileno() >= 0:
                time.sleep(0.01)
            viewer.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def _send(self, packet: bytes, viewer: socket.socket, writing: threading.Lock) -> None:
        if (port := self._udp_ports.get(viewer)) is not None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(packet, ("127.0.0.1", port))
            return
        with writing:
            viewer.sendall(struct.pack("!cBH", b"$", 0, len(packet)) + packet)


def _rtp(units: Sequence[bytes], time_s: float, number: int) -> Iterator[bytes]:
    payloads: list[bytes] = []
    for unit in units:
        if len(unit) <= LARGEST_PAYLOAD:
            payloads.append(unit)
            continue
        pieces = [unit[at : at + LARGEST_PAYLOAD] for at in range(1, len(unit), LARGEST_PAYLOAD)]
        for at, piece in enumerate(pieces):
            ends = (0x80 if at == 0 else 0) | (0x40 if at == len(pieces) - 1 else 0)
            payloads.append(bytes([unit[0] & 0xE0 | 28, ends | unit[0] & 0x1F]) + piece)
    ticks = (FIRST_TICK + round(time_s * 90_000)) & 0xFFFFFFFF
    for at, payload in enumerate(payloads):
        last = 0x80 if at == len(payloads) - 1 else 0
        yield struct.pack("!BBHII", 0x80, last | 96, (number + at) & 0xFFFF, ticks, 7) + payload


@pytest.fixture
def rtsp() -> Iterator[Callable[..., RtspServer]]:
    """Starts cameras on loopback."""
    servers: list[RtspServer] = []

    def start(*paths: Path, **how: Any) -> RtspServer:
        units: list[AccessUnit] = []
        for path in paths:
            start_s = units[-1].time_s + 1 / RATE if units else 0.0
            units += [AccessUnit(unit.time_s + start_s, unit.units) for unit in access_units(path)]
        servers.append(RtspServer(units, **how))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@dataclass(frozen=True)
class Tools:
    """What tests make footage with and wait by."""

    pictures: Callable[..., list[Image]] = pictures
    write_h264: Callable[..., Path] = write_h264
    wait_until: Callable[..., None] = wait_until
    rate: int = RATE


@pytest.fixture(scope="session")
def make() -> Tools:
    return Tools()


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds, forty frames, 64x48."""
    return write_h264(tmp_path_factory.mktemp("footage") / "room.mp4", pictures(40))


HOW = InputFormat(height_px=32, width_px=48)


@pytest.fixture(scope="session")
def how() -> InputFormat:
    return HOW


@pytest.fixture(scope="session")
def network() -> Any:
    """A prepared network with random weights."""
    import torch

    import maskedskipunet as msu
    from maskedskipunet.inference.prepare import prepare

    torch.manual_seed(0)
    return prepare(msu.create_model("masked_skips", latent_dim=8).eval(), "cpu", size_px=(HOW.height_px, HOW.width_px))
