from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.monitor.metering import Meter, MetricsSubscriber
from maskedskipunet.monitor.monitor_events import CameraState, Gap, Load, MonitorEvent, ScoredFrame


class Figures:
    """A meter that keeps what it is given."""

    def __init__(self) -> None:
        self.kept: list[tuple[object, ...]] = []

    def frame_scored(self, camera: str, score: float, delay_s: float) -> None:
        self.kept.append((camera, score, delay_s))

    def frames_skipped(self, camera: str, count: int) -> None:
        self.kept.append((camera, count))

    def camera_running(self, camera: str, running: bool) -> None:
        self.kept.append((camera, running))


def given(*event: MonitorEvent) -> list[tuple[object, ...]]:
    figures = Figures()
    assert isinstance(figures, Meter)
    listener = MetricsSubscriber([figures])
    for each in event:
        listener(each)
    return figures.kept


def test_scores_and_skipped_frames_are_given_to_the_meters() -> None:
    scored = ScoredFrame("door", FrameScore(3, 0.3, 0.7), 1e9, 0.25, False, 48, 64)
    load = Load("door", 1e9, 10, 7, 3, 0, 0.1, 0.2, 1)

    assert given(scored, load) == [("door", 0.7, 0.25), ("door", 3)]


def test_a_frame_without_a_score_and_what_is_no_figure_are_not() -> None:
    unscored = ScoredFrame("door", FrameScore(0, 0.0, None), 1e9, 0.25, False, 48, 64)

    assert given(unscored, Gap("door", 1e9, 1e9 + 1, "lost")) == []


def test_a_camera_runs_or_does_not_and_one_that_connects_does_neither() -> None:
    states = [CameraState("door", "connecting", 1e9), CameraState("door", "running", 1e9)]

    assert given(*states, CameraState("door", "lost", 1e9)) == [("door", True), ("door", False)]
