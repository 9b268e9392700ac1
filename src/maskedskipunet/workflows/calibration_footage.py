"""Selects the normal footage of a calibration, and scores it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.sources import Source
from maskedskipunet.detection.drift import ERRORS, Block, Blocks
from maskedskipunet.detection.reading import CUES
from maskedskipunet.errors import CalibrationError, ConfigError, DiskSpaceError, RunError
from maskedskipunet.progress import Advance, Progress
from maskedskipunet.runs import RunFolder
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.workflows.input_selection import NamedVideo
from maskedskipunet.workflows.normal_footage import TimeRange
from maskedskipunet.workflows.score_cache import FootageScores, ScoreCache, video_key


@dataclass(frozen=True)
class ScoredFootage:
    """A normal video with its scores. index, time_s, scores: (N,), NaN for a frame without a score."""

    name: str
    source: Source
    index: NDArray[np.int64]
    time_s: NDArray[np.float64]
    scores: NDArray[np.float64]
    blocks: tuple[Block, ...] = ()


def choose_footage(videos: Sequence[NamedVideo], exclude: Sequence[str]) -> tuple[list[NamedVideo], list[TimeRange]]:
    """Return the videos that count, and the time ranges that do not.

    exclude: names of videos, or NAME@START-END in seconds. Raises ConfigError for a name that no video has,
    CalibrationError if nothing is left.
    """
    names = {video.name for video in videos}
    time_ranges = [TimeRange(text) if text in names else TimeRange.read(text) for text in exclude]
    _require_known(time_ranges, videos)
    kept = [video for video in videos if TimeRange(video.name) not in time_ranges]
    if not kept:
        raise CalibrationError("all footage is excluded", "exclude", "Leave some in")
    return kept, time_ranges


def _require_known(time_ranges: Sequence[TimeRange], videos: Sequence[NamedVideo]) -> None:
    names = [video.name for video in videos]
    for time_range in time_ranges:
        if time_range.video not in names:
            known = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
            raise ConfigError(
                f"there is no video {time_range.video!r} in the footage", "exclude", f"Name one of {known}"
            )


def warn_of_training_footage(folder: Path, videos: Sequence[NamedVideo], progress: Progress) -> None:
    """Warn of frames that the model was trained on: they score too low, so a threshold set on them alarms too often."""
    try:
        trained_on = RunFolder(folder.parent).read_config().get("data", {}).get("path")
    except (RunError, AttributeError):
        return
    if not trained_on:
        return
    root = Path(trained_on).resolve()
    for part in ("", "normal", "train", "training"):
        known = {child.resolve() for child in (root / part).iterdir()} if (root / part).is_dir() else {root}
        if inside := [video.name for video in videos if video.path.resolve() in known]:
            progress.note(
                f"in the footage that was trained on: {', '.join(inside[:3])}{' …' if inside[3:] else ''}; unless that "
                "was held back, new footage will give more alarms than the budget"
            )
            return


def score_footage(
    videos: Sequence[NamedVideo],
    sources: Sequence[Source],
    time_ranges: Sequence[TimeRange],
    scorer: Scorer,
    kept: ScoreCache,
    progress: Progress,
) -> list[ScoredFootage]:
    """Score videos, except those whose scores are stored, and store all scores, even if the calibration fails."""
    left_out = [
        [(excluded.start_s, excluded.end_s) for excluded in time_ranges if excluded.video == video.name]
        for video in videos
    ]
    keys = [video_key(video.path, spans) for video, spans in zip(videos, left_out, strict=True)]
    new = [number for number, key in enumerate(keys) if key not in kept.videos]
    if len(new) < len(keys):
        progress.note(f"scores of {len(keys) - len(new)} of {len(keys)} videos are kept from an earlier calibration")
    kept.forget_others_of(keys)
    if new:
        kept.drawn = frozenset()
        try:
            with progress.stage("calibrating", sum(sources[number].expected_frames() for number in new)) as advance:
                for number in new:
                    found = _score_normal(sources[number], left_out[number], scorer, advance)
                    kept.videos[keys[number]] = found
        finally:
            keep_scores(kept)
    all_found = [kept.videos[key] for key in keys]
    return [
        ScoredFootage(video.name, source, found.index, found.time_s, found.scores, found.blocks)
        for video, source, found in zip(videos, sources, all_found, strict=True)
    ]


def keep_scores(scores: ScoreCache) -> None:
    """Store scores for a later calibration, if that is possible."""
    with suppress(DiskSpaceError, OSError):  # a saving, no result
        scores.write()


def _score_normal(
    source: Source,
    left_out: Sequence[tuple[float, float]],
    scorer: Scorer,
    advance: Advance,
) -> FootageScores:
    found, blocks, block_builder = [], list[Block](), Blocks()
    cues: list[Mapping[str, float]] = []
    for frame in scorer.score(source.frames(), with_maps=scorer.drift_measure == ERRORS):
        excluded = any(start_s <= frame.time_s <= end_s for start_s, end_s in left_out)
        score = None if excluded else frame.score
        if block := block_builder.add(frame.time_s, score, frame.seen):
            blocks.append(block)
        found.append((frame.index, frame.time_s, np.nan if score is None else score))
        cues.append({} if excluded else frame.cues)
        advance(1)
    index, time_s, scores = (np.array(column) for column in zip(*found, strict=True))
    names = [name for name in CUES if any(name in judged for judged in cues)]
    by_cue = {name: np.array([judged.get(name, np.nan) for judged in cues]) for name in names}
    return FootageScores(index, time_s, scores, tuple(blocks), by_cue)
