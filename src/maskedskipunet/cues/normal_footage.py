"""Normal footage as cues learn from it: videos in memory, and their division into two halves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.ignoring import painted

FEW_VIDEOS = 4  # fewer are cut into parts, so that both halves of the footage cover all of its time
PARTS = 8  # that a video is cut into then
SHORT_S = 3600.0  # footage in which light hardly changes
LEAST_HALF = 0.3  # of the frames, in the smaller half


@dataclass(frozen=True)
class NormalVideo:
    """Consecutive frames of normal footage.

    frames: uint8 (N, C, H, W). time_s: (N,). good: (N,), False for bad frames. ignored: (H, W), True for ignored
    pixels; None if none are.
    """

    name: str
    frames: NDArray[np.uint8]
    time_s: NDArray[np.float64]
    good: NDArray[np.bool_]
    ignored: NDArray[np.bool_] | None = None

    def pixels(self, wanted: slice | NDArray[np.int64] = slice(None)) -> NDArray[np.uint8]:
        """Return some of its frames as cues see them, with ignored pixels grey."""
        found = np.asarray(self.frames[wanted])
        return found if self.ignored is None else painted(found, self.ignored)

    def part(self, wanted: slice) -> "NormalVideo":
        """Return the video of some of its frames."""
        return replace(self, frames=self.frames[wanted], time_s=self.time_s[wanted], good=self.good[wanted])

    def runs(self) -> Iterator["NormalVideo"]:
        """Yield its unbroken runs of good frames."""
        edges = np.flatnonzero(np.diff(np.concatenate([[False], self.good, [False]]).astype(np.int8)))
        for first, end in edges.reshape(-1, 2):
            yield self.part(slice(int(first), int(end)))


Halves = tuple[list[NormalVideo], list[NormalVideo]]
"""Normal footage in two parts: each is compared with what is learned from the other."""


def split_in_halves(videos: Sequence[NormalVideo]) -> Halves:
    """Return normal footage in two halves: every second folder, video, or eighth of a video.

    Folders count as days if there are several. An unknown day differs more from what was learned than another hour of
    the same day does, and new footage will be of an unknown day. Footage shorter than SHORT_S is cut in the middle: its
    neighbouring clips look alike, and hide how light changes from its beginning to its end.
    """
    by_folder = _halves_by_folder(videos)
    if by_folder is not None:
        return by_folder
    parts = list(videos)
    if len(videos) < FEW_VIDEOS:
        parts = [
            video.part(slice(first, first + step))
            for video in videos
            for step in [max(2, ceil(len(video.frames) / PARTS))]
            for first in range(0, len(video.frames), step)
        ]
    if length_s(videos) < SHORT_S:
        so_far = np.cumsum([len(part.frames) for part in parts])
        middle = max(1, int((so_far <= so_far[-1:] / 2).sum()))
        return parts[:middle], parts[middle:]
    return parts[::2], parts[1::2]


def length_s(videos: Sequence[NormalVideo]) -> float:
    """Return the length of the footage in seconds: the sum of all videos."""
    return sum(float(np.ptp(video.time_s)) for video in videos if len(video.time_s))


def count_good(videos: Sequence[NormalVideo]) -> int:
    """Return the number of good frames."""
    return sum(int(video.good.sum()) for video in videos)


def _halves_by_folder(videos: Sequence[NormalVideo]) -> Halves | None:
    """Return every second folder of videos; None if there is only one, or one half would be much smaller."""
    folders: dict[str, list[NormalVideo]] = {}
    for video in videos:
        folders.setdefault(str(PurePosixPath(video.name).parent), []).append(video)
    halves = [[video for folder in list(folders.values())[first::2] for video in folder] for first in (0, 1)]
    frames = [sum(len(video.frames) for video in half) for half in halves]
    return (halves[0], halves[1]) if min(frames) > LEAST_HALF * sum(frames) else None
