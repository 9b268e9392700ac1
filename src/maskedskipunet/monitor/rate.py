"""Whether a camera gives as many frames a second as the network was trained at."""

from collections.abc import Iterator
from statistics import median

from maskedskipunet.data.sampling import RATE_TOLERANCE
from maskedskipunet.monitor.health import HealthChange, Lasting
from maskedskipunet.monitor.reading import Arrived

LOOK_S = 10.0
LEAST_STEPS = 5
ENOUGH_S = 60.0  # that a camera must have been fast enough before it is so again


class RateMonitor:
    """Tells when a camera gives clearly fewer frames a second than expected, and when it gives them again.

    It goes by the usual step from frame to frame, for a camera that sends nothing while nothing moves has no fewer.
    expected_fps: before a stride is taken; None where it is not known, and nothing is told.
    """

    def __init__(self, expected_fps: float | None) -> None:
        self._expected_fps = expected_fps
        self._enough = Lasting(ENOUGH_S, present=True)
        self._before: tuple[int, float] | None = None
        self._began_s = 0.0
        self._steps_s: list[float] = []

    def update(self, arrived: Arrived, fresh: bool) -> Iterator[HealthChange]:
        """fresh: whether frames before this one are missing."""
        if self._expected_fps is None:
            return
        if fresh or self._before is None:
            self._began_s, self._steps_s = arrived.time_s, []
        else:  # frames that were not kept, or found no room, were counted too
            index, time_s = self._before
            self._steps_s.append((arrived.time_s - time_s) / max(1, arrived.index - index))
        self._before = arrived.index, arrived.time_s
        if arrived.time_s - self._began_s >= LOOK_S and len(self._steps_s) >= LEAST_STEPS:
            rate = 1 / median(self._steps_s)
            yield from self._judge(rate, self._expected_fps, arrived.time_s)
            self._began_s, self._steps_s = arrived.time_s, []

    def _judge(self, rate: float, expected_fps: float, time_s: float) -> Iterator[HealthChange]:
        is_enough = rate >= RATE_TOLERANCE * expected_fps
        if self._enough.present and not is_enough:
            self._enough = Lasting(ENOUGH_S)
            yield HealthChange("slow", True, _told(rate, expected_fps))
        elif self._enough.changes(is_enough, time_s):
            yield HealthChange("slow", False, f"the camera gives {rate:.3g} frames a second")


def _told(rate: float, expected_fps: float) -> str:
    return (
        f"the camera gives {rate:.3g} frames a second, but the model expects {expected_fps:.3g}: a clip spans "
        f"{expected_fps / rate:.2g} times as long as in training, so expect false alarms; set the camera to "
        f"{expected_fps:.3g} frames a second, or train with --data.fps {rate:.3g}"
    )
