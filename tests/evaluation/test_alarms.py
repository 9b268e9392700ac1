from typing import Any

import numpy as np
import pytest

from maskedskipunet.evaluation.alarms import LabelledAlarms, alarm_figures, at_threshold
from maskedskipunet.evaluation.frames import LabelledScores

NAN = float("nan")


def test_shares_are_of_the_labelled_and_scored_frames_that_reach_the_threshold() -> None:
    videos = [
        LabelledScores("a", np.array([NAN, 0.1, 0.5, 0.9, NAN]), np.array([0, 0, 0, 1, 1], np.uint8)),
        LabelledScores("b", np.array([0.2, 0.3]), np.array([0, 1], np.uint8)),
        LabelledScores("without labels", np.array([0.9, 0.9]), None),
    ]

    found = at_threshold(videos, 0.5)

    assert found == {"threshold": 0.5, "false_alarm_share": pytest.approx(1 / 3), "detected_share": 0.5}


def test_without_frames_of_a_kind_there_is_no_share() -> None:
    assert at_threshold([], 1.0) == {"threshold": 1.0, "false_alarm_share": None, "detected_share": None}


def alarms(labels: list[int], spans: list[tuple[int, int]], stride: int = 1) -> dict[str, Any]:
    """Figures of one video of a frame a second."""
    index = stride * np.arange(len(labels))
    return alarm_figures([LabelledAlarms(index, index.astype(float), np.array(labels, np.uint8), spans)])


def test_an_alarm_that_shares_a_frame_with_a_stretch_finds_it_and_one_that_shares_none_is_false() -> None:
    figures = alarms([0, 1, 1, 0, 0, 1, 0, 0], [(0, 0), (2, 4), (6, 7)])

    assert (figures["stretches"], figures["stretches_found"]) == (2, 1)
    assert (figures["alarms"], figures["false_alarms"]) == (3, 2)
    assert figures["false_alarms_per_hour"] == pytest.approx(2 / (5 / 3600))


def test_one_alarm_may_find_several_stretches_and_several_alarms_one() -> None:
    assert alarms([1, 0, 1, 1], [(0, 3)])["stretches_found"] == 2
    assert alarms([1, 1, 1, 1], [(0, 0), (2, 2)])["stretches_found"] == 1
    assert alarms([1, 1, 1, 1], [(0, 0), (2, 2)])["false_alarms"] == 0


def test_alarms_are_held_against_frames_of_the_source_where_frames_were_left_out() -> None:
    assert alarms([0, 1, 0], [(2, 3)], stride=2)["stretches_found"] == 1
    assert alarms([0, 1, 0], [(3, 3)], stride=2)["stretches_found"] == 0


def test_without_normal_frames_there_is_no_rate_and_without_anything_no_figure() -> None:
    assert alarms([1, 1], [])["false_alarms_per_hour"] is None
    assert alarm_figures([])["stretches"] == 0
    assert alarms([], [])["normal_hours"] == 0
