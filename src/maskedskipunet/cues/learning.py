"""One pass over normal footage: what moves where, what it looks like, and how rare departures from it are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray

from maskedskipunet.cues.appearance import Descriptor, new_memory
from maskedskipunet.cues.appearance_cue import AppearanceCue, Judge, LastingMeter, mean_of_strangest
from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.memory import noise_radius
from maskedskipunet.cues.movement import NormalMovement, run_speeds
from maskedskipunet.cues.movement_cue import MovementCue
from maskedskipunet.cues.tails import Tails
from maskedskipunet.data.ignoring import painted
from maskedskipunet.detection.reading import APPEARANCE, MOVEMENT, Moment
from maskedskipunet.errors import CalibrationError
from maskedskipunet.progress import Advance

Floats = NDArray[np.float32]

MOST_MOVEMENT = 20_000  # frames whose flow is looked at; of longer footage bursts spread evenly
BURST = 64  # neighbouring frames of one burst
MOST_MOMENTS = 100_000  # frames that the memory looks at; of longer footage every n-th
SAMPLE = 2_000  # frames that the components are found from
TOGETHER = 512  # frames described at once
TAIL_PART = 4  # every n-th part of the training footage tells how rare departures are
PARTS = 8  # that a video is cut into where there are few videos


@dataclass(frozen=True)
class NormalVideo:
    """Frames of normal footage in a row.

    frames: uint8 (N, C, H, W). time_s: (N,). good: (N,), False for bad frames. ignored: (H, W), where nothing is looked
    at; None for nowhere.
    """

    name: str
    frames: NDArray[np.uint8]
    time_s: NDArray[np.float64]
    good: NDArray[np.bool_]
    ignored: NDArray[np.bool_] | None = None

    def pixels(self, wanted: slice | NDArray[np.int64] = slice(None)) -> NDArray[np.uint8]:
        """Some of its frames as cues see them, grey where they are ignored."""
        found = np.asarray(self.frames[wanted])
        return found if self.ignored is None else painted(found, self.ignored)

    def part(self, wanted: slice) -> "NormalVideo":
        """Some of its frames."""
        return replace(self, frames=self.frames[wanted], time_s=self.time_s[wanted], good=self.good[wanted])

    def runs(self) -> Iterator["NormalVideo"]:
        """Unbroken runs of good frames."""
        edges = np.flatnonzero(np.diff(np.concatenate([[False], self.good, [False]]).astype(np.int8)))
        for first, end in edges.reshape(-1, 2):
            yield self.part(slice(int(first), int(end)))


def learn_cues(
    training: Sequence[NormalVideo],
    held_back: Sequence[NormalVideo],
    grid: PlaceGrid,
    names: Sequence[str],
    advance: Advance,
) -> CueModel:
    """Learn the cues that are named from normal footage; the network's own tails are added by `with_reconstruction`.

    held_back: normal footage that tells how rare departures are; where there is none, a quarter of the training
    footage does and is learned afterwards. advance: called with 1 for each frame that is looked at.
    Raises CalibrationError where the footage is too short.
    """
    learned, tails = (training, held_back) if held_back else split_for_tails(training)
    if not any(video.good.any() for video in learned) or not any(video.good.any() for video in tails):
        raise CalibrationError("too little footage to learn what is normal", "training", "Use a minute or more")
    movement = appearance = None
    if MOVEMENT in names:
        movement = _learn_movement(learned, tails, grid, advance)
    if APPEARANCE in names:
        appearance = _learn_appearance(learned, tails, grid, advance)
        if not held_back:
            remember(appearance, tails, advance)
    return CueModel(grid, None, movement, appearance)


def with_reconstruction(model: CueModel, scores: Floats) -> CueModel:
    """The model with its network's cue, by the network's scores of normal frames that it was not trained on, (N,)."""
    return replace(model, reconstruction=Tails.fit(scores[~np.isnan(scores)].astype(np.float32)[:, None]))


def split_for_tails(videos: Sequence[NormalVideo]) -> tuple[list[NormalVideo], list[NormalVideo]]:
    """Every fourth part of normal footage, and the rest: (rest, fourths).

    A part is a video; where there are few, an eighth of one.
    """
    parts = list(videos)
    if len(videos) < PARTS:
        parts = [
            video.part(slice(first, first + step))
            for video in videos
            for step in [max(1, ceil(len(video.frames) / PARTS))]
            for first in range(0, len(video.frames), step)
        ]
    every = range(len(parts))
    return (
        [parts[number] for number in every if number % TAIL_PART != TAIL_PART - 1],
        [parts[number] for number in every if number % TAIL_PART == TAIL_PART - 1],
    )


def _learn_movement(
    learned: Sequence[NormalVideo], tails: Sequence[NormalVideo], grid: PlaceGrid, advance: Advance
) -> MovementCue | None:
    speeds = _speeds(learned, grid, advance)
    if not len(speeds):
        return None
    normal = NormalMovement.fit(speeds, grid)
    held = _speeds(tails, grid, advance)
    highest = normal.surprise(held if len(held) else speeds).max(axis=1)
    return MovementCue(normal, Tails.fit(highest[:, None]))


def _speeds(videos: Sequence[NormalVideo], grid: PlaceGrid, advance: Advance) -> Floats:
    """Speeds of frames spread over footage, (N, directions, P)."""
    count = sum(len(video.frames) for video in videos)
    every = max(1, ceil(count / MOST_MOVEMENT))
    found = []
    for video in videos:
        for run in video.runs():
            for first in range(0, len(run.frames), BURST * every):
                burst = run.pixels(slice(first, first + BURST) if every > 1 else slice(None))
                found += [speeds.astype(np.float16) for speeds in run_speeds(burst, grid)]
                advance(len(burst))
                if every == 1:
                    break
    return np.stack(found).astype(np.float32) if found else np.empty((0, 0, grid.count), np.float32)


def _learn_appearance(
    learned: Sequence[NormalVideo], tails: Sequence[NormalVideo], grid: PlaceGrid, advance: Advance
) -> AppearanceCue:
    descriptor = Descriptor.fit(_sample(learned), grid)
    memory = new_memory(descriptor, noise_radius(descriptor(_neighbours(learned))))
    empty = Judge(*[Tails.fit(np.zeros((1, count), np.float32)) for count in (grid.count, 1)])
    cue = AppearanceCue(descriptor, memory, empty, None, [])
    remember(cue, learned, advance)
    now, lasting = measure(cue, tails, advance)
    return replace(cue, now=_judge(now), lasting=_judge(lasting) if len(lasting) >= 2 else None)


def remember(cue: AppearanceCue, videos: Sequence[NormalVideo], advance: Advance) -> None:
    """Take normal footage into the cue's memory."""
    assert isinstance(cue.moments, list)
    every = max(1, ceil(sum(len(video.frames) for video in videos) / MOST_MOMENTS))
    for video in videos:
        wanted = np.flatnonzero(video.good)[::every]
        for first in range(0, len(wanted), TOGETHER):
            some = wanted[first : first + TOGETHER]
            numbers = torch.arange(len(some)) + len(cue.moments)
            cue.memory.add(cue.descriptor(video.pixels(some)), numbers)
            cue.moments.extend(Moment(video.name, float(time_s)) for time_s in video.time_s[some])
            advance(len(some) * every)


def measure(cue: AppearanceCue, videos: Sequence[NormalVideo], advance: Advance) -> tuple[Floats, Floats]:
    """Distances of normal frames that are not in the memory, and their medians over a minute: (N, P), (M, P)."""
    now, lasting = [], []
    for video in videos:
        for run in video.runs():
            meter = LastingMeter()
            for first in range(0, len(run.frames), TOGETHER):
                some = run.part(slice(first, first + TOGETHER))
                distances = cue.memory.nearest(cue.descriptor(some.pixels()))[0].T.numpy()
                medians = [meter.add(*looked) for looked in zip(some.time_s.tolist(), distances, strict=True)]
                now.append(distances.astype(np.float16))
                lasting += [median.astype(np.float16) for median in medians if median is not None]
                advance(len(some.frames))
    places = cue.descriptor.grid.count
    return (
        np.concatenate([np.empty((0, places), np.float16), *now]).astype(np.float32),
        np.stack(lasting).astype(np.float32) if lasting else np.empty((0, places), np.float32),
    )


def _judge(distances: Floats) -> Judge:
    places = Tails.fit(distances)
    return Judge(places, Tails.fit(mean_of_strangest(places.surprise(distances))[:, None]))


def _sample(videos: Sequence[NormalVideo]) -> NDArray[np.uint8]:
    """Good frames spread evenly over footage."""
    every = max(1, sum(int(video.good.sum()) for video in videos) // SAMPLE)
    return np.concatenate([video.pixels(np.flatnonzero(video.good)[::every]) for video in videos])


def _neighbours(videos: Sequence[NormalVideo], together: int = 32) -> NDArray[np.uint8]:
    """A few frames in a row from the middle of each of some videos."""
    some = videos[:: max(1, len(videos) // 16)]
    parts = [video.pixels(slice(len(video.frames) // 2, len(video.frames) // 2 + together)) for video in some]
    return np.concatenate(parts)
