from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.data.frames import Frame, SourceInfo
from maskedskipunet.data.sampling import require_rate, sample, sampled_count
from maskedskipunet.errors import ConfigError

RATES = [5, 10, 23.976, 25, 30000 / 1001, 60]


def frames_at(times_s):
    return [Frame(index, float(time_s), None) for index, time_s in enumerate(times_s)]


def indices(times_s, **how):
    return [frame.index for frame in sample(frames_at(times_s), **how)]


def steady(count, rate):
    return [number / rate for number in range(count)]


@st.composite
def any_times(draw):
    """Times of a camera: about its rate, jittering, here and there a gap; they never go back."""
    gaps = draw(st.lists(st.floats(0.2, 1.8), min_size=0, max_size=60))
    rate = draw(st.sampled_from(RATES))
    times = np.concatenate([[0.0], np.cumsum(gaps)]) / rate
    if draw(st.booleans()):
        times[draw(st.integers(0, len(times) - 1)) :] += draw(st.floats(0, 5))
        times -= times[0]
    return times.tolist()


@given(any_times(), st.floats(0.3, 80), st.integers(1, 5))
def test_frames_come_in_order_and_none_twice_whatever_the_rates(times_s, fps, stride):
    given_frames = frames_at(times_s)
    kept = list(sample(given_frames, fps=fps, stride=stride))
    assert all(later.index > earlier.index for earlier, later in pairwise(kept))
    assert all(frame is given_frames[frame.index] for frame in kept)
    assert kept[0].index == 0


@given(any_times(), st.floats(0.3, 80))
def test_the_frames_kept_are_those_nearest_to_the_ticks(times_s, fps):
    times = np.array(times_s)
    kept = indices(times_s, fps=fps)
    ticks = np.arange(int(times[-1] * fps) + 2) / fps
    distances = np.abs(times[None, :] - ticks[:, None])
    for index in kept:  # each is the nearest to some tick
        assert np.any(distances[:, index] <= distances.min(axis=1) + 1e-7)
    for tick in np.flatnonzero(ticks <= times[-1]):  # and each tick has its nearest
        assert distances[tick, kept].min() <= distances[tick].min() + 1e-7


@given(any_times(), st.floats(0.3, 80), st.integers(1, 5))
def test_a_stride_keeps_every_so_manyth_of_the_sampled_frames(times_s, fps, stride):
    assert indices(times_s, fps=fps, stride=stride) == indices(times_s, fps=fps)[::stride]
    assert indices(times_s, stride=stride) == list(range(0, len(times_s), stride))


@given(st.integers(1, 200), st.sampled_from(RATES), st.floats(0.2, 1), st.integers(1, 5))
def test_the_count_of_a_steady_source_is_foretold_within_one(count, rate, share, stride):
    fps = share * rate
    foretold = sampled_count(SourceInfo(count, 1, 1, rate), fps=fps, stride=stride)
    assert abs(foretold - len(indices(steady(count, rate), fps=fps, stride=stride))) <= 1


@given(st.integers(1, 100), st.sampled_from(RATES), st.floats(0.1, 0.6), st.integers(1, 3), st.data())
def test_the_count_of_a_jittering_source_is_foretold_within_one(count, rate, share, stride, data):
    jitter = data.draw(st.lists(st.floats(-0.2, 0.2), min_size=count - 1, max_size=count - 1))
    times_s = [0.0, *((number + off) / rate for number, off in enumerate(jitter, start=1))]
    foretold = sampled_count(SourceInfo(count, 1, 1, rate), fps=share * rate, stride=stride)
    assert abs(foretold - len(indices(times_s, fps=share * rate, stride=stride))) <= 1


@pytest.mark.parametrize("fps", [None, 25, 25.2, 60, 1000])
def test_a_rate_equal_to_the_sources_or_above_keeps_every_frame_once(fps):
    assert indices(steady(100, 25), fps=fps) == list(range(100))
    assert sampled_count(SourceInfo(100, 1, 1, 25.0), fps=fps, stride=1) == 100


@given(st.integers(2, 100), st.sampled_from(RATES), st.integers(1, 7))
def test_the_last_frame_is_no_nearer_to_the_one_before_than_any_other(count, rate, every):
    assert indices(steady(count, rate), fps=rate / every) == list(range(0, count, every))


@pytest.mark.parametrize(("rate", "fps", "kept"), [(25, 5, [0, 5, 10, 15]), (30, 20, [0, 2, 3, 5, 6, 8, 9, 11, 12])])
def test_sampled_frames_are_evenly_spread(rate, fps, kept):
    assert indices(steady(kept[-1] + 1, rate), fps=fps) == kept


def test_where_the_source_has_a_gap_so_has_the_result():
    times_s = [0.0, 0.1, 0.2, 5.0, 5.1, 5.2]
    assert indices(times_s, fps=10) == [0, 1, 2, 3, 4, 5]
    assert indices(times_s, fps=5) == [0, 2, 3, 5]


@pytest.mark.parametrize("fps", [None, 5.0])
def test_nothing_gives_nothing(fps):
    assert indices([], fps=fps) == []


def test_a_rate_that_is_not_stated_lets_every_frame_be_expected():
    assert sampled_count(SourceInfo(10, 1, 1, None), fps=5, stride=3) == 4


@pytest.mark.parametrize(
    ("rate", "fps"), [(25.0, None), (25.0, 25.0), (24.9, 25.0), (4.9, 5.0), (4.5, 5.0), (None, 60.0), (25.0, 5.0)]
)
def test_a_source_with_enough_frames_a_second_is_taken(rate, fps):
    require_rate(SourceInfo(10, 1, 1, rate), fps, "a.mp4")


def test_a_source_with_too_few_frames_a_second_is_refused_with_the_cure():
    message = r"a\.mp4: the source has 5 frames a second, fewer than the 25 asked for.*--data\.fps 5 or less"
    with pytest.raises(ConfigError, match=message):
        require_rate(SourceInfo(10, 1, 1, 5.0), 25.0, "a.mp4")


def tick_by_tick(times_s, fps):
    """The frame nearest to each tick, none twice: what is meant, at its simplest."""
    chosen, tick = [], 0
    for index, time_s in enumerate(times_s):
        while tick / fps <= time_s + 1e-9:
            before_s = times_s[index - 1]
            nearest = index - 1 if index and tick / fps - before_s < time_s - tick / fps else index
            if nearest not in chosen[-1:]:
                chosen.append(nearest)
            tick += 1
    return chosen


@given(any_times(), st.floats(0.3, 80))
def test_ticks_that_are_passed_over_change_nothing(times_s, fps):
    found = indices(times_s, fps=fps)
    assert found[: len(tick_by_tick(times_s, fps))] == tick_by_tick(times_s, fps)
    assert len(found) <= len(tick_by_tick(times_s, fps)) + 1  # the last frame, as if the source went on


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=5).map(sorted), st.floats(0.3, 80))
def test_times_that_jump_by_years_are_passed_over_at_once(times_s, fps):
    found = indices(times_s, fps=fps)
    assert found == sorted(set(found))
