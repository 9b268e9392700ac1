"""When a live frame was taken: the stream's own timestamps, as far as they can be."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_HELD = 4  # frames, at a stream's start
JUMP_S = 2.0  # how much further than real time a stream's clock may move from one frame to the next
LEAST_STEP_S = 1e-3


class StreamClock:
    """Gives each frame a time in seconds from the first, always later than the frame's before it.

    Cameras start their clock anew, set it, or state the same time again and again. Where a stream's time jumps back,
    stands still or leaps ahead, the time that has passed here takes its place, and the stream's goes on from there.
    """

    def __init__(self) -> None:
        self.mended = 0  # times that were not the stream's
        self._shift_s: float | None = None  # from the stream's time to ours
        self._last_s: float | None = None
        self._arrived_s = 0.0

    def time_s(self, stated_s: float | None, arrived_s: float) -> float:
        """stated_s: as the stream says it, None where it does not. arrived_s: by a clock here that only goes on."""
        time_s = 0.0
        if self._last_s is not None:
            passed_s = max(LEAST_STEP_S, arrived_s - self._arrived_s)
            time_s = self._last_s + passed_s
            if stated_s is not None and self._shift_s is not None:
                stream_s = stated_s + self._shift_s
                if LEAST_STEP_S <= stream_s - self._last_s <= passed_s + JUMP_S:
                    time_s = stream_s
                else:
                    self.mended += 1
        if stated_s is not None:
            self._shift_s = time_s - stated_s
        self._last_s, self._arrived_s = time_s, arrived_s
        return time_s


@dataclass(frozen=True, slots=True)
class Stamped(Generic[T]):
    """What came, the time that the stream states for it if it does, and when it came by a clock here."""

    what: T
    stated_s: float | None
    arrived_s: float


def with_first_times(stamped: Iterable[Stamped[T]]) -> Iterator[Stamped[T]]:
    """The same; where only the first ones state no time, they get it from those that follow.

    FFmpeg gives the first picture of an RTSP stream none, and it comes in one gulp with those after it, so that its
    arrival says nothing of when it was taken.
    """
    held: list[Stamped[T]] | None = []
    for item in stamped:
        if held is None:
            yield item
            continue
        held.append(item)
        stated = [at for at, one in enumerate(held) if one.stated_s is not None]
        if held[0].stated_s is not None or len(stated) == 2 or len(held) == MOST_HELD:
            yield from _first_filled(held, stated)
            held = None
    yield from held or ()


def _first_filled(held: list[Stamped[T]], stated: list[int]) -> list[Stamped[T]]:
    if len(stated) < 2:
        return held
    first_s, second_s = (held[at].stated_s or 0.0 for at in stated)
    step_s = (second_s - first_s) / (stated[1] - stated[0])
    return [
        one if at >= stated[0] else replace(one, stated_s=first_s - (stated[0] - at) * step_s)
        for at, one in enumerate(held)
    ]
