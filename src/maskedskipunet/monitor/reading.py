"""The process that reads one camera: decodes, resizes, and sends frames on, the newest first to be kept."""

import ctypes
import os
import signal
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.frames import Frame
from maskedskipunet.data.jpeg import to_jpeg
from maskedskipunet.data.live.streams import LiveSource
from maskedskipunet.data.resizing import network_frame, resize_image
from maskedskipunet.errors import LoginError, MaskedSkipUNetError
from maskedskipunet.monitor.channel import send
from maskedskipunet.scoring.ignored import IgnoredRegions

PR_SET_PDEATHSIG = 1  # of Linux's prctl
PARENT_LOOK_S = 1.0
MOST_WAITING = 256  # frames


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a camera's process is to do.

    height_px, width_px, channels: frames as the network sees them. max_wait_s: frames that could not be sent within
    it make room for newer ones. pictures: whether to send the whole picture too, as JPEG. ignored: what is not looked
    at; a picture of which it leaves nothing is a fault, found here, where it stops no other camera.
    """

    source: LiveSource
    height_px: int
    width_px: int
    channels: int
    max_wait_s: float
    pictures: bool = False
    ignored: IgnoredRegions | None = None


@dataclass(frozen=True, slots=True)
class Arrived:
    """A frame as it came. index, time_s: of this connection, from 0.

    pixels: uint8 (C, H, W), as the network sees it, None for a damaged one. colour: mean distance, 0 to 255, between
    a pixel's strongest and weakest channel. height_px, width_px: of the source. picture: JPEG of the source's size,
    where asked for. arrived_s: by time.monotonic, which is the same for all processes. dropped: frames before it, in
    all, that found no room.
    """

    index: int
    time_s: float
    pixels: NDArray[np.uint8] | None
    colour: float
    height_px: int
    width_px: int
    picture: bytes | None
    arrived_s: float
    dropped: int


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a reader gives up, in words that hold no secret. refused: whether the camera refused the login."""

    reason: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """A file was played to its end."""


Message = Arrived | Failed | Finished


def read_camera(reading: Reading, pipe: Connection, parent: int) -> None:
    """The whole life of a camera's process: it ends with its source, or with the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; who started us will end us
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # so that the camera is told goodbye
    _die_with(parent)
    outbox = Outbox(pipe.fileno(), reading.max_wait_s)
    last: Message
    try:
        for frame in reading.source.frames():
            if frame.image is not None and reading.ignored is not None:
                reading.ignored.mask(*frame.image.shape[:2])
            outbox.put(_arrived(frame, reading))
        last = Finished()
    except MaskedSkipUNetError as error:
        last = Failed(error.what, refused=isinstance(error, LoginError))
    except Exception as error:  # noqa: BLE001  # its text may hold the address, and the parent tells of it
        last = Failed(f"reading failed ({type(error).__name__})")
    outbox.end(last)


class Outbox:
    """Frames that wait to be sent, by a thread of its own. Where there is no room, the oldest makes it."""

    def __init__(self, descriptor: int, max_wait_s: float) -> None:
        self._descriptor, self._max_wait_s = descriptor, max_wait_s
        self._waiting: deque[Message] = deque()
        self._signs: SimpleQueue[bool] = SimpleQueue()  # one a message: whether more may follow
        self._dropped = 0
        self._sender = threading.Thread(target=self._send, daemon=True, name="sender")
        self._sender.start()

    def put(self, arrived: Arrived) -> None:
        while len(self._waiting) >= MOST_WAITING or self._is_late(arrived.arrived_s):
            with suppress(IndexError):  # the sender has just taken it
                self._waiting.popleft()
                self._dropped += 1
        self._waiting.append(replace(arrived, dropped=self._dropped))
        self._signs.put(True)

    def end(self, last: Message) -> None:
        """Send what waits and a last message, and wait until that is done."""
        self._waiting.append(last)
        self._signs.put(False)
        self._sender.join()

    def _is_late(self, now_s: float) -> bool:
        try:
            oldest = self._waiting[0]
        except IndexError:
            return False
        return isinstance(oldest, Arrived) and now_s - oldest.arrived_s > self._max_wait_s

    def _send(self) -> None:
        more = True
        while more:
            more = self._signs.get()
            while self._waiting:
                try:
                    message = self._waiting.popleft()
                except IndexError:
                    break
                try:
                    send(self._descriptor, message)
                except OSError:  # whoever would read it is gone
                    os._exit(1)


def _arrived(frame: Frame, reading: Reading) -> Arrived:
    arrived_s = time.monotonic()
    if frame.image is None:
        return Arrived(frame.index, frame.time_s, None, 0.0, 0, 0, None, arrived_s, 0)
    small = resize_image(frame.image, height_px=reading.height_px, width_px=reading.width_px)
    pixels = network_frame(small, height_px=reading.height_px, width_px=reading.width_px, channels=reading.channels)
    height_px, width_px, _ = frame.image.shape
    return Arrived(
        frame.index,
        frame.time_s,
        pixels,
        float((small.max(axis=2) - small.min(axis=2)).mean()),
        height_px,
        width_px,
        to_jpeg(frame.image) if reading.pictures else None,
        arrived_s,
        0,
    )


def _die_with(parent: int) -> None:
    """End when the parent does, however it ends, and whatever a decoder is doing then."""
    with suppress(OSError, AttributeError, TypeError):  # only Linux has it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_LOOK_S)
        os._exit(1)

    threading.Thread(target=look, daemon=True, name="parent").start()
