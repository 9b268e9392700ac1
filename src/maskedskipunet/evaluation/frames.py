"""Frame-level figures: scores of frames against their labels, each protocol under its own name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.errors import ShapeError
from maskedskipunet.evaluation.ranking import Ranking, area_under_roc


@dataclass(frozen=True)
class LabelledScores:
    """One video's scores and ground truth.

    scores: float (N,), NaN if a frame has none. labels: 0 or 1, (N,); None if there is no ground truth.
    """

    name: str
    scores: NDArray[np.float64]
    labels: NDArray[np.uint8] | None

    def __post_init__(self) -> None:
        if self.labels is not None and self.labels.shape != self.scores.shape:
            raise ShapeError(f"{len(self.scores)} scores and {len(self.labels)} labels", self.name)

    @property
    def scored(self) -> NDArray[np.bool_]:
        """A mask of the frames with a score, (N,)."""
        return ~np.isnan(self.scores)


def roc_auc(labels: NDArray[np.uint8], scores: NDArray[np.float64]) -> float | None:
    """Return the area under the ROC curve; None if the labels hold one class only.

    labels: 0 or 1, (N,). scores: finite, (N,), higher is more anomalous.

    >>> roc_auc(np.array([0, 0, 1], np.uint8), np.array([0.1, 0.2, 0.3]))
    1.0
    """
    return Ranking(labels, scores).figure(area_under_roc)


def micro_auc(videos: Sequence[LabelledScores]) -> float | None:
    """Return the AUC over the scored frames of all labelled videos together, without normalisation: the published
    protocol.
    """
    labelled = [video for video in videos if video.labels is not None]
    if not labelled:
        return None
    labels = np.concatenate([video.labels[video.scored] for video in labelled if video.labels is not None])
    return roc_auc(labels, np.concatenate([video.scores[video.scored] for video in labelled]))


def video_auc(video: LabelledScores) -> float | None:
    """Return AUC within one video; None if it has no labels or one class only."""
    return None if video.labels is None else roc_auc(video.labels[video.scored], video.scores[video.scored])


def frame_metrics(videos: Sequence[LabelledScores]) -> dict[str, object]:
    """Return every frame-level figure, a key a protocol, ready for JSON.

    micro_auc: all frames together, raw scores. macro_auc_two_class_videos: the mean over videos that hold both
    classes, one_class_videos being the number left out. video_auc: a figure a video, null for one class.
    """
    by_video = {video.name: video_auc(video) for video in videos}
    two_class = [auc for auc in by_video.values() if auc is not None]
    labels = [video.labels for video in videos if video.labels is not None]
    return {
        "micro_auc": micro_auc(videos),
        "macro_auc_two_class_videos": float(np.mean(two_class)) if two_class else None,
        "one_class_videos": sum(video.labels is not None for video in videos) - len(two_class),
        "video_auc": by_video,
        "videos": len(videos),
        "videos_with_labels": len(labels),
        "frames": sum(len(video.scores) for video in videos),
        "frames_scored": int(sum(video.scored.sum() for video in videos)),
        "frames_anomalous": int(sum(label.sum() for label in labels)),
    }


def auc_by_kind(videos: Sequence[LabelledScores], kinds: Mapping[str, Sequence[str]]) -> dict[str, float | None]:
    """Return AUC of each kind of anomaly: its frames against the normal frames of all videos.

    kinds: for each video's name the kind of each frame, "" where it is normal. Frames without a score are left
    out; None if a kind, or everything normal, has none. Raises ShapeError when kinds and scores differ in length.
    """
    by_video = [np.asarray(kinds[video.name], dtype=np.str_) for video in videos]
    for video, named in zip(videos, by_video, strict=True):
        if named.shape != video.scores.shape:
            raise ShapeError(f"{len(video.scores)} scores and {len(named)} kinds", video.name)
    kind = np.concatenate([np.empty(0, np.str_), *by_video])
    scores = np.concatenate([np.empty(0), *(video.scores for video in videos)])
    figures = {}
    for name in sorted(set(kind.tolist()) - {""}):
        chosen = ~np.isnan(scores) & ((kind == name) | (kind == ""))
        figures[name] = roc_auc((kind == name)[chosen].astype(np.uint8), scores[chosen])
    return figures
