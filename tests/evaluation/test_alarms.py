import numpy as np
import pytest

from maskedskipunet.evaluation.alarms import at_threshold
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
