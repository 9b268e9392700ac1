"""Clips of T good frames with the right spacing, as views of stored videos."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.clip_geometry import ClipGeometry
from maskedskipunet.data.ignoring import painted
from maskedskipunet.data.store import StoredVideo


def clip_starts(good: NDArray[np.bool_], geometry: ClipGeometry) -> NDArray[np.int64]:
    """Return the first frames of all clips that hold no bad frame.

    >>> clip_starts(np.array([True, True, True, False, True, True, True, True]), ClipGeometry(3)).tolist()
    [0, 4, 5]
    >>> clip_starts(np.array([True, True, True, False, True, True, True, True]), ClipGeometry(3, spacing=2)).tolist()
    [0, 2]
    """
    if len(good) < geometry.span:
        return np.empty(0, np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(good, geometry.span)
    return np.flatnonzero(windows[:, :: geometry.spacing].all(axis=1))


@dataclass(frozen=True)
class Clips:
    """The clips of several videos, numbered consecutively.

    geometry: length and spacing of clips. videos: the source of the frames. video, start: (N,), each clip's video and
    first frame.
    """

    geometry: ClipGeometry
    videos: Sequence[StoredVideo]
    video: NDArray[np.int64]
    start: NDArray[np.int64]

    @classmethod
    def of(cls, videos: Sequence[StoredVideo], geometry: ClipGeometry) -> "Clips":
        """Return every clip of the videos, in order."""
        starts = [clip_starts(video.good, geometry) for video in videos]
        number = [np.full(len(start), index, np.int64) for index, start in enumerate(starts)]
        empty = [np.empty(0, np.int64)]
        return cls(geometry, videos, np.concatenate(number or empty), np.concatenate(starts or empty))

    def __len__(self) -> int:
        return len(self.start)

    def batch(self, numbers: Sequence[int]) -> NDArray[np.uint8]:
        """Return the clips with these numbers: uint8 (B, T, C, H, W), ignored pixels grey."""
        return np.stack([self._clip(number) for number in numbers])

    def _clip(self, number: int) -> NDArray[np.uint8]:
        video, start = self.videos[self.video[number]], self.start[number]
        frames = video.frames[start : start + self.geometry.span : self.geometry.spacing]
        return frames if video.ignored is None else painted(frames, video.ignored)
