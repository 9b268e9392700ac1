"""Figures of scores, load and cameras, for whoever serves them."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from maskedskipunet.monitor.news import CameraState, Load, News, Scored


@runtime_checkable
class Meter(Protocol):
    """Takes figures as they come."""

    def frame_scored(self, camera: str, score: float, delay_s: float) -> None:
        """Take a frame's score, and how long after the frame it came."""
        ...

    def frames_skipped(self, camera: str, count: int) -> None:
        """Take how many frames were left out since the last call."""
        ...

    def camera_running(self, camera: str, running: bool) -> None:
        """Take whether a camera gives frames."""
        ...


class Metering:
    """A listener that gives meters their figures."""

    def __init__(self, meters: Sequence[Meter]) -> None:
        self._meters = meters

    def __call__(self, news: News) -> None:
        for meter in self._meters:
            match news:
                case Scored() if news.frame.score is not None:
                    meter.frame_scored(news.camera, news.frame.score, news.delay_s)
                case Load():
                    meter.frames_skipped(news.camera, news.skipped)
                case CameraState() if news.condition != "connecting":
                    meter.camera_running(news.camera, news.condition == "running")
