import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskedskipunet.detection.drift import (
    BLOCK_S,
    FEWEST_SAMPLES,
    RELEASE_SHARE,
    SAMPLE_S,
    STAYS,
    STAYS_AT_LEAST,
    Block,
    Blocks,
    DriftChange,
    DriftReference,
    DriftWatch,
    clock_time,
    pooled,
    without_new_normal,
)
from maskedskipunet.detection.events import Event, EventRule
from maskedskipunet.errors import ShapeError

RULE = EventRule(threshold=0.5, release=0.4)
SIZE = 16
BED = (slice(8, 14), slice(2, 10))  # where other things lie later
Frames = list[tuple[float, float | None, Any]]


def frames(minutes: float, *, light: float = 1.0, bed: float = 1.0, seed: int = 0, begin_s: float = 0.0) -> Frames:
    """A frame every five seconds: errors of one pattern that light scales, and noise. A score is a map's highest."""
    random = np.random.default_rng(seed)
    pattern = 0.05 + 0.1 * np.random.default_rng(99).random((SIZE, SIZE))
    found: Frames = []
    for at in range(round(minutes * 12)):
        errors = pattern * light * random.uniform(0.9, 1.1, (SIZE, SIZE))
        errors[BED] *= bed
        found.append((begin_s + 5.0 * at, float(errors.max()), errors))
    return found


def blocks_of(video: Frames) -> list[Block]:
    gathering = Blocks()
    return [block for frame in video if (block := gathering.add(*frame))]


def changes_of(watch: DriftWatch, video: Frames) -> list[DriftChange]:
    return [change for frame in video if (change := watch.add(*frame))]


@pytest.fixture(scope="module")
def reference() -> DriftReference:
    """Four hours of light that comes and goes."""
    hours = [frames(61, light=light, seed=number) for number, light in enumerate((0.5, 1.0, 1.5, 0.8))]
    found = DriftReference.of([blocks_of(hour) for hour in hours])
    assert found is not None
    return found


def test_the_same_place_in_a_light_within_what_was_seen_is_no_drift(reference: DriftReference) -> None:
    assert changes_of(DriftWatch(reference), frames(120, light=1.2, seed=9)) == []


def test_other_things_in_one_corner_are_drift_after_a_quarter_of_an_hour_though_no_score_is_unusual(
    reference: DriftReference,
) -> None:
    video = frames(40, bed=0.3, seed=9)
    assert max(score or 0 for _, score, _ in video) <= reference.highest_usual

    (change,) = changes_of(DriftWatch(reference), video)

    assert (change.phase, change.since_s, change.time_s) == ("begin", 0.0, STAYS_AT_LEAST * BLOCK_S)
    assert change.departure > change.limit
    assert change.raised_by == 0
    assert change.describe().startswith(
        "drift: the scene has looked different from the calibration since 0:00 (it departs "
    )


def test_drift_ends_once_it_looks_as_before_for_most_of_half_an_hour(reference: DriftReference) -> None:
    video = frames(60, bed=3.0, seed=9) + frames(60, seed=8, begin_s=3600.0)

    begin, end = changes_of(DriftWatch(reference), video)

    assert (begin.phase, end.phase) == ("begin", "end")
    assert 3600 + STAYS // 2 * BLOCK_S <= end.time_s <= 3600 + (STAYS // 2 + 1) * BLOCK_S
    assert end.raised_by == 0
    assert end.describe().startswith("drift has ended: the scene looks as it did at calibration again, since ")


def test_drift_is_told_from_where_things_changed_not_from_where_it_was_first_looked_for(
    reference: DriftReference,
) -> None:
    (change,) = changes_of(DriftWatch(reference), frames(60, seed=9) + frames(60, bed=3.0, seed=8, begin_s=3600.0))

    assert (change.since_s, change.time_s) == (3600.0, 3600.0 + STAYS // 2 * BLOCK_S)


def test_what_comes_and_goes_within_minutes_is_no_drift_however_strong(reference: DriftReference) -> None:
    video = frames(120, seed=9)
    video = [
        (time_s, score * 20, errors * 20) if time_s % BLOCK_S < 0.4 * BLOCK_S else (time_s, score, errors)
        for time_s, score, errors in video
        if score is not None
    ]

    assert changes_of(DriftWatch(reference), video) == []


def test_while_drift_lasts_levels_are_raised_by_what_the_usual_score_has_risen(reference: DriftReference) -> None:
    watch = DriftWatch(reference)
    assert watch.rule(RULE) is RULE
    video = frames(30, bed=4.0, seed=9)
    (change,) = changes_of(watch, video)
    usual = float(np.median([score or 0 for _, score, _ in video]))

    raised = watch.rule(RULE)

    assert change.raised_by > 0
    assert raised.threshold - RULE.threshold == pytest.approx(usual - reference.highest_usual, rel=0.02)
    assert raised.release - RULE.release == pytest.approx(raised.threshold - RULE.threshold)
    changes_of(watch, frames(60, seed=8, begin_s=1800.0))
    assert watch.rule(RULE) is RULE


def test_a_departure_that_trembles_about_the_limit_makes_one_change(reference: DriftReference) -> None:
    watch = DriftWatch(reference)
    block = Block(0.0, 0.1, np.exp(np.array(reference.centre)) - reference.floor)
    away = np.random.default_rng(0).normal(size=len(reference.centre))
    away -= away @ np.array(reference.ordinary).T @ np.array(reference.ordinary)
    away *= reference.limit / np.sqrt((away**2).mean())
    told = []
    for at in range(40):
        share = 1.1 if at // 8 % 2 else (1 + RELEASE_SHARE) / 2
        places = (block.places + reference.floor) * np.exp(share * away) - reference.floor
        score_map = places.reshape(8, 8)
        for sample in range(60):
            told.append(watch.add(at * BLOCK_S + sample * 5.0, 0.1, score_map))

    assert [change.phase for change in told if change] == ["begin"]


def whole(reference: DriftReference, video: Frames) -> list[tuple[str, float, float, float, float]]:
    """The same over whole arrays: blocks first, then each departure, then where they cross."""
    cut: list[list[tuple[float, float | None, Any]]] = []
    for frame in (frame for frame in video if np.isfinite(frame[0])):
        starts_anew = not cut or not cut[-1][0][0] <= frame[0] < cut[-1][0][0] + BLOCK_S
        sampled = [other[0] for other in (cut[-1] if cut else []) if other[1] is not None and other[2] is not None]
        if starts_anew or (_thinned(sampled) and frame[0] < _thinned(sampled)[-1]):
            cut.append([])
        cut[-1].append(frame)
    full = []
    for block, after in pairwise(cut):
        usable = [frame for frame in block if frame[1] is not None and frame[2] is not None]
        times = _thinned([frame[0] for frame in usable])
        kept, left = [], list(usable)
        for time_s in times:
            frame = next(frame for frame in left if frame[0] == time_s)
            kept.append(frame)
            left = left[left.index(frame) + 1 :]
        if after[0][0] >= block[0][0] + BLOCK_S and len(kept) >= FEWEST_SAMPLES:
            places = np.median([pooled(frame[2]).astype(np.float64) for frame in kept], axis=0)
            score = float(np.median([frame[1] for frame in kept]))
            full.append((after[0][0], Block(block[0][0], score, places)))
    told, drifting = [], False
    for at in range(STAYS_AT_LEAST - 1, len(full)):
        recent = [block for _, block in full[max(0, at + 1 - STAYS) : at + 1]]
        moved = np.median([reference.unexplained(block) for block in recent], axis=0)
        departure = float(np.sqrt(np.mean(moved**2)))
        now = departure > reference.limit * (RELEASE_SHARE if drifting else 1)
        raised = max(0.0, float(np.median([block.score for block in recent])) - reference.highest_usual) if now else 0.0
        if now != drifting:
            own = [np.sqrt(np.mean(reference.unexplained(block) ** 2)) for block in recent]
            other = [place for place, far in enumerate(own) if (far > reference.limit * RELEASE_SHARE) != now]
            since = recent[min(max(other, default=-1) + 1, len(recent) - 1)].start_s
            told.append(("begin" if now else "end", full[at][0], since, departure, raised))
        drifting = now
    return told


def _thinned(times: list[float]) -> list[float]:
    kept: list[float] = []
    for time_s in times:
        if not kept or time_s - kept[-1] >= SAMPLE_S:
            kept.append(time_s)
    return kept


STRETCHES = st.lists(
    st.tuples(
        st.sampled_from([0.4, 4.0, 11.0, 26.0]),  # minutes
        st.sampled_from([1.0, 1.0, 0.2, 4.0]),  # what lies on the bed
        st.sampled_from([0.0, 0.2, 2.0, 3000.0, -4.0, -2000.0]),  # seconds that the clock jumps before
        st.sampled_from([0.0, 0.1, 0.9]),  # share of frames without a score
        st.sampled_from([5.0, 5.0, 0.7]),  # seconds between frames
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=12)
@given(STRETCHES, st.integers(0, 3))
def test_the_stream_tells_what_whole_arrays_tell_whatever_the_clock_does(
    reference: DriftReference, stretches: list[tuple[float, float, float, float, float]], seed: int
) -> None:
    random = np.random.default_rng(seed)
    video: Frames = []
    now_s = 0.0
    for minutes, bed, jump_s, share, step_s in stretches:
        now_s += jump_s
        shown = frames(1, bed=bed, seed=seed)
        for _ in range(round(minutes * 60 / step_s)):
            _, score, errors = shown[int(random.integers(len(shown)))]
            video.append((now_s, None, None) if random.random() < share else (now_s, score, errors))
            now_s += step_s
        video.append((float("nan"), 1.0, shown[0][2]))

    told = [
        (change.phase, change.time_s, change.since_s, change.departure, change.raised_by)
        for change in changes_of(DriftWatch(reference), video)
    ]

    expected = whole(reference, video)
    assert [one[:3] for one in told] == [one[:3] for one in expected]
    np.testing.assert_allclose([one[3:] for one in told], [one[3:] for one in expected], rtol=1e-6)


def test_of_a_fast_source_no_more_is_kept_than_a_frame_a_second_of_one_block() -> None:
    gathering, score_map = Blocks(), np.ones((8, 8), np.float32)
    for at in range(20_000):
        gathering.add(at / 25, 1.0, score_map)

        assert len(gathering._places) <= BLOCK_S / SAMPLE_S + 1


def test_places_are_means_of_maps_whose_sides_need_not_divide() -> None:
    score_map = np.random.default_rng(0).random((19, 37))
    rows, columns = (np.linspace(0, length, 9).astype(int) for length in score_map.shape)
    expected = [
        score_map[top:bottom, left:right].mean() for top, bottom in pairwise(rows) for left, right in pairwise(columns)
    ]

    np.testing.assert_allclose(pooled(score_map), expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(64,), (7, 64), (1, 8, 8)])
def test_what_is_no_map_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="a score map of shape"):
        pooled(np.ones(shape))


def test_from_less_than_two_hours_nothing_is_learned_of_what_is_ordinary() -> None:
    assert DriftReference.of([blocks_of(frames(110))]) is None
    assert DriftReference.of([]) is None


def test_footage_that_is_one_picture_has_a_reference_by_which_it_is_ordinary_itself() -> None:
    still: Frames = [(5.0 * at, 0.1, np.full((8, 8), 0.1)) for at in range(1600)]
    found = DriftReference.of([blocks_of(still)])

    assert found is not None
    assert found.ordinary == ()
    assert changes_of(DriftWatch(found), still) == []
    black: Frames = [(time_s, score, np.zeros((8, 8))) for time_s, score, _ in still]
    assert DriftReference.of([blocks_of(black)]) is not None


def test_a_reference_is_told_and_understood_again(reference: DriftReference) -> None:
    assert DriftReference.from_dict(json.loads(json.dumps(reference.to_dict()))) == reference


@pytest.mark.parametrize(
    "change",
    [{"centre": [1.0]}, {"limit": 0}, {"floor": "x"}, {"ordinary": [[1.0]]}, {"ordinary": 3}, {"limit": float("nan")}],
)
def test_a_damaged_reference_is_refused(reference: DriftReference, change: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        DriftReference.from_dict(reference.to_dict() | change)


def test_in_hindsight_the_new_normal_makes_no_event_and_what_rises_above_it_stays() -> None:
    begin = DriftChange("begin", 900.0, 0.0, 0.2, 0.1, 0.6, 0.3, 0.3)
    event = Event("a", "v", 10, 20, 15, 50, 100, 75, 0.7, 0.6, ())
    high, later = replace(event, id="b", top_score=0.9), replace(event, id="c", peak_s=1000.0)

    assert without_new_normal([event, high, later], [begin], RULE) == [high, later]
    assert without_new_normal([event], [], RULE) == [event]


def test_in_hindsight_events_from_before_the_new_normal_began_and_after_it_was_known_stay() -> None:
    begin = DriftChange("begin", 900.0, 300.0, 0.2, 0.1, 0.6, 0.3, 0.3)
    end = replace(begin, phase="end", time_s=2000.0, since_s=1500.0)
    event = Event("a", "v", 10, 20, 15, 50, 100, 75, 0.7, 0.6, ())
    peaks_s = [299.0, 300.0, 900.0, 901.0, 1700.0]
    events = [replace(event, id=str(at), peak_s=peak_s) for at, peak_s in enumerate(peaks_s)]

    assert [kept.peak_s for kept in without_new_normal(events, [begin, end], RULE)] == [299.0, 901.0, 1700.0]


def test_a_time_of_day_is_hours_and_minutes() -> None:
    assert [clock_time(time_s) for time_s in (0, 59.9, 605, 3661, 360_000)] == [
        "0:00",
        "0:00",
        "0:10",
        "1:01",
        "100:00",
    ]


# By looks


def looks(minutes: float, *, strange: int = 0, seed: int = 0, begin_s: float = 0.0) -> Frames:
    """How rare each of 100 places looks, every ten seconds: one in three at most, and some places one in a hundred."""
    random = np.random.default_rng(seed)
    found: Frames = []
    for number in range(round(minutes * 6)):
        seen = random.uniform(0.1, 0.5, 100)
        seen[:strange] = random.uniform(1.6, 2.5, strange)
        found.append((begin_s + 10.0 * number, float(seen.max()), seen))
    return found


@pytest.fixture(scope="module")
def by_looks() -> DriftReference:
    found = DriftReference.of([blocks_of(looks(61, seed=hour)) for hour in range(4)], "looks")
    assert found is not None
    return found


@pytest.mark.parametrize(("strange", "is_drift"), [(0, False), (5, False), (6, True), (60, True)])
def test_drift_by_looks_is_more_than_a_twentieth_of_the_places_that_stay_rare(
    by_looks: DriftReference, strange: int, is_drift: bool
) -> None:
    watch = DriftWatch(by_looks)

    changes = changes_of(watch, [*looks(31, seed=8), *looks(61, strange=strange, seed=9, begin_s=31 * 60.0)])

    assert [change.phase for change in changes] == ["begin"] * is_drift
    if is_drift:
        assert changes[0].departure == pytest.approx(strange / 100)
        assert changes[0].since_s == pytest.approx(30 * 60, abs=BLOCK_S)


def test_what_passes_within_minutes_is_no_drift(by_looks: DriftReference) -> None:
    visit = [*looks(40, seed=1), *looks(9, strange=80, seed=2, begin_s=2400.0), *looks(60, seed=3, begin_s=2940.0)]

    assert not changes_of(DriftWatch(by_looks), visit)


def test_a_calibration_whose_places_stay_rare_allows_as_much() -> None:
    restless = DriftReference.of([blocks_of(looks(61, strange=20, seed=hour)) for hour in range(4)], "looks")

    assert restless is not None
    assert restless.limit == pytest.approx(0.25)
    assert not changes_of(DriftWatch(restless), looks(61, strange=24, seed=7))
    assert changes_of(DriftWatch(restless), looks(61, strange=26, seed=7))


def test_a_reference_by_looks_is_read_back_and_one_without_a_measure_is_by_errors(
    by_looks: DriftReference, reference: DriftReference
) -> None:
    assert DriftReference.from_dict(json.loads(json.dumps(by_looks.to_dict()))) == by_looks
    earlier = {name: value for name, value in reference.to_dict().items() if name != "measure"}
    assert DriftReference.from_dict(earlier) == reference
    with pytest.raises(ValueError, match="judged by 'sound'"):
        DriftReference.from_dict(by_looks.to_dict() | {"measure": "sound"})


def test_a_watch_that_takes_over_another_measure_begins_anew(
    by_looks: DriftReference, reference: DriftReference
) -> None:
    watch = DriftWatch(by_looks)
    assert changes_of(watch, looks(61, strange=40))

    watch.take_over(reference)

    assert not watch.is_drifting or not watch.raised_by
    assert not changes_of(watch, looks(11, strange=40, begin_s=3660.0))  # places of another kind say nothing
