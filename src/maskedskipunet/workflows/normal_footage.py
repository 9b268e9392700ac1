"""Scored normal footage: parts of it that are left out, its pace, and its highest moments."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.detection.budget import NormalScores
from maskedskipunet.detection.events import EventRule
from maskedskipunet.errors import ConfigError

MOMENTS = 12  # that a calibration shows
APART_S = 30.0  # between moments of one video, and how much of it one names


class Scored(Protocol):
    """A video with its scores. time_s, scores: (N,), NaN for a frame without a score."""

    @property
    def name(self) -> str: ...
    @property
    def time_s(self) -> NDArray[np.float64]: ...
    @property
    def scores(self) -> NDArray[np.float64]: ...


@dataclass(frozen=True)
class TimeRange:
    """A part of a video in seconds, `NAME@START-END`, or all of it, `NAME`."""

    video: str
    start_s: float = float("-inf")
    end_s: float = float("inf")

    def holds(self, video: str, time_s: float) -> bool:
        return self.video == video and self.start_s <= time_s <= self.end_s

    @classmethod
    def read(cls, text: str) -> "TimeRange":
        """
        >>> TimeRange.read("13@600-630")
        TimeRange(video='13', start_s=600.0, end_s=630.0)
        """
        named = re.fullmatch(r"(.+)@([0-9.]+)-([0-9.]+)", text)
        try:
            return cls(named[1], float(named[2]), float(named[3])) if named else cls(text)
        except ValueError as error:
            raise ConfigError(
                f"{text!r} is not a time range of a video", "exclude", "Use NAME or NAME@START-END"
            ) from error


def without_time_ranges(videos: Sequence[NormalScores], exclude: Sequence[str]) -> list[NormalScores]:
    """Return videos without the scores of what is left out, and without videos that are left out whole.

    exclude: names of videos, or NAME@START-END in seconds.
    """
    kept = []
    for video in videos:
        ranges = [TimeRange.read(text) for text in exclude if text != video.name]
        left_out = np.zeros(len(video.scores), np.bool_)
        for time_range in ranges:
            if time_range.video == video.name:
                left_out |= (time_range.start_s <= video.time_s) & (video.time_s <= time_range.end_s)
        if video.name not in exclude:
            kept.append(replace(video, scores=np.where(left_out, np.nan, video.scores)) if left_out.any() else video)
    return kept


def paced_rule(videos: Sequence[NormalScores]) -> EventRule:
    """Return the rule's times for footage of this pace: gaps are merged over two frames at least, however rare frames
    are.
    """
    steps = np.concatenate([np.empty(0), *(np.diff(video.time_s) for video in videos)])
    steps = steps[steps > 0]
    rule = EventRule(threshold=0.0, release=0.0)
    return replace(rule, merge_s=max(rule.merge_s, 2.5 * float(np.median(steps)) if len(steps) else 0.0))


def highest_moments(scored: Sequence[Scored], count: int) -> list[tuple[int, int]]:
    """Return the highest scores of all videos, no two of one video within half a minute: (video, place in it) each."""
    candidates = []
    for number, video in enumerate(scored):
        left = np.where(np.isnan(video.scores), -np.inf, video.scores)
        for _ in range(count):
            index = int(np.argmax(left))
            if left[index] == -np.inf:
                break
            candidates.append((float(left[index]), number, index))
            left[np.abs(video.time_s - video.time_s[index]) < APART_S] = -np.inf
    return [(number, index) for _, number, index in sorted(candidates, key=lambda found: -found[0])[:count]]


def moment_name(video: str, time_s: float) -> str:
    """Return what `exclude` takes to leave a moment out.

    >>> moment_name("day/13", 615.5)
    'day/13@600-631'
    """
    start, end = max(0, int(time_s - APART_S / 2)), int(time_s + APART_S / 2) + 1
    return f"{video}@{start}-{end}"


def picture_name(moment: str) -> str:
    """Return the name of the file that shows a moment."""
    return f"{moment.replace('/', '_')}.png"
