"""The index of a video: when each frame is shown, and at which frames decoding can begin."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.footage_files import FootageFile
from maskedskipunet.data.ranged_files import RangedFile
from maskedskipunet.data.video.decoding import PacketIntake, opened, packets_of, stated_rate
from maskedskipunet.data.video.key_frame import KeyFrame
from maskedskipunet.data.video.rates import median_rate
from maskedskipunet.errors import VideoError

SEEKABLE = ("mp4", "matroska")  # their times are those of an index, and never jump
HEADER_BYTES = 16  # of a box, with a long size
MOST_BOXES = 100_000
TO_THE_END = 1 << 62
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"skip", b"free", b"pnot", b"moof", b"sidx", b"styp", b"mfra", b"uuid")


@dataclass(frozen=True)
class VideoIndex:
    """Times and key frames of a video.

    times_s: (N,), seconds since the first frame, in the order shown. keys: where decoding can begin; empty if only at
    the start. start_s: time of the first frame on the file's own clock. ends: (N,), the byte after the packet of each
    frame; 0 if that is not known. frame_rate: frames a second; None if the file leaves it open.
    """

    times_s: NDArray[np.float64]
    keys: tuple[KeyFrame, ...]
    start_s: float
    ends: NDArray[np.int64]
    frame_rate: float | None


class _Entry(NamedTuple):
    time_s: float
    pts: int | None
    is_key: bool
    packet: int
    position: int
    size: int

    @property
    def end(self) -> int:
        return self.position + self.size if self.position else 0


def index_video(file: FootageFile) -> VideoIndex:
    """Return the index of a video. Of MP4 only the headers are read; of other kinds everything, as their packets tell.

    Raises VideoError if the file cannot be opened or holds no frame.
    """
    with (
        file.opened() as stored,
        _headers_only(file, stored) as content,
        opened(file.address, content, parsed=not isinstance(content, _HeaderFile)) as (container, stream),
    ):
        intake = PacketIntake(file.address, container, stream)
        entries = []
        for packet in packets_of(container, stream, file.address):
            before = intake.count
            if (sent := intake.take(packet)) is not None:
                place = packet.pos or 0, packet.size
                entries.append(_Entry(sent.time_s, sent.pts, packet.is_keyframe, before, *place))
        is_seekable = any(name in container.format.name for name in SEEKABLE)
        is_seekable = is_seekable and not intake.shift_s and intake.count == len(entries)
        rate = stated_rate(stream)
    if not entries:
        raise VideoError("the video holds no frame", file.address, "Leave it out")
    return _index(entries, rate, is_seekable=is_seekable)


def _index(entries: list[_Entry], rate: float | None, *, is_seekable: bool) -> VideoIndex:
    times = np.array([entry.time_s for entry in entries])
    order = np.argsort(times, kind="stable")
    shown = times[order]
    keys: list[KeyFrame] = []
    if is_seekable and (np.diff(shown) > 0).all():
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        latest_s = -np.inf
        for entry, index in zip(entries, place.tolist(), strict=True):
            if entry.is_key and entry.pts is not None and entry.time_s > latest_s:
                keys.append(KeyFrame(index, entry.pts, entry.packet, entry.position))
            latest_s = max(latest_s, entry.time_s)
    ends = np.array([entry.end for entry in entries], np.int64)[order]
    start_s = float(shown[0])
    monotone = np.maximum.accumulate(shown) - start_s
    return VideoIndex(monotone, tuple(keys), start_s, ends, median_rate(times, rate))


@contextmanager
def _headers_only(file: FootageFile, content: BinaryIO | None) -> Iterator[BinaryIO | None]:
    """Give the file without the data of its pictures, if its kind has an index that says all about them."""
    if content is None and not file.path.is_file():
        yield None  # for `opened` to refuse
        return
    with file.path.open("rb") if content is None else content as stored:
        boxes = _data_boxes(stored)
        stored.seek(0)
        if boxes is not None and not _has_hidden_pictures(stored):
            yield cast(BinaryIO, _HeaderFile(stored, boxes))
        else:
            yield content


def _has_hidden_pictures(stored: BinaryIO) -> bool:
    """Return whether packets must be looked into to know which are shown: those of VP8."""
    head = stored.read(1 << 16)
    stored.seek(0)
    return b"vp08" in head


def _data_boxes(stored: BinaryIO) -> list[tuple[int, int]] | None:
    """Return where the data boxes of an MP4 file begin and end; None if it is another kind of file."""
    found, position = [], 0
    for _ in range(MOST_BOXES):
        stored.seek(position)
        head = stored.read(HEADER_BYTES)
        if len(head) < 8:
            break
        size, kind = int.from_bytes(head[:4]), head[4:8]
        if position == 0 and kind not in _BOXES:
            return None
        start = 16 if size == 1 else 8
        size = int.from_bytes(head[8:16]) if size == 1 else size
        if size == 0 or size < start:  # the last box goes to the end
            size = TO_THE_END
        if kind == b"mdat":
            found.append((position + start, position + size))
        position += size
    return found


class _HeaderFile(io.RawIOBase):
    """A file whose data boxes read as zeros, without reading them."""

    def __init__(self, stored: BinaryIO, boxes: list[tuple[int, int]]) -> None:
        self._stored, self._boxes = stored, boxes
        stored_size = stored.size if isinstance(stored, RangedFile) else stored.seek(0, io.SEEK_END)
        # Of a file that was cut off, the index still says all that was in it.
        self._size = max(stored_size, *(end for _, end in boxes if end < TO_THE_END), 0)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._position + size, self._size)
        parts = []
        while self._position < end:
            part = self._part(end)
            if not part:
                break
            parts.append(part)
            self._position += len(part)
        return b"".join(parts)

    def _part(self, end: int) -> bytes:
        for first, last in self._boxes:
            if first <= self._position < last:
                return bytes(min(end, last) - self._position)
            if self._position < first:
                end = min(end, first)
                break
        self._stored.seek(self._position)
        return self._stored.read(end - self._position)
