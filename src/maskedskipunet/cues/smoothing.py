"""Smoothing of scores over time, as part of a model: the median of the last seconds, which looks at no later frame."""

from collections import deque
from dataclasses import replace
from statistics import median

from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.detection.reading import FUSED


class CausalMedian:
    """Medians of one source's scores as they come. span_s: seconds looked back, above 0. Its memory is bounded.

    A frame without a score gets none.
    """

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._seen: deque[tuple[float, float]] = deque()

    def add(self, frame: FrameScore) -> FrameScore:
        """Take the next frame, and return it with the median as its score and its own score among the cues'."""
        if frame.score is None:
            return frame
        if self._seen and frame.time_s < self._seen[-1][0]:
            self._seen.clear()  # the clock went back
        self._seen.append((frame.time_s, frame.score))
        while frame.time_s - self._seen[0][0] >= self._span_s:
            self._seen.popleft()
        smoothed = median(score for _, score in self._seen)
        return replace(frame, score=float(smoothed), cues={**frame.cues, FUSED: frame.score})
