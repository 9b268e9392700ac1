import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d, median_filter

from maskedskipunet.errors import ConfigError
from maskedskipunet.evaluation.frames import LabelledScores
from maskedskipunet.evaluation.smoothing import (
    Smoothing,
    causal_gaussian,
    causal_median,
    gaussian,
    median,
    min_max,
    scaled,
    smoothed,
)

NAN = float("nan")
SCORES = st.lists(st.floats(-5, 5), min_size=1, max_size=30).map(np.array)
FILTERS = [
    lambda scores: gaussian(scores, 2.0),
    lambda scores: causal_gaussian(scores, 2.0),
    lambda scores: median(scores, 5),
    lambda scores: causal_median(scores, 5),
]
CAUSAL = [FILTERS[1], FILTERS[3]]


@settings(max_examples=60)
@given(SCORES)
def test_the_centred_filters_are_scipys(scores: np.ndarray) -> None:
    np.testing.assert_array_equal(gaussian(scores, 3), gaussian_filter1d(scores, 3))
    np.testing.assert_array_equal(median(scores, 5), median_filter(scores, 5))


@settings(max_examples=60)
@given(SCORES, st.integers(0, 29), st.sampled_from(CAUSAL))
def test_a_causal_filter_does_not_look_ahead(scores: np.ndarray, cut: int, smooth: object) -> None:
    np.testing.assert_allclose(smooth(scores)[: cut + 1], smooth(scores[: cut + 1]), atol=1e-12)  # type: ignore[operator]


@settings(max_examples=60)
@given(SCORES, st.sampled_from(FILTERS))
def test_no_filter_leaves_the_range_of_the_scores(scores: np.ndarray, smooth: object) -> None:
    found = smooth(scores)  # type: ignore[operator]

    assert found.shape == scores.shape
    assert found.min() >= scores.min() - 1e-12
    assert found.max() <= scores.max() + 1e-12


def test_causal_filters_by_hand() -> None:
    rising = np.array([1.0, 2, 6, 4])

    np.testing.assert_array_equal(causal_median(rising, 3), [1, 1.5, 2, 4])
    weights = np.exp([-0.0, -0.5, -2.0, -4.5])
    assert causal_gaussian(rising, 1)[0] == 1
    assert causal_gaussian(rising, 1)[2] == pytest.approx(
        (6 * weights[0] + 2 * weights[1] + weights[2]) / sum(weights[:3])
    )


@pytest.mark.parametrize("smooth", [*FILTERS, min_max])
def test_smoothing_crosses_no_border_and_no_gap_gets_a_score(smooth: object) -> None:
    gap = LabelledScores("gap", np.array([1.0, NAN, 2.0, 5.0, NAN]), None)
    other = LabelledScores("other", np.array([100.0, 200.0]), None)
    empty = LabelledScores("empty", np.array([NAN, NAN]), None)

    first, second, third = smoothed([gap, other, empty], smooth)  # type: ignore[arg-type]

    np.testing.assert_array_equal(first.scores[[0, 2, 3]], smooth(np.array([1.0, 2, 5])))  # type: ignore[operator]
    np.testing.assert_array_equal(np.isnan(first.scores), [False, True, False, False, True])
    np.testing.assert_array_equal(second.scores, smooth(other.scores))  # type: ignore[operator]
    assert np.isnan(third.scores).all()
    assert gap.scores[2] == 2


def test_a_video_whose_scores_agree_is_stretched_to_0() -> None:
    assert scaled([LabelledScores("flat", np.full(3, 7.0), None)])[0].scores.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"sigma_frames": 0.0}, "sigma: 0 frames. Use more than 0, such as 5."),
        ({"sigma_frames": float("nan")}, "sigma: nan frames."),
        ({"sigma_frames": 1e9}, "sigma: 1e[+]09 frames."),
        ({"window_frames": 4}, "window: a window of 4 frames. Use an odd number, such as 17."),
        ({"window_frames": 0}, "window: a window of 0 frames."),
    ],
)
def test_widths_that_cannot_be_are_refused(wrong: dict, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Smoothing(**wrong)
