import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.data.video.rates import median_rate


def bursts(count: int, step_s: float, pause_s: float, frames: int = 12) -> list[float]:
    """A recorder that writes only while something moves."""
    return [at * pause_s + number * step_s for at in range(count) for number in range(frames)]


@pytest.mark.parametrize("stated", [0.6, 10.0, 25.0, None])
def test_pauses_between_bursts_do_not_lower_the_rate(stated: float | None) -> None:
    assert median_rate(bursts(6, 0.1, 20.0), stated) == pytest.approx(10)


def test_a_clock_that_jumps_and_frames_at_the_same_time_do_not_change_the_rate() -> None:
    assert median_rate([0.0, 0.0, 0.2, 0.4, 0.6, 1e8, 1e8 + 0.2, 1e8 + 0.4], None) == pytest.approx(5)


def test_a_stated_rate_that_pictures_do_not_have_is_not_believed() -> None:
    assert median_rate([at / 2 for at in range(20)], 25.0) == pytest.approx(2)


def test_times_that_leave_the_rate_open_leave_the_stated_one() -> None:
    assert median_rate([], 25.0) == median_rate([3.0], 25.0) == median_rate([0.0, 0.0], 25.0) == 25.0
    assert median_rate([3.0], None) is None


@given(st.sampled_from([24000 / 1001, 25.0, 30000 / 1001, 4.9, 0.5]), st.sampled_from([1000, 90_000]), st.randoms())
def test_an_exact_rate_is_kept_however_times_are_rounded_and_in_whatever_order(rate, ticks, random) -> None:
    times_s = [round(at / rate * ticks) / ticks for at in range(50)]
    random.shuffle(times_s)

    assert median_rate(times_s, rate) == rate
    assert median_rate(np.array(times_s), None) == pytest.approx(rate, rel=2e-3)
