"""Keeps the last frames of a camera in bounded memory."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BufferedFrame:
    """A compressed frame in the ring. time_s: seconds since the source's first frame."""

    time_s: float
    jpeg: bytes


class FrameRing:
    """Keeps frames for some seconds within a memory limit; the oldest are dropped first.

    seconds_s: how long frames are kept. max_bytes: the limit of all compressed frames together.
    """

    def __init__(self, *, seconds_s: float, max_bytes: int) -> None:
        self.seconds_s, self.max_bytes = seconds_s, max_bytes
        self.size_bytes = 0
        self._kept: deque[BufferedFrame] = deque()

    def add(self, frame: BufferedFrame) -> None:
        """Keep a frame. If the clock jumps back, all earlier frames are dropped."""
        if self._kept and frame.time_s < self._kept[-1].time_s:
            self._kept.clear()
            self.size_bytes = 0
        self._kept.append(frame)
        self.size_bytes += len(frame.jpeg)
        while self.size_bytes > self.max_bytes or self._kept[0].time_s < frame.time_s - self.seconds_s:
            if len(self._kept) == 1:
                break
            self.size_bytes -= len(self._kept.popleft().jpeg)

    def since(self, time_s: float) -> Iterator[BufferedFrame]:
        """Yield the frames from a time on that are still kept, in order."""
        return (kept for kept in tuple(self._kept) if kept.time_s >= time_s)

    def nearest(self, time_s: float) -> BufferedFrame | None:
        """Return the frame nearest to a time; None if none is kept."""
        return min(self._kept, key=lambda kept: abs(kept.time_s - time_s), default=None)
