"""Evaluates a threshold that was set without labels on labelled frames and alarms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.evaluation.frames import LabelledScores


def at_threshold(videos: Sequence[LabelledScores], threshold: float) -> dict[str, Any]:
    """Return the shares of normal and of anomalous frames that reach a threshold, ready for JSON.

    false_alarm_share is of normal frames, detected_share of anomalous ones, both of those with a label and a score;
    None if there are no such frames.

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


@dataclass(frozen=True)
class LabelledAlarms:
    """The alarms of one video with labels.

    index: (N,), each sampled frame's number in its source. time_s: (N,). labels: (N,), 1 anomalous. alarms: first and
    last frame of each event, numbers in the source.
    """

    index: NDArray[np.int64]
    time_s: NDArray[np.float64]
    labels: NDArray[np.uint8]
    alarms: Sequence[tuple[int, int]]


def alarm_figures(videos: Sequence[LabelledAlarms]) -> dict[str, Any]:
    """Return how many anomalous stretches an alarm falls into, and how many alarms fall into none, ready for JSON.

    A stretch is what is labelled anomalous without a break. false_alarms_per_hour: an hour of normal footage; None
    where there is none.

    >>> video = LabelledAlarms(np.arange(6), np.arange(6.0), np.array([0, 0, 1, 1, 0, 1], np.uint8), [(0, 0), (3, 4)])
    >>> figures = alarm_figures([video])
    >>> figures["stretches"], figures["stretches_found"], figures["alarms"], figures["false_alarms"]
    (2, 1, 2, 1)
    """
    stretches = found = alarms = false = 0
    normal_s = 0.0
    for video in videos:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], video.labels == 1, [0]]).astype(np.int8)))
        spans = [(int(video.index[first]), int(video.index[end - 1])) for first, end in edges.reshape(-1, 2)]
        shared = [[a <= last and first <= b for first, last in video.alarms] for a, b in spans]
        hits = np.array(shared, bool).reshape(len(spans), len(video.alarms))
        stretches += len(spans)
        found += int(hits.any(axis=1).sum())
        alarms += len(video.alarms)
        false += int((~hits.any(axis=0)).sum())
        steps = np.diff(video.time_s)
        each_s = np.append(steps, np.median(steps) if len(steps) else 0.0)[: len(video.labels)]
        normal_s += float(each_s[video.labels == 0].sum())
    return {
        "stretches": stretches,
        "stretches_found": found,
        "alarms": alarms,
        "false_alarms": false,
        "normal_hours": normal_s / 3600,
        "false_alarms_per_hour": false / (normal_s / 3600) if normal_s > 0 else None,
    }
