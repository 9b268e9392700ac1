from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.data.stream_clock import MOST_HELD, Stamped, StreamClock, with_first_times

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
    assert taken == MOST_HELD
