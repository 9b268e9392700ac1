import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from maskedskipunet.evaluation.ranking import Ranking, area_under_roc, average_precision, equal_error_rate

FIGURES = (area_under_roc, average_precision, equal_error_rate)
Frames = tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.int64]]


@st.composite
def frames(draw: st.DrawFn) -> Frames:
    """Labels, scores with ties and whole weights of both classes."""
    rows = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(-3, 3), st.integers(0, 3)), max_size=30))
    rows += [(0, draw(st.integers(-3, 3)), 1), (1, draw(st.integers(-3, 3)), 2)]
    labels, scores, weights = zip(*rows, strict=True)
    return np.array(labels, np.uint8), np.array(scores, np.float64) / 7, np.array(weights)


def equal_error_rate_by_root(labels: NDArray[np.uint8], scores: NDArray[np.float64]) -> float:
    """The way that many published evaluations find it."""
    false_alarms, hits, _ = roc_curve(labels, scores, drop_intermediate=False)
    return float(brentq(lambda x: 1 - x - interp1d(false_alarms, hits)(x), 0, 1, xtol=1e-13))


@settings(max_examples=60)
@given(frames())
def test_each_figure_is_scikit_learns(made: Frames) -> None:
    labels, scores, _ = made
    ranking = Ranking(labels, scores)

    assert ranking.figure(area_under_roc) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert ranking.figure(average_precision) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_the_equal_error_rate_is_where_the_roc_curve_crosses_the_falling_diagonal(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([[0, 1], rng.integers(0, 2, 30)]).astype(np.uint8)
    scores = labels + rng.normal(0, 1, 32)  # without ties, which can make the curve cross at a corner

    found = Ranking(labels, scores).figure(equal_error_rate)

    assert found == pytest.approx(equal_error_rate_by_root(labels, scores), abs=1e-9)


@settings(max_examples=60)
@given(frames())
def test_a_weight_is_how_often_a_frame_is_there(made: Frames) -> None:
    labels, scores, weights = made
    repeated = Ranking(np.repeat(labels, weights), np.repeat(scores, weights))

    for figure in FIGURES:
        (found,) = Ranking(labels, scores).figures(figure, weights[None].astype(np.float64))
        assert found == pytest.approx(repeated.figure(figure), abs=1e-12)


def test_many_weightings_at_once_are_each_one_alone() -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 40).astype(np.uint8), rng.integers(0, 9, 40).astype(np.float64)
    weights = rng.integers(0, 3, (25, 40)).astype(np.float64)

    for figure in FIGURES:
        together = Ranking(labels, scores).figures(figure, weights)
        alone = [Ranking(labels, scores).figures(figure, row[None])[0] for row in weights]
        np.testing.assert_array_equal(together, alone)


def test_figures_by_hand() -> None:
    labels, scores = np.array([0, 1, 0, 1], np.uint8), np.array([0.1, 0.2, 0.3, 0.4])
    ranking = Ranking(labels, scores)

    assert ranking.figure(area_under_roc) == 3 / 4  # 0.2 lies under the normal 0.3, all other pairs are in order
    assert ranking.figure(average_precision) == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert ranking.figure(equal_error_rate) == pytest.approx(0.5)
    assert Ranking(labels, np.array([0.0, 2, 1, 3])).figure(equal_error_rate) == 0
    assert Ranking(labels, np.zeros(4)).figure(equal_error_rate) == pytest.approx(0.5)
    assert Ranking(labels, np.array([1.0, 0, 1, 0])).figure(equal_error_rate) == pytest.approx(1)


@pytest.mark.parametrize("labels", [[], [0, 0], [1, 1]])
@pytest.mark.parametrize("figure", FIGURES)
def test_one_class_alone_has_no_figure(labels: list[int], figure: object) -> None:
    ranking = Ranking(np.array(labels, np.uint8), np.arange(len(labels), dtype=np.float64))

    assert ranking.figure(figure) is None  # type: ignore[arg-type]
