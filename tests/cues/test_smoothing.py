import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.cues.smoothing import CausalMedian
from maskedskipunet.detection.frame_score import FrameScore


def smoothed(scores: list[float | None], span_s: float, step_s: float = 1.0) -> list[float | None]:
    median = CausalMedian(span_s)
    return [median.add(FrameScore(index, index * step_s, score)).score for index, score in enumerate(scores)]


@given(st.lists(st.floats(0, 10), max_size=30), st.integers(1, 7))
def test_each_score_is_the_median_of_the_last_seconds(scores: list[float], span: int) -> None:
    expected = [float(np.median(scores[max(0, at - span + 1) : at + 1])) for at in range(len(scores))]

    assert smoothed([*scores], span) == pytest.approx(expected)


def test_a_single_high_frame_is_taken_out_and_what_lasts_stays() -> None:
    assert smoothed([1, 1, 1, 9, 1, 1], 5.0) == [1, 1, 1, 1, 1, 1]
    assert smoothed([1, 1, 9, 9, 9, 9], 5.0)[-1] == 9


def test_the_raw_score_stays_beside_it_and_a_missing_one_stays_missing() -> None:
    median = CausalMedian(5.0)

    assert median.add(FrameScore(0, 0.0, None)).score is None
    assert median.add(FrameScore(1, 1.0, 3.0, cues={"movement": 2.0})).cues == {"movement": 2.0, "fused": 3.0}


def test_what_was_before_a_gap_or_before_the_clock_went_back_is_forgotten() -> None:
    median = CausalMedian(3.0)
    for second in range(3):
        median.add(FrameScore(second, float(second), 9.0))

    assert median.add(FrameScore(3, 60.0, 1.0)).score == 1.0
    assert median.add(FrameScore(4, 5.0, 2.0)).score == 2.0


def test_memory_does_not_grow() -> None:
    median = CausalMedian(5.0)
    for index in range(1000):
        median.add(FrameScore(index, index / 10, 1.0))

    assert len(median._seen) <= 51
