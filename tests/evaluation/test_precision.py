import numpy as np
import pytest

from maskedskipunet.evaluation.precision import compare


def test_differences_are_relative_to_the_exact_score_and_order_is_compared():
    effect = compare("bfloat16", np.array([1.0, 2.0, 4.0]), np.array([1.1, 2.0, 1.0]))

    assert effect.largest_difference == pytest.approx(0.75)
    assert effect.mean_difference == pytest.approx((0.1 + 0 + 0.75) / 3)
    assert effect.order_correlation == pytest.approx(-0.5)


@pytest.mark.parametrize("exact", [np.array([0.3]), np.array([0.3, 0.3])])
def test_where_nothing_can_be_ordered_no_order_is_told(exact):
    effect = compare("bfloat16", exact, exact * 1.01)

    assert effect.order_correlation is None
    assert effect.describe() == f"bfloat16 changes the scores of the first {len(exact)} frames by 1.0%, at most 1.0%"
