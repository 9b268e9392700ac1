"""Smooths scores over time by the median of the last seconds, without looking at later frames."""

from collections import deque
from dataclasses import replace
from statistics import median

from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.detection.reading import FUSED


class CausalMedian:
    """Smooths the scores of one source as they come. Its memory is bounded.

    span_s: the seconds to look back, above 0. A frame without a score keeps none.
    """

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._seen: deque[tuple[float, float]] = deque()

    def add(self, frame: FrameScore) -> FrameScore:
        """Add the next frame, and return it with the median as its score and its own score among the cues."""
        if frame.score is None:
            return frame
        if self._seen and frame.time_s < self._seen[-1][0]:
            self._seen.clear()  # the clock went back
        self._seen.append((frame.time_s, frame.score))
        while frame.time_s - self._seen[0][0] >= self._span_s:
            self._seen.popleft()
        smoothed = median(score for _, score in self._seen)
        return replace(frame, score=float(smoothed), cues={**frame.cues, FUSED: frame.score})
