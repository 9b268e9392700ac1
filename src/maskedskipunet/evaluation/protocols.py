"""Computes the field's frame-level protocols side by side, each under its own name."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.evaluation.bootstrap import (
    BLOCK_FRAMES,
    CONFIDENCE,
    RESAMPLES,
    Interval,
    blocks,
    figure_intervals,
    mean_interval,
)
from maskedskipunet.evaluation.frames import LabelledScores, frame_metrics, roc_auc, video_auc
from maskedskipunet.evaluation.ranking import (
    Figure,
    Floats,
    Ranking,
    area_under_roc,
    average_precision,
    equal_error_rate,
)
from maskedskipunet.evaluation.smoothing import (
    Smoothing,
    causal_gaussian,
    causal_median,
    gaussian,
    median,
    min_max,
    scaled,
    smoothed,
)

MACRO = ("macro_auc_two_class_videos", "macro_auc_one_class_as_1", "macro_auc_padded")
PER_VIDEO = (
    "micro_auc_min_max",
    "micro_auc_gaussian",
    "micro_auc_gaussian_causal",
    "micro_auc_median",
    "micro_auc_median_causal",
)
RAW: dict[str, Figure] = {
    "micro_auc": area_under_roc,
    "average_precision": average_precision,
    "equal_error_rate": equal_error_rate,
}


def frame_protocols(
    videos: Sequence[LabelledScores],
    smoothing: Smoothing | None = None,
    *,
    borders: bool = True,
    seed: int = 0,
) -> dict[str, Any]:
    """Return what frame_metrics gives and every other protocol, a key each, with 95 % intervals, ready for JSON.

    Scores are raw but where a key says otherwise; only frames with a label and a score count.
    macro_auc_one_class_as_1: a video of one class counts 1. macro_auc_padded: each video is stretched to [0, 1], and
    a normal frame of score 0 and an anomalous one of score 1 are added to it. micro_auc_min_max, _gaussian, _median:
    pooled after each video was stretched or smoothed. intervals: by_videos and by_blocks, a pair a key.
    borders: False if one sequence stands for all videos; what needs their borders is then None.
    seed: of the draws.
    """
    smoothing = smoothing or Smoothing()
    labelled = [video for video in videos if video.labels is not None and video.scored.any()]
    figures: dict[str, Any] = frame_metrics(videos)
    by_videos: dict[str, Interval | None] = {}
    by_blocks: dict[str, Interval | None] = {}

    def add(protocols: dict[str, Figure], group: Sequence[LabelledScores]) -> None:
        labels, scores, video, frame = _pooled(group)
        ranking = Ranking(labels, scores)
        figures.update({key: ranking.figure(figure) for key, figure in protocols.items()})
        selected = list(protocols.values())
        if borders:
            by_videos.update(zip(protocols, figure_intervals(ranking, selected, video, seed), strict=True))
        by_blocks.update(zip(protocols, figure_intervals(ranking, selected, blocks(video, frame), seed), strict=True))

    add(RAW, labelled)
    if borders:
        for key, values in _macro_readings(labelled).items():
            figures[key] = _mean(values)
            by_videos[key] = mean_interval(values, seed)
        for key, group in zip(PER_VIDEO, _per_video(labelled, smoothing), strict=True):
            add({key: area_under_roc}, group)
    else:
        figures |= dict.fromkeys((*MACRO, *PER_VIDEO, "videos", "videos_with_labels", "one_class_videos", "video_auc"))
    figures["smoothing"] = {"sigma_frames": smoothing.sigma_frames, "window_frames": smoothing.window_frames}
    figures["intervals"] = {
        "confidence": CONFIDENCE,
        "resamples": RESAMPLES,
        "block_frames": BLOCK_FRAMES,
        "seed": seed,
        "by_videos": by_videos,
        "by_blocks": by_blocks,
    }
    return figures


def padded_auc(video: LabelledScores) -> float:
    """Return AUC of a video stretched to [0, 1] and given a normal frame of score 0 and an anomalous one of score 1."""
    assert video.labels is not None
    labels = np.concatenate([video.labels[video.scored], np.array([0, 1], np.uint8)])
    auc = roc_auc(labels, np.concatenate([min_max(video.scores[video.scored]), [0.0, 1.0]]))
    assert auc is not None  # both classes are there now
    return auc


def _macro_readings(videos: Sequence[LabelledScores]) -> dict[str, Floats]:
    """Return the AUC of each video by each reading, NaN if a reading leaves the video out."""
    own = np.array([np.nan if (auc := video_auc(video)) is None else auc for video in videos])
    padded = np.array([padded_auc(video) for video in videos])
    return dict(zip(MACRO, (own, np.where(np.isnan(own), 1.0, own), padded), strict=True))


def _per_video(videos: Sequence[LabelledScores], smoothing: Smoothing) -> list[list[LabelledScores]]:
    sigma, window = smoothing.sigma_frames, smoothing.window_frames
    return [
        scaled(videos),
        smoothed(videos, lambda scores: gaussian(scores, sigma)),
        smoothed(videos, lambda scores: causal_gaussian(scores, sigma)),
        smoothed(videos, lambda scores: median(scores, window)),
        smoothed(videos, lambda scores: causal_median(scores, window)),
    ]


def _pooled(
    videos: Sequence[LabelledScores],
) -> tuple[NDArray[np.uint8], Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Return label, score, video and position in it of every scored frame."""
    labels = [video.labels[video.scored] for video in videos if video.labels is not None]
    indices = [np.flatnonzero(video.scored) for video in videos]
    return (
        np.concatenate([np.empty(0, np.uint8), *labels]),
        np.concatenate([np.empty(0), *(video.scores[video.scored] for video in videos)]),
        np.concatenate([np.empty(0, np.int64), *(np.full(len(index), number) for number, index in enumerate(indices))]),
        np.concatenate([np.empty(0, np.int64), *indices]),
    )


def _mean(values: Floats) -> float | None:
    return None if np.isnan(values).all() else float(np.nanmean(values))
