"""Learns the appearance of normal footage: what each place looks like, and how rare departures from it are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray

from maskedskipunet.cues.appearance import Descriptor, new_memory
from maskedskipunet.cues.appearance_judging import LASTING_S, Judge, LastingMeter
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.memory import Memory, noise_radius
from maskedskipunet.cues.normal_footage import Halves, NormalVideo, count_good
from maskedskipunet.detection.reading import Moment
from maskedskipunet.progress import Advance

Floats = NDArray[np.float32]

MOST_MOMENTS = 100_000  # frames that the memory looks at; of longer footage every n-th
SAMPLE = 2_000  # frames that the components are found from
TOGETHER = 512  # frames described at once
FEWEST_LASTING = 60  # minutes that tell how rare it is what lasts for one


def every_nth(frames: int) -> int:
    """Return n, if of so many frames only every n-th fits what the memory looks at."""
    return max(1, ceil(frames / MOST_MOMENTS))


@dataclass(frozen=True)
class LearnedAppearance:
    """The appearance of normal footage, as far as it was learned. moments: the video and time of each in the memory."""

    descriptor: Descriptor
    memory: Memory
    moments: list[Moment] = field(default_factory=list)

    def remember(self, videos: Sequence[NormalVideo], advance: Advance) -> None:
        """Add normal footage to the memory."""
        every = every_nth(sum(len(video.frames) for video in videos))
        for video in videos:
            wanted = np.flatnonzero(video.good)[::every]
            for first in range(0, len(wanted), TOGETHER):
                batch = wanted[first : first + TOGETHER]
                self.add_frames(video.name, video.pixels(batch), video.time_s[batch].tolist())
                advance(len(batch) * every)

    def add_frames(self, name: str, pixels: NDArray[np.uint8], time_s: Sequence[float]) -> None:
        """Add frames of a video, uint8 (N, C, H, W), to the memory. time_s: of each, N of them."""
        self.memory.add(self.descriptor(pixels), torch.arange(len(pixels)) + len(self.moments))
        self.moments.extend(Moment(name, moment_s) for moment_s in time_s)

    def measure(self, videos: Sequence[NormalVideo], advance: Advance) -> tuple[Floats, Floats]:
        """Return the distances of normal frames that are not in the memory, and their medians over a minute.

        Returns arrays (N, P) and (M, P).
        """
        now, lasting = [], []
        for video in videos:
            for run in video.runs():
                meter = LastingMeter()
                for first in range(0, len(run.frames), TOGETHER):
                    batch = run.part(slice(first, first + TOGETHER))
                    distances = self.memory.nearest(self.descriptor(batch.pixels()))[0].T.numpy()
                    distances = self.descriptor.grid.without(batch.ignored, distances)
                    medians = [meter.add(*looked) for looked in zip(batch.time_s.tolist(), distances, strict=True)]
                    now.append(distances.astype(np.float16))
                    lasting += [median.astype(np.float16) for median in medians if median is not None]
                    advance(len(batch.frames))
        places = self.descriptor.grid.count
        return (
            np.concatenate([np.empty((0, places), np.float16), *now]).astype(np.float32),
            np.stack(lasting).astype(np.float32) if lasting else np.empty((0, places), np.float32),
        )


def count_looks(halves: Halves) -> int:
    """Return how many frames `learn_appearance` looks at, counting a frame each time."""
    first, second = (count_good(half) for half in halves)
    return 2 * (first + second) + second


def learn_appearance(
    halves: Halves, grid: PlaceGrid, advance: Advance
) -> tuple[LearnedAppearance, Judge, Judge | None]:
    """Learn the appearance of normal footage, and judges of a moment and of a minute.

    The judge of a minute is None if the footage is too short. See `LearnedCue.learn` for the arguments.
    """
    videos = [video for half in halves for video in half]
    descriptor = Descriptor.fit(_sample(videos), grid)
    radius = noise_radius(descriptor(_neighbours(videos)))
    learned = [LearnedAppearance(descriptor, new_memory(descriptor, radius)) for _ in halves]
    for one_half, half in zip(learned, halves, strict=True):
        one_half.remember(half, advance)
    found = [one_half.measure(half, advance) for one_half, half in zip(learned, reversed(halves), strict=True)]
    now, lasting = (np.concatenate(both) for both in zip(*found, strict=True))
    whole = learned[0]
    whole.remember(halves[1], advance)
    alike = max(1, round(LASTING_S * _rate(videos)))
    is_enough = len(lasting) >= FEWEST_LASTING * alike
    return whole, Judge.fit(now), Judge.fit(lasting, alike) if is_enough else None


def _rate(videos: Sequence[NormalVideo]) -> float:
    """Return the frames a second, by the median time between two frames."""
    steps = np.concatenate([np.diff(video.time_s) for video in videos])
    median_s = float(np.median(steps)) if len(steps) else 0.0
    return 1 / median_s if median_s > 0 else 1.0


def _sample(videos: Sequence[NormalVideo]) -> NDArray[np.uint8]:
    """Return good frames spread evenly over footage."""
    every = max(1, count_good(videos) // SAMPLE)
    return np.concatenate([video.pixels(np.flatnonzero(video.good)[::every]) for video in videos])


def _neighbours(videos: Sequence[NormalVideo], together: int = 32) -> NDArray[np.uint8]:
    """Return a few consecutive frames from the middle of each of some videos."""
    spread = videos[:: max(1, len(videos) // 16)]
    parts = [video.pixels(slice(len(video.frames) // 2, len(video.frames) // 2 + together)) for video in spread]
    return np.concatenate(parts)
