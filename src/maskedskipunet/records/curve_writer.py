"""Writing a camera's score curve while its scores come: a second is on the disk soon after it is over."""

from collections import deque
from dataclasses import dataclass
from math import nan

import numpy as np

from maskedskipunet.records.curve_files import (
    ENTRY,
    LATEST_UNIX_S,
    MAX_FRAMES,
    SPANS_S,
    CurveFiles,
    Entries,
    reduced,
)

MAX_WAITING = 86_400  # entries of each level that wait for the disk; the oldest are lost first


@dataclass(slots=True)
class _Span:
    """The scores of a span of time, summed up. total: of the mean scores of all frames."""

    start: int
    frames: int
    lowest: float
    total: float
    highest: float
    threshold: float

    def add(self, later: "_Span") -> None:
        self.frames += later.frames
        self.lowest, self.highest = min(self.lowest, later.lowest), max(self.highest, later.highest)
        self.total += later.total
        self.threshold = later.threshold


class CurveWriter:
    """Sums up the scores of one camera and appends them to its files; not to be used by two threads at once.

    At its start it takes up what an earlier writer, killed perhaps, had not summed up yet. Nothing is written before
    `write` is called, and what cannot be written then waits for the next call.
    Raises DiskSpaceError, RecordsError or OSError where the files cannot be written.
    """

    def __init__(self, files: CurveFiles) -> None:
        self._files = files
        self._running: list[_Span | None] = [None for _ in SPANS_S]
        self._done: list[deque[_Span]] = [deque(maxlen=MAX_WAITING) for _ in SPANS_S]
        self._take_up()

    def add(self, unix_s: float, score: float, threshold: float | None) -> None:
        """Take the score of the next frame. threshold: that holds for it, None where there is none."""
        level = nan if threshold is None else threshold
        self._add(0, _Span(int(min(max(unix_s, 0.0), LATEST_UNIX_S)), 1, score, score, score, level))

    def write(self) -> None:
        """Append what is complete: seconds, and minutes and quarter hours with them."""
        for span_s, done in zip(SPANS_S, self._done, strict=True):
            if waiting := [*done]:
                self._files.append(span_s, _entries(waiting))
                for _ in waiting:
                    done.popleft()

    def close(self) -> None:
        """Write everything, also what is not complete, because no more scores come for now."""
        for level in range(len(SPANS_S)):
            if self._running[level] is not None:
                self._finish(level)
        self.write()

    def _add(self, level: int, part: _Span) -> None:
        start = part.start // SPANS_S[level] * SPANS_S[level]
        running = self._running[level]
        if running is not None and running.start == start:
            running.add(part)
            return
        if running is not None:
            self._finish(level)
        self._running[level] = _Span(start, part.frames, part.lowest, part.total, part.highest, part.threshold)

    def _finish(self, level: int) -> None:
        done = self._running[level]
        assert done is not None
        self._running[level] = None
        self._done[level].append(done)
        if level + 1 < len(SPANS_S):
            self._add(level + 1, done)

    def _take_up(self) -> None:
        """Sum the newest day up again, but for the minute and the quarter hour that may go on."""
        days = self._files.days()
        if not days:
            return
        with self._files.locked():
            finer = self._files.load(days[-1], SPANS_S[0])
            for level, span_s in enumerate(SPANS_S[1:], start=1):
                summed = reduced(finer, span_s)
                finer = summed[:-1]
                if _plain(self._files.load(days[-1], span_s)) != _plain(finer):
                    self._files.replace(days[-1], span_s, finer)
                if len(summed):
                    self._running[level] = _span(summed[-1])


def _entries(spans: list[_Span]) -> Entries:
    made = np.zeros(len(spans), ENTRY)
    for position, span in enumerate(spans):
        mean, frames = span.total / span.frames, min(span.frames, MAX_FRAMES)
        made[position] = (span.start, frames, 0, span.lowest, mean, span.highest, span.threshold)
    return made


def _span(entry: np.void) -> _Span:
    start, frames, _, lowest, mean, highest, threshold = entry.item()
    return _Span(start, frames, lowest, mean * frames, highest, threshold)


def _plain(entries: Entries) -> bytes:
    """Return all that entries say, without their checks."""
    plain = np.array(entries, ENTRY)
    plain["check"] = 0
    return plain.tobytes()
