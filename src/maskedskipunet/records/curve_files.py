"""Score curves on disk: for each camera and day, fixed-size entries that sum up a second, a minute, a quarter hour."""

import os
import re
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import reduce
from hashlib import sha256
from operator import xor
from pathlib import Path
from struct import error as StructError  # a class, by a name of its own
from struct import unpack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.errors import RecordsError
from maskedskipunet.files import atomic_write, disk_full_as_error, lock_file
from maskedskipunet.records.folder import day_of

SPANS_S = (1, 60, 900)  # seconds that an entry of each level sums up
DAY_S = 86400
ENTRY = np.dtype(
    [
        ("start", "<u4"),  # seconds since 1970
        ("frames", "<u2"),  # with a score; 65535 stands for that many or more
        ("check", "<u2"),  # the sixteen-bit words of an entry give CHECK when they are combined by exclusive or
        ("lowest", "<f4"),
        ("mean", "<f4"),
        ("highest", "<f4"),
        ("threshold", "<f4"),  # that held last; NaN where there is none
    ]
)
FEW = 2000  # entries of a file that are read as fast as some of them are found
CHECK = 0x5A5A  # so that zeros, as a lost power supply leaves them, are no entry
MAX_FRAMES = 0xFFFF
LATEST_UNIX_S = 0xFFFFFFFF - DAY_S
Entries = NDArray[Any]  # (N,), of the type ENTRY

_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_NAME = re.compile(r"(\d{4}-\d\d-\d\d)\.(\d+)s")


def folder_name(camera: str) -> str:
    """Return the name of a camera's folder and pictures: its own where every file system can take it, else one like it.

    >>> folder_name("door"), folder_name("rtsp://10.0.0.5/live")
    ('door', 'rtsp_10_0_0_5_live-05b1008a')
    """
    if _PLAIN.fullmatch(camera):
        return camera
    readable = re.sub(r"[^a-z0-9]+", "_", camera.lower()).strip("_")[:50]
    return f"{readable or 'camera'}-{sha256(camera.encode()).hexdigest()[:8]}"


def entries_of(starts: Any, scores: Any, thresholds: Any = np.nan) -> Entries:
    """Return an entry for each score, all (N,). starts: seconds since 1970; thresholds: NaN where there is none."""
    made = np.zeros(len(starts), ENTRY)
    made["start"], made["frames"], made["threshold"] = starts, 1, thresholds
    made["lowest"] = made["mean"] = made["highest"] = scores
    return made


def reduced(entries: Entries, span_s: int) -> Entries:
    """Return entries that sum up others by spans of this many seconds since 1970, in the order of time.

    Of thresholds, the last of each span holds.
    """
    if not len(entries):
        return entries
    starts = entries["start"] // np.uint32(span_s) * np.uint32(span_s)
    if (starts[1:] < starts[:-1]).any():
        order = np.argsort(starts, kind="stable")
        starts, entries = starts[order], entries[order]
    first = np.flatnonzero(np.r_[True, starts[1:] != starts[:-1]])
    last = np.r_[first[1:], len(entries)] - 1
    frames = entries["frames"].astype(np.float64)
    summed = np.add.reduceat(frames, first)
    made = np.zeros(len(first), ENTRY)
    made["start"], made["frames"] = starts[first], np.minimum(summed, MAX_FRAMES)
    made["mean"] = np.add.reduceat(entries["mean"] * frames, first) / summed
    made["lowest"] = np.minimum.reduceat(entries["lowest"], first)
    made["highest"] = np.maximum.reduceat(entries["highest"], first)
    made["threshold"] = entries["threshold"][last]
    return made


class CurveFiles:
    """The files of one camera's score curve, `DAY.1s`, `DAY.60s` and `DAY.900s` for each day in UTC.

    Entries are appended, in the order of time; whoever is killed meanwhile leaves at most half of the last one, which
    is not read. root: the folder of all curves. camera: its name.
    """

    def __init__(self, root: Path, camera: str) -> None:
        self.folder = root / folder_name(camera)

    def path(self, day: str, span_s: int) -> Path:
        return self.folder / f"{day}.{span_s}s"

    def days(self) -> list[str]:
        """Return the days that there are entries of, in order."""
        try:
            names = os.listdir(self.folder)  # noqa: PTH208  # twice as fast, and asked for at each look at a curve
        except OSError:
            return []
        found = (_NAME.fullmatch(name) for name in names)
        return sorted({match[1] for match in found if match is not None and match[2] == str(SPANS_S[0])})

    def load(self, day: str, span_s: int, start_unix_s: float = 0.0, end_unix_s: float = float("inf")) -> Entries:
        """Return the sound entries of a day that begin from a time on and before another; none without a file."""
        entries = self._raw(day, span_s, start_unix_s, end_unix_s)
        is_wanted = (entries["start"] >= start_unix_s) & (entries["start"] < end_unix_s)
        return entries[is_wanted & _is_sound(entries)]

    def damaged(self, day: str, span_s: int) -> int:
        """Return how many entries of a file are damaged; they are never read."""
        with self.locked():
            return int((~_is_sound(self._raw(day, span_s))).sum())

    def append(self, span_s: int, entries: Entries) -> None:
        """Add entries at the end of their days' files.

        Raises DiskSpaceError, RecordsError or OSError; of the day that could not be written none is there then.
        """
        with self.locked():
            for day, of_day in by_day(entries):
                path = self.path(day, span_s)
                if self._is_later(path, of_day):
                    self._append(path, _sealed(of_day).tobytes())
                else:  # the clock was set back
                    self.replace(day, span_s, reduced(np.concatenate([self.load(day, span_s), of_day]), span_s))

    def replace(self, day: str, span_s: int, entries: Entries) -> None:
        """Write all entries of a day anew; no file is left where there are none. Raises DiskSpaceError or OSError."""
        path = self.path(day, span_s)
        if not len(entries):
            path.unlink(missing_ok=True)
            return
        with atomic_write(path) as part:
            part.write_bytes(_sealed(entries).tobytes())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the camera's files for this block and make their folder. Blocks must not be nested."""
        try:
            with disk_full_as_error(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
                lock = (self.folder / ".lock").open("a")
        except OSError as error:
            fault = f"cannot write score curves ({error.strerror})"
            raise RecordsError(fault, str(self.folder), "Check the right to write there") from error
        with lock:
            lock_file(lock, wait=True)
            yield

    def _raw(self, day: str, span_s: int, start_unix_s: float = 0.0, end_unix_s: float = float("inf")) -> Entries:
        """Return the entries of a day from a time until another, and perhaps others."""
        try:
            with self.path(day, span_s).open("rb", buffering=0) as file:
                count = os.fstat(file.fileno()).st_size // ENTRY.itemsize
                first, last = 0, count
                if count > FEW and (start_unix_s > 0 or end_unix_s < float("inf")):
                    first, last = _bounds(file.fileno(), count, start_unix_s, end_unix_s)
                content = os.pread(file.fileno(), (last - first) * ENTRY.itemsize, first * ENTRY.itemsize)
        except OSError:
            return np.zeros(0, ENTRY)
        return np.frombuffer(content, ENTRY, len(content) // ENTRY.itemsize)

    def _is_later(self, path: Path, entries: Entries) -> bool:
        """Return whether entries are in order, and none lies before the last sound one of a file."""
        try:
            with path.open("rb", buffering=0) as file:
                count = os.fstat(file.fileno()).st_size // ENTRY.itemsize
                before = max(0, count - 2)
                tail = np.frombuffer(os.pread(file.fileno(), 2 * ENTRY.itemsize, before * ENTRY.itemsize), "u1")
        except OSError:
            tail = np.zeros(0, "u1")
        known = tail[: len(tail) // ENTRY.itemsize * ENTRY.itemsize].view(ENTRY)
        starts = np.r_[known[_is_sound(known)]["start"], entries["start"]]
        return bool((starts[1:] >= starts[:-1]).all())

    def _append(self, path: Path, content: bytes) -> None:
        with disk_full_as_error(path), path.open("ab", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            whole = size - size % ENTRY.itemsize  # a killed process may have left half an entry
            if whole != size:
                file.truncate(whole)
            try:
                written = 0
                while written < len(content):
                    written += file.write(content[written:])
            except OSError:
                file.truncate(whole)
                raise


class _DamagedError(Exception):
    """An entry that was looked at to find others tells nothing."""


def _bounds(descriptor: int, count: int, start_unix_s: float, end_unix_s: float) -> tuple[int, int]:
    """Return the numbers of the first entry from a time on and of the first from another on, among entries in order."""

    def start_of(number: int) -> int:
        words = unpack("<12H", os.pread(descriptor, ENTRY.itemsize, number * ENTRY.itemsize))
        if reduce(xor, words) != CHECK:
            raise _DamagedError
        return int(words[0] + (words[1] << 16))

    try:
        first = bisect_left(range(count), start_unix_s, key=start_of)
        return first, bisect_left(range(count), end_unix_s, first, key=start_of)
    except (_DamagedError, StructError):
        return 0, count


def by_day(entries: Entries) -> Iterator[tuple[str, Entries]]:
    """Yield the days, in UTC, of which there are entries, with those of each."""
    numbers = entries["start"] // np.uint32(DAY_S)
    for number in np.unique(numbers).tolist():
        yield day_of(number * DAY_S), entries[numbers == number]


def days_between(days: list[str], start_unix_s: float, end_unix_s: float) -> list[str]:
    """Return those of the days, in UTC, in which some of a time lies."""
    first, last = day_of(start_unix_s), day_of(end_unix_s)
    return [day for day in days if first <= day <= last]


def end_of(day: str) -> float:
    """Return when a day in UTC ends, in seconds since 1970."""
    return (datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)).timestamp()


def _sealed(entries: Entries) -> Entries:
    sealed = np.array(entries, ENTRY)
    sealed["check"] = 0
    sealed["check"] = _combined(sealed) ^ CHECK
    return sealed


def _is_sound(entries: Entries) -> NDArray[np.bool_]:
    return np.asarray((_combined(entries) == CHECK) & (entries["frames"] > 0))


def _combined(entries: Entries) -> NDArray[np.uint16]:
    words = np.ascontiguousarray(entries).view("<u2").reshape(len(entries), ENTRY.itemsize // 2)
    combined = words[:, 0].copy()
    for column in range(1, words.shape[1]):
        combined ^= words[:, column]
    return np.asarray(combined)
