"""Checks that a camera gives as many frames a second as the network was trained at."""

from collections.abc import Iterator
from statistics import median

from maskedskipunet.data.sampling import RATE_TOLERANCE
from maskedskipunet.monitor.health import Debounce, HealthChange
from maskedskipunet.monitor.reader_process import ArrivedFrame

INTERVAL_S = 10.0
MIN_STEPS = 5
ENOUGH_S = 60.0  # a camera must be fast enough for so long before the fault ends


class RateMonitor:
    """Reports when a camera gives clearly fewer frames a second than expected, and when it gives enough again.

    It uses the median step from frame to frame, because a camera may send nothing while nothing moves.
    expected_fps: the rate before a stride is applied; None if unknown, and nothing is reported.
    """

    def __init__(self, expected_fps: float | None) -> None:
        self._expected_fps = expected_fps
        self._enough = Debounce(ENOUGH_S, present=True)
        self._before: tuple[int, float] | None = None
        self._began_s = 0.0
        self._steps_s: list[float] = []

    def update(self, arrived: ArrivedFrame, after_gap: bool) -> Iterator[HealthChange]:
        """Take the next frame. after_gap: frames before this one are missing."""
        if self._expected_fps is None:
            return
        if after_gap or self._before is None:
            self._began_s, self._steps_s = arrived.time_s, []
        else:  # indices count frames that were not kept or were dropped
            index, time_s = self._before
            self._steps_s.append((arrived.time_s - time_s) / max(1, arrived.index - index))
        self._before = arrived.index, arrived.time_s
        if arrived.time_s - self._began_s >= INTERVAL_S and len(self._steps_s) >= MIN_STEPS:
            rate = 1 / median(self._steps_s)
            yield from self._judge(rate, self._expected_fps, arrived.time_s)
            self._began_s, self._steps_s = arrived.time_s, []

    def _judge(self, rate: float, expected_fps: float, time_s: float) -> Iterator[HealthChange]:
        is_enough = rate >= RATE_TOLERANCE * expected_fps
        if self._enough.present and not is_enough:
            self._enough = Debounce(ENOUGH_S)
            yield HealthChange("slow", True, _describe(rate, expected_fps))
        elif self._enough.changes(is_enough, time_s):
            yield HealthChange("slow", False, f"the camera gives {rate:.3g} frames a second")


def _describe(rate: float, expected_fps: float) -> str:
    return (
        f"the camera gives {rate:.3g} frames a second, but the model expects {expected_fps:.3g}: a clip spans "
        f"{expected_fps / rate:.2g} times as long as in training, so expect false alarms; set the camera to "
        f"{expected_fps:.3g} frames a second, or train with --data.fps {rate:.3g}"
    )
