"""One pass over normal footage: what moves where, what it looks like, and how rare departures from it are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import PurePosixPath

import numpy as np
import torch
from numpy.typing import NDArray

from maskedskipunet.cues.appearance import Descriptor, new_memory
from maskedskipunet.cues.appearance_cue import LASTING_S, AppearanceCue, Judge, LastingMeter
from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.memory import noise_radius
from maskedskipunet.cues.movement import NormalMovement, Size, run_speeds, square_pixels
from maskedskipunet.cues.movement_cue import MovementCue
from maskedskipunet.cues.tails import Tails, mean_of_strangest
from maskedskipunet.data.ignoring import painted
from maskedskipunet.detection.reading import APPEARANCE, MOVEMENT, RECONSTRUCTION, Moment
from maskedskipunet.errors import CalibrationError
from maskedskipunet.progress import Advance

Floats = NDArray[np.float32]

MOST_MOVEMENT = 20_000  # frames whose flow is looked at; of longer footage bursts spread evenly
BURST = 64  # neighbouring frames of one burst
MOST_MOMENTS = 100_000  # frames that the memory looks at; of longer footage every n-th
SAMPLE = 2_000  # frames that the components are found from
TOGETHER = 512  # frames described at once
FEW_VIDEOS = 4  # fewer are cut into parts, so that both halves of the footage cover all of its time
PARTS = 8  # that a video is cut into then
SHORT_S = 3600.0  # footage in which light hardly changes
LEAST_HALF = 0.3  # of the frames, in the smaller half
FEWEST_LASTING = 60  # minutes that tell how rare it is what lasts for one


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
        """Return some of its frames as cues see them, grey where they are ignored."""
        found = np.asarray(self.frames[wanted])
        return found if self.ignored is None else painted(found, self.ignored)

    def part(self, wanted: slice) -> "NormalVideo":
        """Return some of its frames."""
        return replace(self, frames=self.frames[wanted], time_s=self.time_s[wanted], good=self.good[wanted])

    def runs(self) -> Iterator["NormalVideo"]:
        """Unbroken runs of good frames."""
        edges = np.flatnonzero(np.diff(np.concatenate([[False], self.good, [False]]).astype(np.int8)))
        for first, end in edges.reshape(-1, 2):
            yield self.part(slice(int(first), int(end)))


def learn_cues(
    videos: Sequence[NormalVideo],
    grid: PlaceGrid,
    names: Sequence[str],
    advance: Advance,
    shape: float | None = None,
) -> CueModel:
    """Learn the cues that are named from normal footage; the network's own tails are added by `with_reconstruction`.

    How rare a departure is can only be told by footage that was not learned. So each half of the footage is held
    against what was learned from the other, and then the whole is learned. advance: called with 1 for each frame that
    is looked at, see `looks`. shape: width over height of the source's own picture; None where it is not known.
    Raises CalibrationError where the footage is too short.
    """
    require_footage(videos, names)
    halves = split_in_halves(videos)
    movement = _learn_movement(halves, grid, square_pixels(grid, shape), advance) if MOVEMENT in names else None
    appearance = _learn_appearance(halves, grid, advance) if APPEARANCE in names else None
    return CueModel(grid, None, movement, appearance)


def require_footage(videos: Sequence[NormalVideo], names: Sequence[str]) -> None:
    """Raise CalibrationError where footage is too short to learn the cues that are named from."""
    needed = 2 if MOVEMENT in names else 1  # good frames in a row
    for half in split_in_halves(videos):
        if not any(len(run.frames) >= needed for video in half for run in video.runs()):
            cure = f"Use a minute or more, or --cues {RECONSTRUCTION}"
            raise CalibrationError(f"too little footage to learn {' and '.join(names)}", "training", cure)


def looks(videos: Sequence[NormalVideo], names: Sequence[str]) -> int:
    """Return how many frames `learn_cues` looks at, some of them several times."""
    frames, again = (sum(int(video.good.sum()) for video in some) for some in (videos, split_in_halves(videos)[1]))
    return frames * ((MOVEMENT in names) + 2 * (APPEARANCE in names)) + again * (APPEARANCE in names)


def with_reconstruction(model: CueModel, scores: Floats) -> CueModel:
    """Return the model with its network's cue, by the network's scores of normal frames that it was not trained on,
    (N,).
    """
    return replace(model, reconstruction=Tails.fit(scores[~np.isnan(scores)].astype(np.float32)[:, None]))


def split_in_halves(videos: Sequence[NormalVideo]) -> tuple[list[NormalVideo], list[NormalVideo]]:
    """Return normal footage in two halves: every second folder, video, or eighth of a video.

    Folders are days where there are several. A day that was not learned departs further from what was than an hour of
    the same day does, and that is what new footage will do. Footage shorter than SHORT_S is cut in the middle: its
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
    """Return how many seconds the footage spans, videos one after another."""
    return sum(float(np.ptp(video.time_s)) for video in videos if len(video.time_s))


def _halves_by_folder(videos: Sequence[NormalVideo]) -> tuple[list[NormalVideo], list[NormalVideo]] | None:
    """Every second folder of videos; None where there is one alone, or one half would be much the smaller."""
    folders: dict[str, list[NormalVideo]] = {}
    for video in videos:
        folders.setdefault(str(PurePosixPath(video.name).parent), []).append(video)
    halves = [[video for folder in list(folders.values())[first::2] for video in folder] for first in (0, 1)]
    frames = [sum(len(video.frames) for video in half) for half in halves]
    return (halves[0], halves[1]) if min(frames) > LEAST_HALF * sum(frames) else None


Halves = tuple[list[NormalVideo], list[NormalVideo]]


def _learn_movement(halves: Halves, grid: PlaceGrid, picture_px: Size, advance: Advance) -> MovementCue:
    speeds = [_speeds(half, grid, picture_px, advance) for half in halves]
    learned = [NormalMovement.fit(found, grid) for found in speeds]
    found = [mean_of_strangest(learned[number].measures(of)) for number, of in zip((1, 0), speeds, strict=True)]
    normal = NormalMovement.fit(np.concatenate(speeds), grid, picture_px)
    return MovementCue(normal, Tails.fit(np.concatenate(found)))


def _speeds(videos: Sequence[NormalVideo], grid: PlaceGrid, picture_px: Size, advance: Advance) -> Floats:
    """Return speeds of frames spread over footage, (N, directions, P)."""
    count = sum(len(video.frames) for video in videos)
    every = max(1, ceil(count / MOST_MOVEMENT))
    found = []
    for video in videos:
        for run in video.runs():
            for first in range(0, len(run.frames), BURST * every if every > 1 else len(run.frames)):
                end = min(len(run.frames), first + BURST * every) if every > 1 else len(run.frames)
                burst = range(first, end if every == 1 else min(end, first + BURST))
                pixels = (run.pixels(slice(number, number + 1))[0] for number in burst)
                measured = run_speeds(pixels, grid, picture_px)
                found += [grid.without(run.ignored, speeds).astype(np.float16) for speeds in measured]
                advance(end - first)
    return np.stack(found).astype(np.float32)


def _learn_appearance(halves: Halves, grid: PlaceGrid, advance: Advance) -> AppearanceCue:
    videos = [video for half in halves for video in half]
    descriptor = Descriptor.fit(_sample(videos), grid)
    radius = noise_radius(descriptor(_neighbours(videos)))
    empty = Judge(*[Tails.fit(np.zeros((1, count), np.float32)) for count in (grid.count, 1)])
    cues = [AppearanceCue(descriptor, new_memory(descriptor, radius), empty, None, []) for _ in halves]
    for cue, half in zip(cues, halves, strict=True):
        remember(cue, half, advance)
    found = [measure(cue, half, advance) for cue, half in zip(cues, reversed(halves), strict=True)]
    now, lasting = (np.concatenate(both) for both in zip(*found, strict=True))
    whole = cues[0]
    remember(whole, halves[1], advance)
    alike = max(1, round(LASTING_S * _rate(videos)))
    is_enough = len(lasting) >= FEWEST_LASTING * alike
    return replace(whole, now=_judge(now), lasting=_judge(lasting, alike) if is_enough else None)


def _rate(videos: Sequence[NormalVideo]) -> float:
    """Frames a second, by the usual step."""
    steps = np.concatenate([np.diff(video.time_s) for video in videos])
    usual = float(np.median(steps)) if len(steps) else 0.0
    return 1 / usual if usual > 0 else 1.0


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
                distances = cue.descriptor.grid.without(some.ignored, distances)
                medians = [meter.add(*looked) for looked in zip(some.time_s.tolist(), distances, strict=True)]
                now.append(distances.astype(np.float16))
                lasting += [median.astype(np.float16) for median in medians if median is not None]
                advance(len(some.frames))
    places = cue.descriptor.grid.count
    return (
        np.concatenate([np.empty((0, places), np.float16), *now]).astype(np.float32),
        np.stack(lasting).astype(np.float32) if lasting else np.empty((0, places), np.float32),
    )


def _judge(distances: Floats, alike: int = 1) -> Judge:
    places = Tails.fit(distances, alike=alike)
    return Judge(places, Tails.fit(mean_of_strangest(places.surprise(distances))[:, None], alike=alike))


def _sample(videos: Sequence[NormalVideo]) -> NDArray[np.uint8]:
    """Good frames spread evenly over footage."""
    every = max(1, sum(int(video.good.sum()) for video in videos) // SAMPLE)
    return np.concatenate([video.pixels(np.flatnonzero(video.good)[::every]) for video in videos])


def _neighbours(videos: Sequence[NormalVideo], together: int = 32) -> NDArray[np.uint8]:
    """Return a few frames in a row from the middle of each of some videos."""
    some = videos[:: max(1, len(videos) // 16)]
    parts = [video.pixels(slice(len(video.frames) // 2, len(video.frames) // 2 + together)) for video in some]
    return np.concatenate(parts)
