"""Finds when a live frame was taken: by the stream's own timestamps, as long as they can be trusted."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from av.container import InputContainer

T = TypeVar("T")

NO_TIMESTAMPS = 0x80  # FFmpeg's AVFMT_NOTIMESTAMPS, of a format
MAX_HELD = 4  # frames, at a stream's start
JUMP_S = 2.0  # how much further than real time a stream's clock may move from one frame to the next
MIN_STEP_S = 1e-3
WAIT_S = 2e-3  # what lay ready is had in less

# A wrong clock is found within twice the shortest span where it is far off, within twice the longest where by little.
SPANS_S = (2.0, 8.0, 32.0)
JITTER_S = 0.5  # of arrival, which no network spares
DRIFT = 0.02  # of a span: more than the clock of any camera that works
JUDGED_S = 5.0  # of a stream's start, in which a clock that is far off is found
MAX_JUDGED = 1000  # frames: a film from a server comes as fast as it can


class StreamClock:
    """Gives each frame a time in seconds from the first, always later than the frame's before it.

    Cameras start their clock anew, set it, or state the same time again and again. Where a stream's time jumps back,
    stands still or leaps ahead, the time that has passed here takes its place, and the stream's goes on from there.
    Others state times at another pace than frames come, half or double say. While a stream's pace is off, over
    seconds, all its frames go by their arrival.
    """

    def __init__(self) -> None:
        self.mended = 0  # times that were not the stream's
        self._checks = [_PaceCheck(span_s) for span_s in SPANS_S]
        self._spacing = _Spacing()
        self._shift_s: float | None = None  # from the stream's time to ours
        self._last_s: float | None = None
        self._arrived_s = 0.0  # when the last frame came, as far as it is known
        self._stream_s = 0.0  # the sum of the stream's own steps

    def judge(self, stamps: "Sequence[Stamped[Any]]") -> None:
        """Judge the stream's pace by its first frames before any of them has its time."""
        trial = StreamClock()
        for stamp in stamps:
            trial.time_of(stamp)
        self._checks = trial._checks

    def time_of(self, stamped: "Stamped[Any]") -> float:
        """Return the time of what came."""
        return self.time_s(stamped.stated_s, stamped.arrived_s, waited=stamped.waited)

    def time_s(self, stated_s: float | None, arrived_s: float, *, waited: bool = True) -> float:
        """Return the frame's time.

        stated_s: the stream's time, None if it states none. arrived_s: by a monotonic clock. waited: the reader waited
        for the frame, so it came at arrived_s; otherwise it had arrived earlier, at an unknown time.
        """
        time_s, came_s = 0.0, arrived_s
        if self._last_s is not None:
            passed_s = max(MIN_STEP_S, arrived_s - self._arrived_s)
            step_s = passed_s if waited else min(passed_s, self._spacing.usual_s or passed_s)
            stream_step_s = self._stream_step_s(stated_s, passed_s)
            self._stream_s += step_s if stream_step_s is None else stream_step_s
            if stream_step_s is not None and all(check.is_right for check in self._checks):
                step_s = stream_step_s
            else:
                self.mended += stated_s is not None
                came_s = self._arrived_s + step_s
            time_s = self._last_s + step_s
        for check in self._checks:
            check.see(self._stream_s, arrived_s, waited)
        self._spacing.see(arrived_s, waited)
        if stated_s is not None:
            self._shift_s = time_s - stated_s
        self._last_s, self._arrived_s = time_s, came_s
        return time_s

    def _stream_step_s(self, stated_s: float | None, passed_s: float) -> float | None:
        """Return the seconds from the last frame to this one by the stream's clock; None if they are not possible."""
        if stated_s is None or self._shift_s is None or self._last_s is None:
            return None
        step_s = stated_s + self._shift_s - self._last_s
        return step_s if MIN_STEP_S <= step_s <= passed_s + JUMP_S else None


class _PaceCheck:
    """Checks over spans of some seconds that a stream's clock runs as fast as its frames arrive.

    Frames stall and catch up, so a single span proves nothing; two consecutive spans with the same fault, or without
    one, do. Only frames that were waited for have a known arrival, such as the first of a burst; so a span goes from
    one of them to another, and may be off by one burst. A reader that is slower than the stream has no such frames.
    """

    def __init__(self, span_s: float) -> None:
        self.is_right = True
        self._span_s = span_s
        self._began: tuple[float, float] | None = None  # by the stream's clock, and by arrival
        self._waited_s = self._gulp_s = 0.0
        self._fault = 0  # of the last span: 1 where the stream's clock ran ahead, -1 where it fell behind

    def see(self, stream_s: float, arrived_s: float, waited: bool) -> None:
        """Take the next frame. stream_s: the frame's time by the stream's clock."""
        if not waited:
            self._gulp_s = max(self._gulp_s, stream_s - self._waited_s)
            return
        self._waited_s = stream_s
        if self._began is None:
            self._begin(stream_s, arrived_s)
            return
        passed_s = arrived_s - self._began[1]
        if passed_s < self._span_s:
            return
        ahead_s = stream_s - self._began[0] - passed_s
        is_off = abs(ahead_s) > JITTER_S + DRIFT * passed_s + self._gulp_s
        fault = 0 if not is_off else 1 if ahead_s > 0 else -1
        if fault == self._fault:
            self.is_right = fault == 0
        self._fault = fault
        self._begin(stream_s, arrived_s)

    def _begin(self, stream_s: float, arrived_s: float) -> None:
        self._began, self._gulp_s = (stream_s, arrived_s), 0.0


class _Spacing:
    """The mean time between frames in a short span between two awaited frames."""

    def __init__(self) -> None:
        self.usual_s: float | None = None  # not known yet
        self._began_s: float | None = None
        self._frames = 0

    def see(self, arrived_s: float, waited: bool) -> None:
        self._frames += 1
        if not waited:
            return
        if self._began_s is not None:
            if arrived_s - self._began_s < SPANS_S[0]:
                return
            self.usual_s = (arrived_s - self._began_s) / self._frames
        self._began_s, self._frames = arrived_s, 0


@dataclass(frozen=True, slots=True)
class Stamped(Generic[T]):
    """An item of a stream, the time that the stream states for it, if any, and its arrival on the local clock.

    waited: the reader waited for it; otherwise it had arrived before. has_clock: its stream states times.
    """

    what: T
    stated_s: float | None
    arrived_s: float
    waited: bool = True
    has_clock: bool = True


@dataclass(frozen=True, slots=True)
class Stamping:
    """The trust in the times of a stream.

    base_s: their unit; None if FFmpeg invents them. is_live: frames arrive as they are taken; a finite stream is served
    as fast as it is read.
    """

    base_s: float | None
    is_live: bool = True

    @classmethod
    def of(cls, container: InputContainer) -> "Stamping":
        """Return how a stream is stamped.

        Motion JPEG over HTTP states no times: FFmpeg counts its pictures and takes them for 25 a second.
        """
        name = container.format.name
        if container.format.flags & NO_TIMESTAMPS or name.endswith("pipe"):
            return cls(None)
        # Not by its length: a live fragmented MP4 states that of its first fragment, a transport stream none.
        has_end = container.duration is not None if name == "hls" else container.size > 0
        return cls(float(container.streams.video[0].time_base or 1), not has_end)

    def stamped(self, what: T, pts: int | None, asked_s: float, came_s: float) -> Stamped[T]:
        """Return an item with the times of its request and its arrival on the local clock."""
        stated_s = None if pts is None or self.base_s is None else pts * self.base_s
        waited = self.is_live and came_s - asked_s >= WAIT_S
        return Stamped(what, stated_s, came_s, waited, self.base_s is not None)


def with_first_times(stamped: Iterable[Stamped[T]]) -> Iterator[Stamped[T]]:
    """Yield the items; if only the first ones state no time, they get it from those that follow.

    FFmpeg gives the first picture of an RTSP stream none, and it comes in one gulp with those after it, so that its
    arrival says nothing of when it was taken.
    """
    held: list[Stamped[T]] | None = []
    for item in stamped:
        if held is None:
            yield item
            continue
        held.append(item)
        stated = [index for index, stamp in enumerate(held) if stamp.stated_s is not None]
        if held[0].stated_s is not None or len(stated) == 2 or len(held) == MAX_HELD or not item.has_clock:
            yield from _first_filled(held, stated)
            held = None
    yield from held or ()


def with_judged_start(stamped: Iterable[Stamped[T]], clock: StreamClock, most_s: float) -> Iterator[Stamped[T]]:
    """Yield the items once their clock has judged the first ones, so that no one gets wrong times.

    most_s: seconds that are wanted at all.
    """
    coming, held = iter(stamped), []
    for item in coming:
        held.append(item)
        if item.arrived_s - held[0].arrived_s >= min(JUDGED_S, most_s) or len(held) == MAX_JUDGED:
            break
    clock.judge(held)
    yield from held
    yield from coming


def _first_filled(held: list[Stamped[T]], stated: list[int]) -> list[Stamped[T]]:
    if len(stated) < 2:
        return held
    first_s, second_s = (held[index].stated_s or 0.0 for index in stated)
    step_s = (second_s - first_s) / (stated[1] - stated[0])
    return [
        stamp if index >= stated[0] else replace(stamp, stated_s=first_s - (stated[0] - index) * step_s)
        for index, stamp in enumerate(held)
    ]
