"""Aligns scores with frames: as stated, never guessed and never shifted silently."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.naming import natural_key
from maskedskipunet.errors import ConfigError, DataError
from maskedskipunet.evaluation.readers import Clip, Series

Floats = NDArray[np.float64]
_STATE_LENGTHS = "State the clips' lengths with --clips, for example 180,150"
_STATE_FRAMES = "Give one a frame, or state which frames they belong to with --first-frame and --last-frame"


@dataclass(frozen=True, slots=True)
class FrameAlignment:
    """The frames of a clip that its scores belong to.

    first: the frame of a clip's first score, from 0. last: the frame of its last score; negative numbers count from the
    clip's end, -1 is the last frame. None means not stated: then they are the first and the last frame, except for a
    table that has its own frame numbers.
    """

    first: int | None = None
    last: int | None = None

    def __post_init__(self) -> None:
        if self.first is not None and self.first < 0:
            raise ConfigError(f"{self.first} is before the clip's first frame", "--first-frame", "Use 0 or more")

    def bounds(self, frames: int) -> tuple[int, int]:
        """Return the first frame with a score and the one after the last, for a clip of so many frames."""
        last = -1 if self.last is None else self.last
        return self.first or 0, (frames + last if last < 0 else last) + 1


@dataclass(frozen=True, slots=True)
class AlignedScores:
    """Scores of each clip's frames, float (frames,), NaN for none. matching: how scores were matched to clips."""

    scores: tuple[Floats, ...]
    matching: str


def align_scores(
    series: Series, names: Sequence[str], frames: Sequence[int], alignment: FrameAlignment, *, borders: bool = True
) -> AlignedScores:
    """Align scores with the frames of clips.

    names, frames: of the test clips, in natural order. borders: False if one sequence holds clips whose borders are not
    known. Raises DataError for a clip with too few or too many scores, which says what would fit.
    """
    if not borders and (alignment.bounds(1) != (0, 1) or len(series.clips[0].values) != sum(frames)):
        fault = f"found {len(series.clips[0].values)} scores and {sum(frames)} labels, and clips whose borders are not"
        raise DataError(f"{fault} known", str(series.path), f"{_STATE_LENGTHS}, and --first-frame or --last-frame")
    bounds = [alignment.bounds(count) for count in frames]
    for name, count, (first, end) in zip(names, frames, bounds, strict=True):
        if end > count or first >= end:
            fault = f"frames {first} to {end - 1} are not in it, it has {count}"
            raise DataError(fault, f"clip {name}", "Check --first-frame and --last-frame")
    clips, matching = _matched(series, names, [end - first for first, end in bounds], frames, alignment)
    if any(clip.frames is None for clip in clips):
        _require_counts(series, clips, names, frames, alignment)
    return AlignedScores(
        tuple(
            _numbered(clip, name, count, alignment, series)
            if clip.frames is not None
            else _in_order(clip, count, bound)
            for clip, name, count, bound in zip(clips, names, frames, bounds, strict=True)
        ),
        matching if borders else "one row",
    )


def over_missing_frames(series: Series, names: Sequence[str], has_images: Sequence[NDArray[np.bool_]]) -> Series:
    """Spread scores of images over frames: the result has a score for each frame, NaN for one without an image.

    names: of the test clips. has_images: (frames,) for each clip, False for a frame without an image. Scores of another
    number stay as they are.
    """
    counts = [int(has_image.sum()) for has_image in has_images]
    if all(has_image.all() for has_image in has_images):
        return series
    if series.concatenated:
        values = series.clips[0].values
        if len(values) != sum(counts):
            return series
        parts = np.split(values, np.cumsum(counts)[:-1])
        spread = np.concatenate([_spread(part, has_image) for part, has_image in zip(parts, has_images, strict=True)])
        return replace(series, clips=(replace(series.clips[0], values=spread),))
    clips = list(series.clips)
    order, _ = match([clip.name for clip in clips], names, str(series.path))
    for number, count, has_image in zip(order, counts, has_images, strict=True):
        if clips[number].frames is None and len(clips[number].values) == count:
            clips[number] = replace(clips[number], values=_spread(clips[number].values, has_image))
    return replace(series, clips=tuple(clips))


def _spread(values: Floats, has_image: NDArray[np.bool_]) -> Floats:
    spread = np.full(len(has_image), np.nan)
    spread[has_image] = values
    return spread


def match(found: Sequence[str], names: Sequence[str], where: str) -> tuple[list[int], str]:
    """Return which of the found series belongs to each clip, and how they were matched.

    They are matched by name if the names agree, else both in natural order. Raises DataError if only some names agree,
    or if the numbers differ.
    """
    if set(found) == set(names):
        return [list(found).index(name) for name in names], "matched to clips by name"
    known = set(found) & set(names)
    if known or len(found) != len(names):
        missing = [name for name in names if name not in found]
        strange = [name for name in found if name not in names]
        parts = [f"{len(found)} clips, expected {len(names)}"] if len(found) != len(names) else []
        parts += [f"nothing for clip {missing[0]}"] if known and missing else []
        parts += [f"no clip is named {strange[0]}"] if known and strange else []
        raise DataError(f"found {', '.join(parts)}", where, "Give one for each test clip, under its name")
    return sorted(
        range(len(found)), key=lambda number: natural_key(found[number])
    ), "matched to clips in natural order of names"


def scored_lengths(series: Series, alignment: FrameAlignment) -> dict[str, int] | None:
    """Return the least lengths of clips that their scores imply, in natural order; None if they imply none."""
    last = -1 if alignment.last is None else alignment.last
    if series.concatenated or last >= 0:
        return None
    clips = sorted(series.clips, key=lambda clip: natural_key(clip.name))
    return {
        clip.name: len(clip.values) + (alignment.first or 0) - 1 - last
        if clip.frames is None
        else int(clip.frames[-1]) + 1
        for clip in clips
    }


def clip_lengths(series: Series, total: int, alignment: FrameAlignment) -> dict[str, int]:
    """Return the lengths of clips that their scores imply; all clips together have `total` frames.

    Raises DataError if the scores imply no lengths, or another total.
    """
    last = -1 if alignment.last is None else alignment.last
    where, cure = str(series.path), f"{_STATE_LENGTHS}, or use --data"
    if series.concatenated or last >= 0 or any(clip.frames is not None for clip in series.clips):
        raise DataError("the ground truth does not say where clips begin", where, cure)
    clips = sorted(series.clips, key=lambda clip: natural_key(clip.name))
    lengths = [len(clip.values) + (alignment.first or 0) - 1 - last for clip in clips]
    if sum(lengths) != total:
        found = sum(len(clip.values) for clip in clips)
        more, rest = divmod(total - found, len(clips))
        hint = _would_fit(more) if rest == 0 else None
        raise DataError(
            f"found {found} scores in {len(clips)} clips, expected {total - sum(lengths) + found}", where, hint or cure
        )
    return {clip.name: length for clip, length in zip(clips, lengths, strict=True)}


def _matched(
    series: Series, names: Sequence[str], expected: Sequence[int], frames: Sequence[int], alignment: FrameAlignment
) -> tuple[list[Clip], str]:
    if not series.concatenated:
        order, matching = match([clip.name for clip in series.clips], names, str(series.path))
        return [series.clips[number] for number in order], matching
    values = series.clips[0].values
    if len(values) != sum(expected):
        more, rest = divmod(sum(frames) - len(values), len(frames))
        hint = _would_fit(more, min(frames)) if rest == 0 else None
        clips = "1 clip" if len(frames) == 1 else f"{len(frames)} clips"
        raise DataError(
            f"found {len(values)} scores, expected {sum(expected)} for {clips} of {sum(frames)} frames",
            str(series.path),
            hint or _STATE_FRAMES,
        )
    parts = np.split(values, np.cumsum(expected)[:-1])
    return [Clip(name, part) for name, part in zip(names, parts, strict=True)], "one row, clips in natural order"


def _require_counts(
    series: Series, clips: Sequence[Clip], names: Sequence[str], frames: Sequence[int], alignment: FrameAlignment
) -> None:
    counts = [len(clip.values) for clip in clips]
    for clip, name, count, found in zip(clips, names, frames, counts, strict=True):
        first, end = alignment.bounds(count)
        if clip.frames is None and found != end - first:
            missing = {have - found for have, found in zip(frames, counts, strict=True)}
            hint = _would_fit(missing.pop(), min(frames)) if len(missing) == 1 else None
            named = name if clip.name == name else f"{name} ({clip.name})"
            raise DataError(
                f"found {found} {series.of}, expected {end - first} for frames {first} to {end - 1} of {count}",
                f"{series.path}, clip {named}",
                hint or _STATE_FRAMES,
            )


def _would_fit(missing: int, shortest: int | None = None) -> str | None:
    """Return advice for clips that each have so many more frames than scores; None if there is none."""
    if missing < 0 or (shortest is not None and missing >= shortest):
        return None
    if missing == 0:
        return "All clips would fit without --first-frame and --last-frame"
    choices = f"--first-frame {missing}, --last-frame {-1 - missing}"
    if missing % 2 == 0:
        choices += f", or --first-frame {missing // 2} --last-frame {-1 - missing // 2}"
    frames = "frame" if missing == 1 else "frames"
    return f"All clips would fit with {choices}: know which {frames} the method leaves out"


def _in_order(clip: Clip, frames: int, bound: tuple[int, int]) -> Floats:
    scores = np.full(frames, np.nan)
    scores[slice(*bound)] = clip.values
    return scores


def _numbered(clip: Clip, name: str, frames: int, alignment: FrameAlignment, series: Series) -> Floats:
    """Return scores at a table's own frame numbers, shifted to the stated frames if there are any."""
    assert clip.frames is not None
    has = ~np.isnan(clip.values)
    index, values = clip.frames, clip.values
    where = f"{series.path}, clip {name}"
    if alignment.first is not None or alignment.last is not None:
        index, values = index[has], values[has]
        first, end = alignment.bounds(frames)
        if index.size:
            index = index - index[0] + first if alignment.first is not None else index - index[-1] + end - 1
            if index[0] < 0 or index[-1] >= frames or (alignment.last is not None and index[-1] != end - 1):
                fault = f"its scores would stand at frames {index[0]} to {index[-1]}, stated are {first} to {end - 1}"
                raise DataError(fault, where, "Check --first-frame and --last-frame")
    elif index.size and index[-1] >= frames:
        counts_from_one = index[0] == 1 and index[-1] == frames
        cure = "Frames count from 0: --first-frame 0 would place them" if counts_from_one else "Check which clip it is"
        raise DataError(f"found a score of frame {index[-1]}, the last frame is {frames - 1}", where, cure)
    scores = np.full(frames, np.nan)
    scores[index] = values
    return scores
