"""Events: stretches of a video that depart from the normal, and what is told of one while it lasts."""

from dataclasses import dataclass
from typing import Literal

Box = tuple[int, int, int, int]  # x, y, width, height in source pixels
Phase = Literal["new", "update", "end"]


@dataclass(frozen=True)
class Event:
    """One stretch of a source in which scores departed from the normal.

    id: unique across restarts, the same over all its updates. start_s, end_s, peak_s: seconds since the source's
    first frame; start_frame, end_frame, peak_frame: the same in frames, from 0. boxes: (x, y, width, height) in
    source pixels. normal_share: the share of normal frames that score as high as its top score, None without a
    calibration.
    """

    id: str
    source: str
    start_s: float
    end_s: float
    peak_s: float
    start_frame: int
    end_frame: int
    peak_frame: int
    top_score: float
    mean_score: float
    boxes: tuple[Box, ...]
    normal_share: float | None


@dataclass(frozen=True)
class EventUpdate:
    """What is known of an event now: it is `new`, it goes on (`update`), or it is over (`end`)."""

    phase: Phase
    event: Event
