"""What a threshold that was set without labels does on labelled frames."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from maskedskipunet.evaluation.frames import LabelledScores


def at_threshold(videos: Sequence[LabelledScores], threshold: float) -> dict[str, Any]:
    """Ready for JSON: false_alarm_share, of normal frames, and detected_share, of anomalous frames, both of those
    with a label and a score that reach the threshold; None where there are no such frames.

    >>> videos = [LabelledScores("a", np.array([0.1, 0.2, 0.3, 0.4]), np.array([0, 0, 1, 1], np.uint8))]
    >>> at_threshold(videos, 0.2)
    {'threshold': 0.2, 'false_alarm_share': 0.5, 'detected_share': 1.0}
    """
    labelled = [video for video in videos if video.labels is not None]
    labels = np.concatenate([np.empty(0, np.uint8), *(v.labels[v.scored] for v in labelled if v.labels is not None)])
    reached = np.concatenate([np.empty(0), *(video.scores[video.scored] for video in labelled)]) >= threshold
    normal, anomalous = reached[labels == 0], reached[labels == 1]
    return {
        "threshold": threshold,
        "false_alarm_share": float(normal.mean()) if len(normal) else None,
        "detected_share": float(anomalous.mean()) if len(anomalous) else None,
    }
