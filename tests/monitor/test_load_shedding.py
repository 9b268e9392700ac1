import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.clip_geometry import ClipGeometry
from maskedskipunet.monitor.load_shedding import MAX_EVERY, LoadShedder


def simulate(
    cost_s: float, rate: float, for_s: float, load_shedder: LoadShedder, *, start_s: float = 0.0, halt_s: float = 0.0
) -> list[tuple[float, int]]:
    """A machine on which a scored frame costs so much: how long the oldest frame waited at each turn, and `every`.

    halt_s: every half a minute it does nothing for so long.
    """
    now_s, arrived, done, busy_s, seen = start_s, 0.0, 0, 0.0, []
    halts = 0
    while now_s < start_s + for_s:
        if halt_s and now_s - start_s > 30 * (halts + 1):
            halts += 1
            now_s += halt_s
            busy_s += halt_s
        arrived = (now_s - start_s) * rate
        waiting = int(arrived) - done
        oldest_s = waiting / rate if waiting else 0.0
        load_shedder.update(now_s, oldest_s, busy_s)
        taken = min(8, waiting)
        late = max(0, min(taken, int((oldest_s - 2.0) * rate)))
        busy_s = cost_s * sum((done + at) % load_shedder.every == 0 for at in range(late, taken))
        done += taken
        now_s += max(busy_s, 0.01)
        seen.append((oldest_s, load_shedder.every))
    return seen


def test_a_machine_that_keeps_up_leaves_no_frame_out() -> None:
    assert {every for _, every in simulate(0.02, 25, 60, LoadShedder(2.0))} == {1}


@pytest.mark.parametrize("cost_s", [0.06, 0.2, 1.0])
def test_a_machine_that_cannot_keep_up_leaves_out_enough_that_no_frame_waits_longer(cost_s: float) -> None:
    seen = simulate(cost_s, 25, 120, LoadShedder(2.0))

    assert max(oldest_s for oldest_s, _ in seen) < 2.0 + 8 * cost_s
    settled = seen[len(seen) // 2 :]
    assert max(oldest_s for oldest_s, _ in settled) < 2.0
    assert max(every for _, every in settled) <= 8 * cost_s * 25  # nor many more than must be


@pytest.mark.parametrize("halt_s", [1.5, 3.0, 6.0])
def test_a_machine_that_halts_now_and_then_leaves_out_little_more_than_what_came_meanwhile(halt_s: float) -> None:
    seen = simulate(0.01, 25, 300, LoadShedder(2.0), halt_s=halt_s)

    assert max(every for _, every in seen) <= 4
    assert sum(every > 1 for _, every in seen) < 0.2 * len(seen)


def test_a_machine_that_can_score_nothing_at_all_still_tries_one_frame_of_so_many() -> None:
    load_shedder = LoadShedder(2.0)
    for second in range(10_000):
        load_shedder.update(float(second), 2.0 + second, 1.0)

    assert load_shedder.every == MAX_EVERY


def test_frames_are_taken_again_when_the_machine_is_free_again() -> None:
    load_shedder = LoadShedder(2.0)
    simulate(0.5, 25, 60, load_shedder)
    assert load_shedder.every > 8

    assert simulate(0.01, 25, 600, load_shedder, start_s=60)[-1][1] == 1


@given(st.integers(1, 12), st.integers(0, 3), st.integers(0, 200))
def test_a_frame_is_needed_if_a_clip_that_is_scored_holds_it(every: int, half: int, place: int) -> None:
    in_a_clip = any(target % every == 0 for target in range(place - half, place + half + 1))

    assert ClipGeometry(2 * half + 1).is_needed(place, every) == in_a_clip
