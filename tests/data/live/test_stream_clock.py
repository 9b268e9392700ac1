from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.data.live.stream_clock import (
    MAX_HELD,
    Stamped,
    Stamping,
    StreamClock,
    with_first_times,
    with_judged_start,
)

Time = float | None


def times(stated: Sequence[Time], arrived: Sequence[float]) -> list[float]:
    clock = StreamClock()
    return [clock.time_s(*both) for both in zip(stated, arrived, strict=True)]


def test_the_streams_own_times_are_kept_however_unevenly_frames_arrive() -> None:
    assert times([7.0, 7.1, 7.2, 7.3], [50, 50, 51.5, 51.5]) == pytest.approx([0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    "stated",
    [[9.0, 9.1, 3.0, 3.1], [9.0, 9.1, 9.1, 9.2], [9.0, 9.1, 9e6, 9e6 + 0.1], [9.0, 9.1, None, 9.3]],
    ids=["jumps back", "stands still", "leaps ahead", "is missing"],
)
def test_time_passes_as_it_passed_here_where_the_streams(stated: list[Time]) -> None:
    assert times(stated, [0, 0.1, 0.3, 0.35])[:3] == pytest.approx([0, 0.1, 0.3])
    assert times(stated, [0, 0.1, 0.3, 0.35])[3] in (pytest.approx(0.4), pytest.approx(0.35))


def test_a_gap_in_the_stream_is_a_gap_in_its_times() -> None:
    assert times([0, 0.1, 60.1], [0, 0.1, 60.1]) == pytest.approx([0, 0.1, 60.1])


@given(
    st.lists(
        st.tuples(st.none() | st.floats(-1e7, 1e7), st.floats(0, 100)),
        max_size=30,
    )
)
def test_each_frame_is_later_than_the_one_before_it(came: list[tuple[Time, float]]) -> None:
    arrived = [sum(step for _, step in came[:at]) for at in range(len(came))]
    found = times([stated for stated, _ in came], arrived)

    assert all(later > earlier for earlier, later in pairwise(found))
    assert not found or found[0] == 0


def test_no_time_runs_ahead_of_what_has_passed_by_more_than_a_jump_a_frame() -> None:
    assert times([0, 1e9, 2e9], [0, 1, 2]) == pytest.approx([0, 1, 2])


def filled(*stated: Time) -> list[Time]:
    return [one.stated_s for one in with_first_times(Stamped(None, time_s, 0.0) for time_s in stated)]


def test_first_frames_without_a_time_get_it_from_those_that_follow() -> None:
    assert filled(None, 10.0, 10.5, 11.5) == [9.5, 10.0, 10.5, 11.5]
    assert filled(None, None, 10.0, 10.5) == [9.0, 9.5, 10.0, 10.5]


def test_frames_that_state_no_time_are_passed_on_as_they_are() -> None:
    assert filled(*[None] * 9) == [None] * 9
    assert filled(1.0, None, 3.0) == [1.0, None, 3.0]
    assert filled(None) == [None]


def test_few_frames_are_held_for_it() -> None:
    taken = 0

    def stream():
        nonlocal taken
        while True:
            taken += 1
            yield Stamped(None, None, 0.0)

    next(with_first_times(stream()))
    assert taken == MAX_HELD


def of_pace(pace: float, *, fps: float = 5.0, seconds: float = 40.0) -> tuple[list[float], list[float]]:
    """The times of a steady camera whose stamps go so many times as fast as its frames come, and their arrivals."""
    arrived = [at / fps for at in range(round(seconds * fps))]
    return times([1e3 + pace * at_s for at_s in arrived], arrived), arrived


@pytest.mark.parametrize("pace", [0.04, 0.2, 0.5, 0.7, 1.3, 2.0, 2.4, 12.5])
@pytest.mark.parametrize("fps", [1.0, 2.0, 5.0, 60.0])
def test_a_stream_whose_clock_goes_at_another_pace_goes_by_arrival_within_seconds(pace: float, fps: float) -> None:
    found, arrived = of_pace(pace, fps=fps)

    late = len(found) // 2
    assert found[-1] - found[late] == pytest.approx(arrived[-1] - arrived[late])
    assert abs(found[-1] - arrived[-1]) < 17 * max(pace, 1 / pace, 1) / 2


def test_a_clock_that_is_off_by_a_twentieth_is_found_within_a_minute_or_so() -> None:
    found, arrived = of_pace(1.06, seconds=120)
    assert found[-1] - arrived[-1] < 5


def test_a_clock_that_goes_right_again_is_trusted_again() -> None:
    arrived = [at / 5 for at in range(1000)]
    stated = [2 * min(at_s, 20) + max(0, at_s - 20) for at_s in arrived]
    jitter = [at_s + 0.04 * (at % 3) for at, at_s in enumerate(arrived)]
    found = times(stated, jitter)

    assert [later - earlier for earlier, later in pairwise(found[-50:])] == pytest.approx([0.2] * 49)


@pytest.mark.parametrize("span_s", [0.4, 1.5, 6.0])
def test_frames_that_come_in_gulps_keep_the_streams_times(span_s: float) -> None:
    """As segments of a few seconds do, or a network that stalls and catches up."""
    stated = [at / 10 for at in range(1200)]
    clock = StreamClock()
    found = []
    for at, time_s in enumerate(stated):
        gulp = int(time_s / span_s + 1e-9)
        jitter_s = (0.0, 0.3, -0.2, 0.1)[gulp % 4] * span_s / 2
        is_first = at == 0 or gulp != int(stated[at - 1] / span_s + 1e-9)
        found.append(clock.time_s(time_s, 100 + gulp * span_s + jitter_s, waited=is_first))

    assert found == pytest.approx(stated)
    assert clock.mended == 0


def test_what_is_sent_at_once_at_the_start_is_no_wrong_pace() -> None:
    stated = [at / 10 for at in range(600)]
    clock = StreamClock()
    found = [clock.time_s(time_s, max(0.0, time_s - 5), waited=time_s > 5) for time_s in stated]

    assert found == pytest.approx(stated)
    assert clock.mended == 0


def test_a_reader_slower_than_the_stream_learns_nothing_of_its_clock() -> None:
    stated = [at / 10 for at in range(300)]
    clock = StreamClock()
    assert [clock.time_s(time_s, 5 * time_s, waited=False) for time_s in stated] == pytest.approx(stated)


def test_frames_without_a_time_that_lay_ready_are_as_far_apart_as_usual() -> None:
    clock = StreamClock()
    before = [clock.time_s(None, at / 10) for at in range(60)][-1]
    came = [clock.time_s(None, 9.0, waited=False) for _ in range(10)]

    assert came == pytest.approx([before + (at + 1) / 10 for at in range(10)])
    assert clock.time_s(None, 9.5) == pytest.approx(9.5)


def test_a_stream_that_states_no_times_holds_no_frame_up() -> None:
    stamped = (Stamped(at, None, float(at), has_clock=False) for at in range(3))
    assert next(with_first_times(stamped)).what == 0


def test_what_is_served_whole_comes_as_fast_as_it_is_read_and_is_never_waited_for() -> None:
    assert Stamping(0.5).stamped("a", 3, 10.0, 10.1) == Stamped("a", 1.5, 10.1, waited=True)
    assert not Stamping(0.5).stamped("a", 3, 10.0, 10.0001).waited
    assert not Stamping(0.5, is_live=False).stamped("a", 3, 10.0, 10.1).waited
    assert Stamping(None).stamped("a", 3, 10.0, 10.1).stated_s is None


@pytest.mark.parametrize("pace", [0.5, 1.0, 2.0])
def test_where_no_one_waits_the_first_frames_have_right_times_too(pace: float) -> None:
    clock = StreamClock()
    stamped = [Stamped(at, pace * at / 5, at / 5) for at in range(300)]
    found = [clock.time_of(came) for came in with_judged_start(stamped, clock, 60)]

    assert found == pytest.approx([at / 5 for at in range(300)])


def test_a_short_recording_is_not_held_up_for_longer_than_it_is() -> None:
    taken: list[int] = []

    def stream() -> Iterator[Stamped[int]]:
        for at in range(100):
            taken.append(at)
            yield Stamped(at, None, at / 5)

    next(with_judged_start(stream(), StreamClock(), 1.0))
    assert len(taken) == 6
