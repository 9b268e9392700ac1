"""Reads a file that lies elsewhere by ranges of its bytes: what is needed, in few requests, and again if one is cut."""

import io
import re
import time
from collections import OrderedDict
from collections.abc import Callable

from maskedskipunet.errors import VideoError

FIRST_BYTES = 64 << 10  # of a request at a new position
LARGEST_BYTES = 4 << 20  # of one request
AHEAD = 16  # a request beyond what was asked for reads at most this part of what was read in one go so far
KEPT = 8  # ranges in memory
TRIES = 5
PAUSE_S = 0.5  # before the second try; each further one waits twice as long

Window = tuple[int, int]
Fetch = Callable[[int, int], bytes]
"""Returns the bytes from the first position up to the second, which is not included."""


class RangedFile(io.RawIOBase):
    """A file that is read by ranges. Its memory is bounded: KEPT ranges of LARGEST_BYTES at most.

    fetch: reads a range; any error counts as a cut connection and is tried TRIES times, except FileNotFoundError and
    PermissionError. window: a range that is expected to be read in one go, so that requests in it can be large; None if
    there is none. read_bytes, requests: what was read so far. Raises VideoError if a range cannot be read.
    """

    def __init__(
        self, fetch: Fetch, size: int, where: str, window: Window | None = None, pause_s: float = PAUSE_S
    ) -> None:
        self.size, self.window = size, window
        self.read_bytes = self.requests = 0
        self._fetch, self._where, self._pause_s = fetch, where, pause_s
        self._position = 0
        self._ranges: OrderedDict[int, bytes] = OrderedDict()  # by their first position
        self._end, self._in_one_go = 0, 0  # of the last range, and how much was read without a jump before it

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        end = self.size if size < 0 else min(self._position + size, self.size)
        parts = []
        while self._position < end:
            part = self._known(end)
            parts.append(part)
            self._position += len(part)
        return b"".join(parts)

    def _known(self, end: int) -> bytes:
        """Return bytes from the position on, up to `end` or fewer, and at least one."""
        for first, content in reversed(self._ranges.items()):
            if first <= self._position < first + len(content):
                return content[self._position - first : end - first]
        first = self._position
        content = self._ranged(first, self._range_end(end))
        self._ranges[first] = content
        while len(self._ranges) > KEPT:
            self._ranges.popitem(last=False)
        return content[: end - first]

    def _range_end(self, end: int) -> int:
        """Return where the next range should end, if `end` at least is wanted."""
        if self._position != self._end:
            self._in_one_go = 0
        if self.window is not None and self.window[0] <= self._position < self.window[1]:
            return min(max(end, self.window[1]), self._position + LARGEST_BYTES, self.size)
        ahead = max(FIRST_BYTES, self._in_one_go // AHEAD)
        return min(max(end, self._position + ahead), self._position + LARGEST_BYTES, self.size)

    def _ranged(self, first: int, end: int) -> bytes:
        for number in range(TRIES):
            if number:
                time.sleep(self._pause_s * 2 ** (number - 1))
            self.requests += 1
            try:
                content = self._fetch(first, end)
            except (FileNotFoundError, PermissionError) as error:
                raise VideoError(describe(error), self._where, "Check the address and the right to read it") from error
            except Exception as error:  # noqa: BLE001  # of whichever library reads it
                fault = describe(error)
                continue
            self.read_bytes += len(content)
            if len(content) == end - first:
                self._end, self._in_one_go = end, self._in_one_go + end - first
                return content
            fault = f"{len(content)} of {end - first} bytes came"
        raise VideoError(f"cannot read on ({fault}, {TRIES} times)", self._where, "Check the connection and try again")


def describe(error: BaseException) -> str:
    """Return an error of any library in one short line, without addresses, which may hold a password."""
    lines = re.sub(r"\w+://\S+", "…", str(error)).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]:.200}" if lines else type(error).__name__
