from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskedskipunet.cues.cue import CueScore
from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.cues.movement_cue import MovementCue
from maskedskipunet.data.sized_frame import SizedFrame

Street = Callable[..., np.ndarray]
AsSized = Callable[..., list[SizedFrame]]


@pytest.fixture(scope="module")
def cue(learned: CueModel) -> MovementCue:
    assert learned.movement is not None
    return learned.movement


def scores(cue: MovementCue, frames: Sequence[SizedFrame]) -> list[CueScore]:
    run = cue.start_run()
    return [*run.add(frames), *run.finish()]


def values(cue: MovementCue, frames: Sequence[SizedFrame]) -> list[float | None]:
    return [found.score for found in scores(cue, frames)]


def test_what_is_faster_or_goes_the_other_way_is_strange_and_the_reading_says_why(
    cue: MovementCue, make_street: Street, as_sized: AsSized
) -> None:
    usual = max(found or 0 for found in values(cue, as_sized(make_street(8, seed=9)))[1:-1])

    fast, back = (scores(cue, as_sized(make_street(8, speed=speed, seed=9)))[2] for speed in (6.0, -2.0))

    assert (fast.score or 0) > usual + 0.5
    assert (back.score or 0) > usual + 0.3
    assert fast.reading is not None
    assert fast.reading.box is not None
    assert (fast.reading.speed_ratio or 0) > 1.2
    _, top, _, bottom = fast.reading.box
    assert top * 48 < 40
    assert bottom * 48 > 16


def test_each_frame_gets_one_score_and_waits_for_the_next_frame(
    cue: MovementCue, make_street: Street, as_sized: AsSized
) -> None:
    run, frames = cue.start_run(), as_sized(make_street(5))

    counts = [len(run.add([frame])) for frame in frames]

    assert counts == [0, 1, 1, 1, 1]
    assert len(run.finish()) == 1
    assert run.finish() == []
    assert cue.late_frames == 1


@settings(max_examples=8)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_in_turns_of_any_size_it_gives_what_it_gives_for_the_whole(sizes: list[int]) -> None:
    cue, street, as_sized = _shared["cue"], _shared["street"], _shared["as_sized"]
    frames = as_sized(street(10, seed=3), bad=(4,))
    run, found, rest = cue.start_run(), [], list(frames)
    for size in sizes:
        found += run.add(rest[:size])
        rest = rest[size:]
    found += [*run.add(rest), *run.finish()]

    assert [score.score for score in found] == values(cue, frames)


def test_a_bad_frame_breaks_the_run_and_a_single_frame_does_not_move(
    cue: MovementCue, make_street: Street, as_sized: AsSized
) -> None:
    street = make_street(7, seed=3)

    found = values(cue, as_sized(street, bad=(2, 4)))

    assert [number for number, score in enumerate(found) if score is None] == [2, 3, 4]
    assert found[:2] == values(cue, as_sized(street[:2]))
    assert found[5:] == values(cue, as_sized(street[5:]))
    assert values(cue, as_sized(street[:1])) == [None]
    assert values(cue, as_sized(street[:2], bad=(0, 1))) == [None, None]
    assert scores(cue, []) == []


def test_what_moves_where_it_is_ignored_changes_nothing(
    cue: MovementCue, make_street: Street, as_sized: AsSized
) -> None:
    usual = make_street(6, speed=0.0, seed=3)
    wild = usual.copy()
    wild[:, :, :12, 20:] = np.random.default_rng(0).integers(0, 256, wild[:, :, :12, 20:].shape)
    ignored = np.zeros((48, 96), bool)
    ignored[:12, 20:] = True

    assert values(cue, as_sized(wild, ignored=ignored)) == values(cue, as_sized(usual, ignored=ignored))
    assert max(values(cue, as_sized(wild)), key=lambda score: score or 0) != values(cue, as_sized(usual))[0]


_shared: dict[str, object] = {}


@pytest.fixture(autouse=True, scope="module")
def shared(cue: MovementCue, make_street: Street, as_sized: AsSized) -> None:
    """What the property is held against: hypothesis runs a test many times, and takes no fixtures of one call."""
    _shared.update(cue=cue, street=make_street, as_sized=as_sized)


def test_where_nothing_ever_moves_there_is_no_usual_speed(
    cue: MovementCue, make_street: Street, as_sized: AsSized
) -> None:
    fast = as_sized(make_street(8, speed=6.0, seed=9))
    quiet = replace(cue, normal=replace(cue.normal, moves=np.full_like(cue.normal.moves, 0.005)))

    usual, seldom = (scores(judged, fast)[3].reading for judged in (cue, quiet))

    assert usual is not None
    assert usual.speed_ratio is not None
    assert seldom is not None
    assert seldom.speed_ratio is None  # so its sentence says that hardly anything moves there
