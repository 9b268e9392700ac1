"""Finds events, times of high scores that last long enough, in streams and in whole videos.

A rule turns scores into events. `EventStream` is fed one frame at a time and knows nothing of what is to come;
`find_events` gives for whole arrays exactly the events that the stream gives.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from math import isfinite, isnan
from types import MappingProxyType
from typing import Any, Literal
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.detection.boxes import Box
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.detection.fusing import EventReason
from maskedskipunet.detection.reading import CueReading
from maskedskipunet.detection.source_clock import SourceClock, stream_clock
from maskedskipunet.errors import ConfigError, ShapeError

RELEASE_SHARE = 0.8  # of the way from the median score up to the threshold: where an event ends

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Phase = Literal["new", "update", "end"]


@dataclass(frozen=True, kw_only=True)
class EventRule:
    """The rule by which scores become events.

    threshold: the score that begins an event. release: the event continues down to this score. shortest_s: the least
    seconds above the release level, gaps not counted; a shorter rise is a flicker, and a single frame, mostly a
    decoder's fault, is never an event. merge_s: if the score falls below the release level for at most so long and then
    reaches the threshold again, it is one event; a longer time without a score ends it too. pause_s: no event begins
    for so long after one, because a person looks anyway; afterwards a lasting anomaly is reported again. update_s: the
    least seconds between two updates of an event. Raises ConfigError for invalid settings.
    """

    threshold: float
    release: float
    shortest_s: float = 0.5
    merge_s: float = 2.0
    pause_s: float = 10.0
    update_s: float = 5.0

    def __post_init__(self) -> None:
        if not (isfinite(self.threshold) and isfinite(self.release) and self.release <= self.threshold):
            raise ConfigError(
                f"a threshold of {self.threshold:g} with a release level of {self.release:g}",
                "rule",
                "Use numbers, the release level no higher than the threshold",
            )
        for name in ("shortest_s", "merge_s", "pause_s", "update_s"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{getattr(self, name)} seconds", f"rule.{name}", "Use 0 or more")

    def with_threshold(self, threshold: float, median_score: float) -> "EventRule":
        """Return this rule at another threshold.

        median_score: of normal frames; every release level is above it.

        >>> EventRule(threshold=1, release=1).with_threshold(2.0, median_score=1.0).release
        1.8
        """
        release = median_score + RELEASE_SHARE * (threshold - median_score)
        return replace(self, threshold=threshold, release=min(threshold, release))


@dataclass(frozen=True)
class Levels:
    """The threshold and the release level of each frame, (N,)."""

    threshold: Floats
    release: Floats

    @classmethod
    def of(cls, rule: EventRule, count: int) -> "Levels":
        return cls(np.full(count, rule.threshold), np.full(count, rule.release))

    def among(self, kept: NDArray[np.bool_]) -> "Levels":
        return Levels(self.threshold[kept], self.release[kept])


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in one source.

    id: unique, the same in all phases. start_s, end_s, peak_s: the source's own times; they continue if its clock was
    set back meanwhile. start_frame, end_frame, peak_frame: numbers of frames in the source. top_score: the highest.
    mean_score: over the frames above the release level. boxes: (x, y, width, height) in pixels of the source, around
    anomalies in the frame of the highest score. normal_share: the share of normal frames that score as high as
    top_score, None if unknown. reason: the cue that raised it and its reading; None for a model of a network alone.
    kind_id: the id of the first event of its kind (see `kinds`); None if kinds are not distinguished.
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
    normal_share: float | None = None
    reason: EventReason | None = None
    kind_id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for files and messages, without a reason or a kind if there is none."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        reason, kind_id = values.pop("reason"), values.pop("kind_id")
        values |= {} if reason is None else {"reason": reason.to_dict()}
        return values if kind_id is None else values | {"kind_id": kind_id}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Event":
        """Return the inverse of to_dict. Raises KeyError, TypeError or ValueError for anything else."""
        reason = values.get("reason")
        return cls(**{**values, "reason": None if reason is None else EventReason.from_dict(reason)})


@dataclass(frozen=True, slots=True)
class EventUpdate:
    """The state of an event at a moment. Phases: one `new`, any number of `update`, one `end`.

    peak: the frame of its highest score, with its maps if they were asked for; None if it is not known.
    """

    phase: Phase
    event: Event
    peak: FrameScore | None = field(default=None, compare=False, repr=False)


def no_boxes() -> tuple[Box, ...]:
    """Return where nothing is known of a frame but its score."""
    return ()


def new_id() -> str:
    """Return an id that is unique, also after a restart."""
    return str(uuid4())


class EventStream:
    """Finds the events of one source as its scores arrive.

    source: its name. normal_share: returns the share of normal frames that score as high. new_id: returns the id of an
    event.
    """

    def __init__(
        self,
        source: str,
        rule: EventRule,
        *,
        normal_share: Callable[[float], float] | None = None,
        new_id: Callable[[], str] = new_id,
    ) -> None:
        self._source, self._rule, self._share, self._new_id = source, rule, normal_share, new_id
        self._clock = SourceClock()
        self._open: _Open | None = None
        self._quiet_until = float("-inf")

    @property
    def running(self) -> Event | None:
        """The open event in its present state; None if none was reported."""
        return None if self._open is None or self._open.id is None else self._event(self._open)

    def set_rule(self, rule: EventRule, normal_share: Callable[[float], float] | None) -> None:
        """Apply another rule from the next frame on, also to an event in progress."""
        self._rule, self._share = rule, normal_share

    def add(
        self,
        index: int,
        time_s: float,
        score: float | None,
        boxes: Callable[[], tuple[Box, ...]] = no_boxes,
        rule: EventRule | None = None,
        readings: Mapping[str, CueReading] = MappingProxyType({}),
    ) -> list[EventUpdate]:
        """Take the next frame, and return the updates of events that follow from it.

        score: None if the frame has none. boxes: returns the anomalous boxes; only called at an event's highest score.
        readings: of the cues for this frame. rule: its threshold and release level apply to this frame instead of the
        stream's; durations are always the stream's.
        """
        levels = rule or self._rule
        now = self._clock.now(time_s)
        updates = []
        if self._open is not None and now - self._open.last > self._rule.merge_s:
            updates += self._close()
        if score is None or isnan(score):
            return updates
        if self._open is None:
            if score < levels.threshold or now < self._quiet_until:
                return updates
            self._open = _Open(now, self._clock.shift, index, score, boxes())
            self._open.readings = readings
        elif not self._open.goes_on(now, index, score, boxes, levels):
            return updates
        elif self._open.peak_frame == index:
            self._open.readings = readings
        return updates + self._report(self._open)

    def finish(self) -> list[EventUpdate]:
        """Return the end of the open event, because the source has ended."""
        return self._close() if self._open is not None else []

    def _report(self, event: "_Open") -> list[EventUpdate]:
        if event.id is None:
            if event.active_s < self._rule.shortest_s:
                return []
            event.id, event.reported = self._new_id(), event.last
            return [EventUpdate("new", self._event(event))]
        if event.last - event.reported < self._rule.update_s:
            return []
        event.reported = event.last
        return [EventUpdate("update", self._event(event))]

    def _close(self) -> list[EventUpdate]:
        event, self._open = self._open, None
        if event is None or event.id is None:
            return []
        self._quiet_until = event.last + self._rule.pause_s
        return [EventUpdate("end", self._event(event))]

    def _event(self, event: "_Open") -> Event:
        assert event.id is not None
        return Event(
            event.id,
            self._source,
            event.start - event.shift,
            event.last - event.shift,
            event.peak - event.shift,
            event.start_frame,
            event.last_frame,
            event.peak_frame,
            event.top,
            event.total / event.frames,
            event.boxes,
            None if self._share is None else self._share(event.top),
            EventReason.of(event.readings),
        )


def find_events(
    source: str,
    index: Ints,
    time_s: Floats,
    scores: Floats,
    rule: EventRule,
    *,
    levels: Levels | None = None,
    normal_share: Callable[[float], float] | None = None,
    new_id: Callable[[], str] = new_id,
) -> list[Event]:
    """Return the events of a whole video, without boxes: those that an EventStream ends with.

    index, time_s, scores: (N,), one a frame, NaN if a frame has no score. levels: of each frame, instead of the
    rule's. Raises ShapeError when they differ in length.
    """
    clock, shift = stream_clock(time_s)
    levels = levels or Levels.of(rule, len(scores))
    if not index.shape == time_s.shape == scores.shape == levels.threshold.shape == levels.release.shape:
        raise ShapeError(f"{index.shape} numbers, {time_s.shape} times and {scores.shape} scores", source)
    known = ~np.isnan(scores)
    index, clock, shift, scores = index[known], clock[known], shift[known], scores[known]
    found = []
    for segments in find_spans(clock, scores, rule, levels.among(known)):
        positions = np.concatenate([np.arange(first, last + 1) for first, last in segments])
        start, end, peak = segments[0][0], segments[-1][1], positions[np.argmax(scores[positions])]
        values = scores[positions].tolist()
        found.append(
            Event(
                new_id(),
                source,
                float(clock[start] - shift[start]),
                float(clock[end] - shift[start]),
                float(clock[peak] - shift[start]),
                int(index[start]),
                int(index[end]),
                int(index[peak]),
                float(scores[peak]),
                sum(values) / len(values),
                (),
                None if normal_share is None else normal_share(float(scores[peak])),
            )
        )
    return found


def find_spans(
    clock: Floats, scores: Floats, rule: EventRule, levels: Levels | None = None
) -> list[list[tuple[int, int]]]:
    """Return the places of each event: its stretches above the release level, first and last place of each.

    clock: (N,) seconds that never go back (see stream_clock). scores: (N,), frames without a score left out. levels:
    of each frame, instead of the rule's.
    """
    high = np.flatnonzero(scores >= (rule.threshold if levels is None else levels.threshold))
    if not len(high):
        return []
    below = scores < (rule.release if levels is None else levels.release)
    stops = np.flatnonzero(~below & np.append(below[1:] | (np.diff(clock) > rule.merge_s), True))
    high_clock = clock[high]
    spans: list[list[tuple[int, int]]] = []
    segments: list[tuple[int, int]] = []
    quiet_until = float("-inf")

    def close() -> None:
        nonlocal segments, quiet_until
        # Summed as the stream sums it, so that not even rounding tells them apart.
        active_s = 0.0
        for first, last in segments:
            active_s += float(clock[last] - clock[first])
        if segments and active_s >= rule.shortest_s:
            spans.append(segments)
            quiet_until = float(clock[segments[-1][1]]) + rule.pause_s
        segments = []

    position = 0
    while position < len(high):
        first = int(high[position])
        if segments and clock[first] - clock[segments[-1][1]] > rule.merge_s:
            close()
        if not segments and clock[first] < quiet_until:
            position = int(np.searchsorted(high_clock, quiet_until))
            continue
        last = int(stops[np.searchsorted(stops, first)])
        segments.append((first, last))
        position = int(np.searchsorted(high, last, side="right"))
    close()
    return spans


class _Open:
    """An open event, or a candidate: its id is None until it has lasted long enough."""

    def __init__(self, now: float, shift: float, index: int, score: float, boxes: tuple[Box, ...]) -> None:
        self.id: str | None = None
        self.start = self.last = self.peak = self._segment = now
        self.shift = shift
        self.start_frame = self.last_frame = self.peak_frame = index
        self.top = self.total = score
        self.frames = 1
        self.boxes = boxes
        self.readings: Mapping[str, CueReading] = {}
        self.reported = now
        self._above = True
        self._earlier_s = 0.0

    @property
    def active_s(self) -> float:
        return self._earlier_s + (self.last - self._segment)

    def goes_on(
        self, now: float, index: int, score: float, boxes: Callable[[], tuple[Box, ...]], rule: EventRule
    ) -> bool:
        """Take the next score, and return whether the event is above its release level."""
        if score < (rule.release if self._above else rule.threshold):
            self._above = False
            return False
        if not self._above:
            self._earlier_s, self._segment, self._above = self.active_s, now, True
        self.last, self.last_frame = now, index
        self.total += score
        self.frames += 1
        if score > self.top:
            self.top, self.peak, self.peak_frame, self.boxes = score, now, index, boxes()
        return True
