from collections.abc import Iterable

import pytest

from maskedskipunet.monitor.rate import RateMonitor
from maskedskipunet.monitor.reader_process import ArrivedFrame


def told(monitor: RateMonitor, times_s: Iterable[float], *, every: int = 1, first: int = 0) -> list[tuple[bool, str]]:
    """What is told of a camera whose frames were taken at these times, of which every so many-th is kept."""
    changes = []
    for at, time_s in enumerate(times_s):
        if at % every == 0:
            arrived = ArrivedFrame(first + at, time_s, None, 0.0, 0, 0, None, time_s, 0)
            changes += [(change.present, change.description) for change in monitor.update(arrived, after_gap=at == 0)]
    return changes


def steady(fps: float, seconds: float, start_s: float = 0.0) -> list[float]:
    return [start_s + at / fps for at in range(round(seconds * fps))]


def test_a_camera_that_gives_too_few_frames_is_told_once_with_what_it_means_and_the_cure() -> None:
    (change,) = told(RateMonitor(5.0), steady(2, 300))

    assert change == (
        True,
        "the camera gives 2 frames a second, but the model expects 5: a clip spans 2.5 times as long as in training, "
        "so expect false alarms; set the camera to 5 frames a second, or train with --data.fps 2",
    )


@pytest.mark.parametrize(("fps", "every"), [(5, 1), (4.9, 1), (4.6, 1), (25, 5), (25, 40), (60, 12)])
def test_a_camera_that_gives_enough_is_not_told_of_however_few_frames_are_kept(fps: float, every: int) -> None:
    assert told(RateMonitor(5.0), steady(fps, 120), every=every) == []


def test_a_camera_that_sends_nothing_while_nothing_moves_gives_enough() -> None:
    assert told(RateMonitor(5.0), [20.0 * burst + at / 10 for burst in range(20) for at in range(12)]) == []


def test_a_camera_that_gives_enough_again_is_told_after_a_while() -> None:
    monitor = RateMonitor(5.0)
    assert [present for present, _ in told(monitor, steady(2, 30))] == [True]
    assert [present for present, _ in told(monitor, steady(5, 150, 30.0), first=100)] == [False]
    assert [present for present, _ in told(monitor, steady(2, 30, 180.0), first=900)] == [True]


def test_a_moment_of_few_frames_is_no_slow_camera() -> None:
    assert told(RateMonitor(5.0), [*steady(5, 60), 63.0, 66.0, *steady(5, 60, 69.0)]) == []


def test_nothing_is_told_where_no_rate_is_expected() -> None:
    assert told(RateMonitor(None), steady(0.5, 300)) == []
