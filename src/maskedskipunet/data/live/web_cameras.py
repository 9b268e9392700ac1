"""Cameras that send JPEG pictures over HTTP: one after another (motion JPEG), or one of now each time it is asked."""

import math
import re
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Literal, TypeVar

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from maskedskipunet.data.live.stream_clock import WAIT_S, Stamped
from maskedskipunet.data.video.decoding import MAX_PIXELS
from maskedskipunet.data.web import WebAddress, web_fault
from maskedskipunet.errors import LoginError, VideoError

T = TypeVar("T")

PictureKind = Literal["stream", "single"]

PART_BYTES = 1 << 16
MAX_BYTES = 1 << 25  # of one picture, and of a stream before its first
_START, _PAGES = b"\xff\xd8\xff", ("text/html", "application/xhtml+xml")
_MOTION_JPEG = frozenset({"x-motion-jpeg", "motion-jpeg", "x-mjpeg", "mjpeg", "x-jpeg", "jpeg"})
_SAYS_NOTHING = ("", "application/octet-stream", "text/plain")
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # behind a picture's coded data


def pictures_of(response: HTTPResponse) -> PictureKind | None:
    """Return how a camera's pictures come in an answer; None if it is something else, such as a video file."""
    stated = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    kind, _, detail = stated.partition("/")
    if kind == "multipart" or (kind == "video" and detail in _MOTION_JPEG):
        return "stream"
    if kind == "image":
        return "single"
    if stated in _SAYS_NOTHING:  # its first bytes do
        try:
            begins = response.peek(len(_START))
        except (OSError, HTTPException):
            return None
        return "single" if begins.startswith(_START) else "stream" if begins.lstrip().startswith(b"--") else None
    return None


def require_no_page(response: HTTPResponse, web: WebAddress) -> None:
    """Raise VideoError if an answer is a page for people."""
    if response.headers.get_content_type() in _PAGES:
        fault = "it is a web page, not a video stream"
        raise VideoError(fault, str(web.address), "Name the address of the stream; the camera's manual has it")


@dataclass(frozen=True, slots=True)
class CameraPicture:
    """A picture as a camera sent it. jpeg: None for one that came damaged. stated_s: when it was asked for, if it was.

    arrived_s: by time.monotonic. waited: the reader waited for it; otherwise it had arrived before.
    """

    jpeg: bytes | None
    stated_s: float | None
    arrived_s: float
    waited: bool = True

    def stamped(self, what: T) -> Stamped[T]:
        """Return an item made of the picture, with the picture's times."""
        return Stamped(what, self.stated_s, self.arrived_s, self.waited, has_clock=self.stated_s is not None)


def camera_pictures(web: WebAddress, response: HTTPResponse, rate: float, timeout_s: float) -> Iterator[CameraPicture]:
    """Yield a camera's pictures, without end. response: its first answer, which is closed here.

    rate: at which a camera of single pictures is polled. timeout_s: the time without a picture after which it counts
    as lost. Raises VideoError when it breaks off.
    """
    if pictures_of(response) == "stream":
        with closing(response):
            asked_s = time.monotonic()
            for jpeg in _jpegs(response, web):
                now_s = time.monotonic()
                yield CameraPicture(jpeg, None, now_s, waited=now_s - asked_s >= WAIT_S)
                asked_s = time.monotonic()
    else:
        yield from _single_pictures(web, response, rate, timeout_s)


def _single_pictures(web: WebAddress, first: HTTPResponse, rate: float, timeout_s: float) -> Iterator[CameraPicture]:
    began_s = good_s = time.monotonic()
    response: HTTPResponse | None = first
    tick = 0
    while True:
        jpeg = None
        try:
            with closing(response or web.open()) as answer:
                jpeg = next(_jpegs(answer, web))
        except LoginError:
            raise
        except VideoError:
            if tick == 0 or time.monotonic() - good_s > timeout_s:
                raise
        now_s = time.monotonic()
        good_s = now_s if jpeg is not None else good_s
        yield CameraPicture(jpeg, tick / rate, now_s)
        response = None
        tick = max(tick + 1, math.floor((time.monotonic() - began_s) * rate))  # what it was too slow for is left out
        time.sleep(max(0.0, began_s + tick / rate - time.monotonic()))


def _jpegs(response: HTTPResponse, web: WebAddress) -> Iterator[bytes | None]:
    """Yield the pictures in an answer, regardless of boundaries, which many cameras omit or get wrong."""
    splitter, received_bytes, found = JpegSplitter(), 0, False
    while True:
        try:
            data = response.read1(PART_BYTES)
            fault = "its end"
        except (OSError, HTTPException, ValueError) as error:
            data, fault = b"", web_fault(error)
        if not data:
            break
        received_bytes += len(data)
        for jpeg in splitter.feed(data):
            found = True
            yield jpeg
        if splitter.waiting_bytes > MAX_BYTES or (not found and received_bytes > MAX_BYTES):
            break
    where = str(web.address)
    if data or (not found and fault == "its end"):
        stated = response.headers.get("Content-Type", "nothing")
        raise VideoError(f"it sends no JPEG picture ({stated})", where, "Set the camera to motion JPEG")
    raise VideoError(f"the stream ended ({fault})", where)


class JpegSplitter:
    """Finds JPEG pictures in bytes that come bit by bit, by their own markers."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._position = 0  # up to which a picture was followed
        self._part = 0  # where its last part begins
        self._begun = self._in_scan = False

    @property
    def waiting_bytes(self) -> int:
        """The number of bytes received of an incomplete picture."""
        return len(self._waiting)

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """Yield the pictures that are whole with these bytes, None for one that broke off before its end."""
        self._waiting += data
        while self._begun or self._begin():
            is_whole = self._follow()
            if is_whole is None:
                return
            yield bytes(self._waiting[: self._position]) if is_whole else None
            del self._waiting[: self._position]
            self._begun = False

    def _begin(self) -> bool:
        start = self._waiting.find(_START)
        if start < 0:
            del self._waiting[: max(0, len(self._waiting) - len(_START) + 1)]
            return False
        del self._waiting[:start]
        self._position = self._part = 2
        self._begun, self._in_scan = True, False
        return True

    def _follow(self) -> bool | None:
        """Continue through a picture's parts; return True if it is complete, False if it is cut short, None if more
        must come.
        """
        data = self._waiting
        while True:
            if self._in_scan:
                marker = _NEXT_MARKER.search(data, self._position)
                if marker is None:
                    self._position = max(self._position, len(data) - 1)  # it may end in half a marker
                    return None
                self._position, self._in_scan = marker.start(), False
                del marker  # it holds the bytes
            head = data[self._position : self._position + 4]
            if len(head) < 2:
                return None
            if head[0] != 0xFF:  # the part before broke off, and the next picture may have begun in it
                self._position = self._part
                return False
            if head[1] == 0xD8:
                return False
            if head[1] == 0xD9:
                self._position += 2
                return True
            if head[1] == 0xFF:
                self._position += 1
                continue
            if len(head) < 4:
                return None
            end = self._position + 2 + int.from_bytes(head[2:])
            if len(data) < end:
                return None
            self._part, self._position, self._in_scan = self._position, end, head[1] == 0xDA


class JpegDecoder:
    """Decodes a camera's JPEG pictures as FFmpeg decodes those of a file."""

    def __init__(self) -> None:
        self._codec = VideoCodecContext.create("mjpeg", "r")
        self._codec.options = {"max_pixels": str(MAX_PIXELS)}

    def decode(self, jpeg: bytes | None) -> VideoFrame | None:
        """Return the picture; None for one that cannot be decoded."""
        if jpeg is None:
            return None
        try:
            pictures = self._codec.decode(av.Packet(jpeg))
        except (av.FFmpegError, OSError):
            return None
        return next((picture for picture in pictures if not picture.is_corrupt), None)
