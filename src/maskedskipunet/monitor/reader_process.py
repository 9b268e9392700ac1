"""The process that reads one camera: it decodes, resizes and sends frames; when it is too slow, it drops the oldest."""

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
MAX_WAITING = 256  # frames


@dataclass(frozen=True, kw_only=True)
class ReaderConfig:
    """Settings of a camera's process.

    height_px, width_px, channels: size of frames for the network. max_wait_s: frames that could not be sent within this
    time are dropped for newer ones. pictures: also send the whole picture, as JPEG. ignored: regions to ignore; if they
    cover the whole picture, this process reports the fault, which stops no other camera.
    """

    source: LiveSource
    height_px: int
    width_px: int
    channels: int
    max_wait_s: float
    pictures: bool = False
    ignored: IgnoredRegions | None = None


@dataclass(frozen=True, slots=True)
class ArrivedFrame:
    """A frame that arrived from a camera.

    index, time_s: count from 0 in each connection. pixels: uint8 (C, H, W) for the network, None for a damaged frame.
    colour: mean distance between a pixel's strongest and weakest channel, 0 to 255. height_px, width_px: size of the
    source. picture: JPEG in the source's size, if asked for. arrived_s: time.monotonic, which is the same in all
    processes. dropped: all frames before it that were dropped.
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
class ReadFailed:
    """The reader gives up. reason: a text without secrets. refused: the camera refused the login."""

    reason: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class EndOfFile:
    """A file has been played to its end."""


Message = ArrivedFrame | ReadFailed | EndOfFile


def read_camera(config: ReaderConfig, pipe: Connection, parent: int) -> None:
    """Run a camera's process until its source ends, or the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends this process
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # so that the camera is told goodbye
    _die_with(parent)
    outbox = SendQueue(pipe.fileno(), config.max_wait_s)
    last: Message
    try:
        for frame in config.source.frames():
            if frame.image is not None and config.ignored is not None:
                config.ignored.mask(*frame.image.shape[:2])
            outbox.put(_resized(frame, config))
        last = EndOfFile()
    except MaskedSkipUNetError as error:
        last = ReadFailed(error.what, refused=isinstance(error, LoginError))
    except Exception as error:  # noqa: BLE001  # its text may hold the address, and the parent prints it
        last = ReadFailed(f"reading failed ({type(error).__name__})")
    outbox.end(last)


class SendQueue:
    """Queues frames and sends them in its own thread. When frames wait too long, it drops the oldest."""

    def __init__(self, descriptor: int, max_wait_s: float) -> None:
        self._descriptor, self._max_wait_s = descriptor, max_wait_s
        self._waiting: deque[Message] = deque()
        self._signs: SimpleQueue[bool] = SimpleQueue()  # one for each message: whether more may follow
        self._dropped = 0
        self._sender = threading.Thread(target=self._send, daemon=True, name="sender")
        self._sender.start()

    def put(self, arrived: ArrivedFrame) -> None:
        while len(self._waiting) >= MAX_WAITING or self._is_late(arrived.arrived_s):
            with suppress(IndexError):  # the sender has just taken it
                self._waiting.popleft()
                self._dropped += 1
        self._waiting.append(replace(arrived, dropped=self._dropped))
        self._signs.put(True)

    def end(self, last: Message) -> None:
        """Send what waits and a last message, and return when that is done."""
        self._waiting.append(last)
        self._signs.put(False)
        self._sender.join()

    def _is_late(self, now_s: float) -> bool:
        try:
            oldest = self._waiting[0]
        except IndexError:
            return False
        return isinstance(oldest, ArrivedFrame) and now_s - oldest.arrived_s > self._max_wait_s

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
                except OSError:  # the parent is gone
                    os._exit(1)


def _resized(frame: Frame, config: ReaderConfig) -> ArrivedFrame:
    arrived_s = time.monotonic()
    if frame.image is None:
        return ArrivedFrame(frame.index, frame.time_s, None, 0.0, 0, 0, None, arrived_s, 0)
    small = resize_image(frame.image, height_px=config.height_px, width_px=config.width_px)
    pixels = network_frame(small, height_px=config.height_px, width_px=config.width_px, channels=config.channels)
    height_px, width_px, _ = frame.image.shape
    return ArrivedFrame(
        frame.index,
        frame.time_s,
        pixels,
        float((small.max(axis=2) - small.min(axis=2)).mean()),
        height_px,
        width_px,
        to_jpeg(frame.image) if config.pictures else None,
        arrived_s,
        0,
    )


def _die_with(parent: int) -> None:
    """End this process when the parent ends, however it ends, even while a decoder is busy."""
    with suppress(OSError, AttributeError, TypeError):  # only Linux has it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_LOOK_S)
        os._exit(1)

    threading.Thread(target=look, daemon=True, name="parent").start()
