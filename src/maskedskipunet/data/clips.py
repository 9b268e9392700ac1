"""Clips: every window of T neighbouring good frames, as views of stored videos."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.ignoring import painted
from maskedskipunet.data.store import StoredVideo


def clip_starts(good: NDArray[np.bool_], length: int) -> NDArray[np.int64]:
    """Where clips of `length` frames begin that hold no bad frame.

    >>> clip_starts(np.array([True, True, False, True, True, True]), 2).tolist()
    [0, 3, 4]
    """
    if len(good) < length:
        return np.empty(0, np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(good, length)
    return np.flatnonzero(windows.all(axis=1))


@dataclass(frozen=True)
class Clips:
    """All clips of some videos, counted through.

    length: T. videos: whose frames they are. video, start: (N,), each clip's video and first frame.
    """

    length: int
    videos: Sequence[StoredVideo]
    video: NDArray[np.int64]
    start: NDArray[np.int64]

    @classmethod
    def of(cls, videos: Sequence[StoredVideo], length: int) -> "Clips":
        starts = [clip_starts(video.good, length) for video in videos]
        number = [np.full(len(start), at, np.int64) for at, start in enumerate(starts)]
        empty = [np.empty(0, np.int64)]
        return cls(length, videos, np.concatenate(number or empty), np.concatenate(starts or empty))

    def __len__(self) -> int:
        return len(self.start)

    def batch(self, numbers: Sequence[int]) -> NDArray[np.uint8]:
        """The clips of these numbers: uint8 (B, T, C, H, W), grey where they are ignored."""
        return np.stack([self._clip(number) for number in numbers])

    def _clip(self, number: int) -> NDArray[np.uint8]:
        video, start = self.videos[self.video[number]], self.start[number]
        frames = video.frames[start : start + self.length]
        return frames if video.ignored is None else painted(frames, video.ignored)
