"""Passes scores, load and camera states to meters, which serve them as metrics."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from maskedskipunet.monitor.monitor_events import CameraState, Load, MonitorEvent, ScoredFrame


@runtime_checkable
class Meter(Protocol):
    """Receives measurements as they arrive."""

    def frame_scored(self, camera: str, score: float, delay_s: float) -> None:
        """Take a frame's score and its delay after the frame."""
        ...

    def frames_skipped(self, camera: str, count: int) -> None:
        """Take the number of frames skipped since the last call."""
        ...

    def camera_running(self, camera: str, running: bool) -> None:
        """Take whether a camera sends frames."""
        ...


class MetricsSubscriber:
    """A subscriber that passes measurements to meters."""

    def __init__(self, meters: Sequence[Meter]) -> None:
        self._meters = meters

    def __call__(self, event: MonitorEvent) -> None:
        for meter in self._meters:
            match event:
                case ScoredFrame() if event.frame.score is not None:
                    meter.frame_scored(event.camera, event.frame.score, event.delay_s)
                case Load():
                    meter.frames_skipped(event.camera, event.skipped)
                case CameraState() if event.condition != "connecting":
                    meter.camera_running(event.camera, event.condition == "running")
