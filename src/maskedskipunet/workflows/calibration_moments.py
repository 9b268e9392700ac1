"""The highest-scoring moments of normal footage, and their pictures."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from maskedskipunet.data.frames import Frame
from maskedskipunet.data.sources import Source
from maskedskipunet.files import atomic_write
from maskedskipunet.progress import Progress
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.view.film_strip import film_strip
from maskedskipunet.view.heatmap import dimmed, overlay
from maskedskipunet.workflows.calibration_footage import ScoredFootage
from maskedskipunet.workflows.normal_footage import MOMENTS, highest_moments, moment_name, picture_name

PICTURE_WIDTH_PX = 1280


@dataclass(frozen=True)
class Moment:
    """One of the highest scores of normal footage. name: what `exclude` takes. picture: the frame beside its errors."""

    name: str
    video: str
    frame: int
    time_s: float
    score: float
    picture: Path


def draw_moments(
    scored: Sequence[ScoredFootage], scorer: Scorer, folder: Path, drawn: Collection[str], progress: Progress
) -> tuple[Moment, ...]:
    """Draw the highest moments of scored footage into a folder, and remove those of an earlier calibration.

    drawn: pictures that were drawn of the same scores already.
    """
    chosen = highest_moments(scored, MOMENTS)
    planned = {chosen_frame: _moment(scored[chosen_frame[0]], chosen_frame[1], folder) for chosen_frame in chosen}
    if all(str(moment.picture.resolve()) in drawn and moment.picture.is_file() for moment in planned.values()):
        return tuple(planned.values())
    if folder.is_dir():
        for old in folder.glob("*@*-*.png"):
            old.unlink()
    moments: dict[tuple[int, int], Moment] = {}
    with progress.stage("drawing the highest moments", len(chosen), "pictures") as advance:
        for number in sorted({number for number, _ in chosen}):
            video = scored[number]
            indices = sorted(index for other, index in chosen if other == number)
            for index, picture in _pictures(video.source, indices, scorer):
                moments[number, index] = planned[number, index]
                with atomic_write(planned[number, index].picture) as part:
                    Picture.fromarray(picture).save(part, format="PNG")
                advance(1)
    return tuple(moments[chosen_frame] for chosen_frame in chosen if chosen_frame in moments)


def _moment(video: ScoredFootage, index: int, folder: Path) -> Moment:
    time_s = float(video.time_s[index])
    name = moment_name(video.name, time_s)
    path = folder / picture_name(name)
    return Moment(name, video.name, int(video.index[index]), time_s, float(video.scores[index]), path)


def _pictures(source: Source, indices: Sequence[int], scorer: Scorer) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield each place's frame beside its errors: read once more, up to the last of them."""
    half_span = scorer.geometry.half_span
    clips = {index: list[Frame]() for index in indices}
    for position, frame in enumerate(source.frames()):
        for index in indices:
            if abs(position - index) <= half_span:
                clips[index].append(frame)
        if position >= indices[-1] + half_span:
            break
    for index, frames in clips.items():
        for scored in scorer.score(frames, with_maps=True):
            image = next(frame.image for frame in frames if frame.index == scored.index)
            if scored.map is not None and image is not None:
                shown = dimmed(image, scorer.ignored.source_mask(*image.shape[:2]))
                glowing = overlay(shown, scored.map, max(float(scored.map.max()), 1e-6))
                yield index, film_strip([shown, glowing], width_px=PICTURE_WIDTH_PX)
