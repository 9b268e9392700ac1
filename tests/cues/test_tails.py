from math import log10

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.cues.tails import RAREST, Tails

NORMAL = np.random.default_rng(0).exponential(1.0, (20_000, 3)).astype(np.float32) * np.array([1, 2, 5], np.float32)


def test_a_surprise_is_how_rare_a_value_is_among_normal_ones() -> None:
    tails = Tails.fit(NORMAL, shrink=0.0)
    for share in (0.5, 0.1, 0.01):
        reached = np.quantile(NORMAL, 1 - share, axis=0).astype(np.float32)

        np.testing.assert_allclose(tails.surprise(reached), -log10(share), atol=0.01)


def test_beyond_the_last_knot_the_tail_goes_on_as_it_fell() -> None:
    # An exponential's tail is known: the share above x is exp(-x / scale).
    found = Tails.fit(NORMAL, shrink=0.0).surprise(np.array([9.0, 18.0, 45.0], np.float32))

    np.testing.assert_allclose(found, 9 / np.log(10), rtol=0.1)


def test_what_is_rarer_than_all_that_was_counted_is_drawn_in_but_keeps_its_order() -> None:
    tails = Tails.fit(NORMAL[:, :1], shrink=0.0, alike=20)  # as good as a thousand values: 3
    found = tails.surprise(np.array([[5.0], [10.0], [20.0], [40.0]], np.float32))[:, 0]

    assert found[0] == pytest.approx(5 / np.log(10), rel=0.1)
    assert found[1:] == pytest.approx(3 + np.log1p(np.array([10, 20, 40]) / np.log(10) - 3), rel=0.1)
    assert (np.diff(found) > 0).all()


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=2, max_size=20))
def test_a_higher_value_is_never_less_surprising(values: list[float]) -> None:
    ordered = np.sort(np.array(values, np.float32))
    found = Tails.fit(NORMAL[:, :1]).surprise(ordered[:, None])[:, 0]

    assert (np.diff(found) >= -1e-6).all()
    assert (found >= 0).all()
    assert (found <= RAREST).all()


def test_each_place_has_its_own_tail() -> None:
    found = Tails.fit(NORMAL).surprise(np.full(3, 8.0, np.float32))

    assert found[0] > found[1] > found[2]


def test_a_places_scale_is_drawn_to_the_others_where_it_is_asked_for() -> None:
    own, common = Tails.fit(NORMAL, shrink=0.0).scale, Tails.fit(NORMAL, shrink=1.0).scale

    assert np.ptp(common) == pytest.approx(0, abs=1e-6)
    assert Tails.fit(NORMAL).scale == pytest.approx((own + common) / 2)


def test_places_that_never_vary_are_not_infinitely_surprised_by_noise() -> None:
    still = Tails.fit(np.zeros((100, 1), np.float32))

    assert np.isfinite(still.surprise(np.array([1e-6], np.float32))).all()
    assert still.surprise(np.array([1e9], np.float32)) == RAREST


def test_missing_values_are_left_out() -> None:
    holed = NORMAL.copy()
    holed[::2] = np.nan

    np.testing.assert_allclose(Tails.fit(holed).knots, Tails.fit(NORMAL[1::2]).knots, rtol=1e-6)


def test_tails_are_kept_and_read_again_bit_for_bit() -> None:
    tails = Tails.fit(NORMAL)
    again = Tails.from_arrays("some", tails.arrays("some"))

    assert (again.knots == tails.knots).all()
    assert (again.scale == tails.scale).all()
    assert again.known == pytest.approx(tails.known)


@pytest.mark.parametrize("damage", ["nan", "negative", "short"])
def test_damaged_arrays_are_refused(damage: str) -> None:
    arrays = Tails.fit(NORMAL).arrays("some")
    if damage == "nan":
        arrays["some.knots"] = arrays["some.knots"] * np.float32("nan")
    elif damage == "negative":
        arrays["some.scale"] = -arrays["some.scale"]
    else:
        arrays["some.knots"] = arrays["some.knots"][1:]

    with pytest.raises(ValueError, match="holds no tails"):
        Tails.from_arrays("some", arrays)
