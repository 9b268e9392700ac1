"""Scores smoothed over time, each video by itself.

A video's scored frames are one sequence; frames without a score take no part in it and get none, so that the frames
beside a gap count as neighbours. Centred filters look ahead, which no live system can; causal ones do not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.errors import ConfigError
from maskedskipunet.evaluation.frames import LabelledScores

Floats = NDArray[np.float64]
_REACH = 4.0  # how many sigmas from its centre a Gaussian is cut off, as scipy does


@dataclass(frozen=True)
class Smoothing:
    """The widths of the filters. sigma_frames: of the Gaussian, above 0. window_frames: of the median, odd."""

    sigma_frames: float = 5.0
    window_frames: int = 17

    def __post_init__(self) -> None:
        if not 0 < self.sigma_frames < 10_000:
            raise ConfigError(f"{self.sigma_frames:g} frames", "sigma", "Use more than 0, such as 5")
        if self.window_frames < 1 or self.window_frames % 2 == 0:
            raise ConfigError(f"a window of {self.window_frames} frames", "window", "Use an odd number, such as 17")


def gaussian(scores: Floats, sigma_frames: float) -> Floats:
    """Smooth by a centred Gaussian, the sequence mirrored at its ends, like scipy's gaussian_filter1d by default."""
    from scipy.ndimage import gaussian_filter1d

    smooth: Floats = gaussian_filter1d(scores, sigma_frames, truncate=_REACH)
    return smooth


def causal_gaussian(scores: Floats, sigma_frames: float) -> Floats:
    """Smooth by the past half of a Gaussian, the present frame included; its weights sum to 1 at each frame."""
    weights = np.exp(-0.5 * (np.arange(int(_REACH * sigma_frames + 0.5) + 1) / sigma_frames) ** 2)
    weights = weights[: len(scores)]
    return _past(scores, weights) / _past(np.ones_like(scores), weights)


def median(scores: Floats, window_frames: int) -> Floats:
    """Smooth by a centred running median, the sequence mirrored at its ends, like scipy's median_filter by default."""
    from scipy.ndimage import median_filter

    smooth: Floats = median_filter(scores, window_frames)
    return smooth


def causal_median(scores: Floats, window_frames: int) -> Floats:
    """Return the median of the last frames, the present one included; of fewer at a video's start."""
    padded = np.concatenate([np.full(window_frames - 1, np.nan), scores])
    windows = np.lib.stride_tricks.sliding_window_view(padded, window_frames)
    smooth: Floats = np.nanmedian(windows, axis=1)
    return smooth


def smoothed(videos: Sequence[LabelledScores], smooth: Callable[[Floats], Floats]) -> list[LabelledScores]:
    """Return the videos with their scores smoothed, none across a border."""
    return [replace(video, scores=_at_scored_frames(video, smooth)) for video in videos]


def scaled(videos: Sequence[LabelledScores]) -> list[LabelledScores]:
    """Return the videos with the scores of each stretched to [0, 1]."""
    return smoothed(videos, min_max)


def min_max(scores: Floats) -> Floats:
    """Scores stretched to [0, 1]; 0 if all are the same.

    >>> min_max(np.array([2.0, 4.0, 3.0])).tolist()
    [0.0, 1.0, 0.5]
    """
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low) if high > low else np.zeros_like(scores)


def _at_scored_frames(video: LabelledScores, smooth: Callable[[Floats], Floats]) -> Floats:
    scores = video.scores.copy()
    if video.scored.any():
        scores[video.scored] = smooth(scores[video.scored])
    return scores


def _past(values: Floats, weights: Floats) -> Floats:
    found: Floats = np.convolve(values, weights)[: len(values)]
    return found
