"""The normal footage of a calibration: which of it counts, and its scores."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.sources import Source
from maskedskipunet.detection.drift import ERRORS, Block, Blocks
from maskedskipunet.errors import CalibrationError, ConfigError, DiskSpaceError, RunError
from maskedskipunet.progress import Advance, Progress
from maskedskipunet.runs import RunFolder
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.workflows.gathering import NamedVideo
from maskedskipunet.workflows.kept_scores import FootageScores, KeptScores, video_key


@dataclass(frozen=True)
class Stretch:
    """A part of a video in seconds, `NAME@START-END`, or all of it, `NAME`."""

    video: str
    start_s: float = float("-inf")
    end_s: float = float("inf")

    def holds(self, video: str, time_s: float) -> bool:
        return self.video == video and self.start_s <= time_s <= self.end_s

    @classmethod
    def read(cls, text: str) -> "Stretch":
        """
        >>> Stretch.read("13@600-630")
        Stretch(video='13', start_s=600.0, end_s=630.0)
        """
        named = re.fullmatch(r"(.+)@([0-9.]+)-([0-9.]+)", text)
        try:
            return cls(named[1], float(named[2]), float(named[3])) if named else cls(text)
        except ValueError as error:
            raise ConfigError(f"{text!r} is no stretch of a video", "exclude", "Use NAME or NAME@START-END") from error


@dataclass(frozen=True)
class ScoredFootage:
    """A normal video with its scores. index, time_s, scores: (N,), one a frame, NaN where a frame has no score."""

    name: str
    source: Source
    index: NDArray[np.int64]
    time_s: NDArray[np.float64]
    scores: NDArray[np.float64]
    blocks: tuple[Block, ...] = ()


def choose_footage(videos: Sequence[NamedVideo], exclude: Sequence[str]) -> tuple[list[NamedVideo], list[Stretch]]:
    """Return the videos that count, and the stretches of videos that do not.

    exclude: names of videos, or NAME@START-END in seconds. Raises ConfigError for a name that no video has,
    CalibrationError where nothing is left.
    """
    names = {video.name for video in videos}
    stretches = [Stretch(text) if text in names else Stretch.read(text) for text in exclude]
    _require_known(stretches, videos)
    kept = [video for video in videos if Stretch(video.name) not in stretches]
    if not kept:
        raise CalibrationError("all footage is excluded", "exclude", "Leave some in")
    return kept, stretches


def _require_known(stretches: Sequence[Stretch], videos: Sequence[NamedVideo]) -> None:
    names = [video.name for video in videos]
    for stretch in stretches:
        if stretch.video not in names:
            known = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
            raise ConfigError(f"there is no video {stretch.video!r} in the footage", "exclude", f"Name one of {known}")


def warn_of_training_footage(folder: Path, videos: Sequence[NamedVideo], progress: Progress) -> None:
    """Frames that were trained on score lower than any to come: a threshold set on them alarms far too often."""
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
    stretches: Sequence[Stretch],
    scorer: Scorer,
    kept: KeptScores,
    progress: Progress,
) -> list[ScoredFootage]:
    """Score videos, but for those whose scores are kept; all are kept then, those too of a calibration that fails."""
    left_out = [[(each.start_s, each.end_s) for each in stretches if each.video == video.name] for video in videos]
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


def keep_scores(scores: KeptScores) -> None:
    """Write scores for a later calibration, where that is possible."""
    with suppress(DiskSpaceError, OSError):  # a saving, no result
        scores.write()


def _score_normal(
    source: Source,
    left_out: Sequence[tuple[float, float]],
    scorer: Scorer,
    advance: Advance,
) -> FootageScores:
    found, blocks, gathering = [], list[Block](), Blocks()
    for frame in scorer.score(source.frames(), with_maps=scorer.drift_measure == ERRORS):
        excluded = any(start_s <= frame.time_s <= end_s for start_s, end_s in left_out)
        score = None if excluded else frame.score
        if block := gathering.add(frame.time_s, score, frame.seen):
            blocks.append(block)
        found.append((frame.index, frame.time_s, np.nan if score is None else score))
        advance(1)
    index, time_s, scores = (np.array(column) for column in zip(*found, strict=True))
    return FootageScores(index, time_s, scores, tuple(blocks))
