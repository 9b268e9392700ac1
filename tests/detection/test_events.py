from dataclasses import replace
from itertools import count, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.detection.events import (
    Event,
    EventRule,
    EventStream,
    Levels,
    find_events,
)
from maskedskipunet.errors import ConfigError, ShapeError

NAN = float("nan")


def rule(**changes: float) -> EventRule:
    plain = {"threshold": 10.0, "release": 5.0, "shortest_s": 0.0, "merge_s": 2.0, "pause_s": 0.0}
    return EventRule(**plain | changes)


def found(scores: list[float], times: list[float] | None = None, **changes: float) -> list[tuple[int, int, int]]:
    """Start, end and peak of each event, a frame a second unless times are given."""
    time_s = np.arange(float(len(scores))) if times is None else np.array(times)
    events = find_events("a", np.arange(len(scores)), time_s, np.array(scores), rule(**changes))
    return [(event.start_frame, event.end_frame, event.peak_frame) for event in events]


def streamed(index: np.ndarray, time_s: np.ndarray, scores: np.ndarray, how: EventRule) -> list[Any]:
    stream = EventStream("a", how, normal_share=lambda score: 1 / (1 + score), new_id=map(str, count()).__next__)
    told = []
    for at, time, score in zip(index.tolist(), time_s.tolist(), scores.tolist(), strict=True):
        told += stream.add(at, time, None if np.isnan(score) else score)
    return told + stream.finish()


STEPS = st.one_of(st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 7.0, -0.3, -5.0, NAN]), st.floats(0, 3))
FRAMES = st.lists(st.tuples(STEPS, st.sampled_from([0.0, 4.9, 5.0, 7.0, 9.9, 10.0, 12.0, 30.0, NAN])), max_size=60)
RULES = st.builds(
    rule,
    release=st.sampled_from([5.0, 10.0]),
    shortest_s=st.sampled_from([0.0, 0.3, 1.0]),
    merge_s=st.sampled_from([0.0, 0.5, 2.0]),
    pause_s=st.sampled_from([0.0, 1.0, 6.0]),
    update_s=st.sampled_from([0.0, 1.0]),
)


@given(FRAMES, RULES)
def test_whole_arrays_give_exactly_the_events_of_the_stream_whatever_the_clock_does(
    frames: list[tuple[float, float]], how: EventRule
) -> None:
    steps, scores = (np.array(column) for column in zip(*frames, strict=True)) if frames else (np.empty(0),) * 2
    time_s = np.where(np.isnan(steps), NAN, np.nancumsum(steps))
    index = 3 * np.arange(len(frames))

    told = streamed(index, time_s, scores, how)
    whole = find_events(
        "a", index, time_s, scores, how, normal_share=lambda score: 1 / (1 + score), new_id=map(str, count()).__next__
    )

    assert [update.event for update in told if update.phase == "end"] == whole


@given(FRAMES, RULES, st.lists(st.sampled_from([(10.0, 5.0), (12.0, 9.9), (5.0, 4.9), (30.0, 30.0)]), min_size=1))
def test_levels_that_change_from_frame_to_frame_give_the_same_whole_as_streamed(
    frames: list[tuple[float, float]], how: EventRule, cycle: list[tuple[float, float]]
) -> None:
    steps, scores = (np.array(column) for column in zip(*frames, strict=True)) if frames else (np.empty(0),) * 2
    time_s = np.where(np.isnan(steps), NAN, np.nancumsum(steps))
    index = 3 * np.arange(len(frames))
    pairs = np.array([cycle[at % len(cycle)] for at in range(len(frames))]).reshape(-1, 2)
    stream = EventStream("a", how, new_id=map(str, count()).__next__)
    told = []
    for at, time, score, (threshold, release) in zip(index.tolist(), time_s.tolist(), scores, pairs, strict=True):
        # How long things last is the stream's to say, whatever the frame's rule says of it.
        levels = replace(how, threshold=threshold, release=release, merge_s=99, pause_s=99, shortest_s=99)
        told += stream.add(at, time, None if np.isnan(score) else float(score), rule=levels)
    told += stream.finish()

    levels = Levels(pairs[:, 0], pairs[:, 1])
    whole = find_events("a", index, time_s, scores, how, levels=levels, new_id=map(str, count()).__next__)
    assert [update.event for update in told if update.phase == "end"] == whole
    if len(cycle) == 1:
        same = replace(how, threshold=cycle[0][0], release=cycle[0][1])
        assert whole == find_events("a", index, time_s, scores, same, new_id=map(str, count()).__next__)


@given(FRAMES, RULES)
def test_each_event_is_new_once_then_updated_and_ends_once_and_never_shrinks(
    frames: list[tuple[float, float]], how: EventRule
) -> None:
    time_s = np.nancumsum([step for step, _ in frames])
    told = streamed(np.arange(len(frames)), time_s, np.array([score for _, score in frames]), how)

    by_id: dict[str, list[Any]] = {}
    for update in told:
        by_id.setdefault(update.event.id, []).append(update)
    for updates in by_id.values():
        phases = [update.phase for update in updates]
        assert (phases[0], phases[-1], phases.count("new"), phases.count("end")) == ("new", "end", 1, 1)
        events: list[Event] = [update.event for update in updates]
        assert len({(event.start_s, event.start_frame) for event in events}) == 1
        for earlier, later in pairwise(events):
            assert later.end_s >= earlier.end_s
            assert later.top_score >= earlier.top_score
        assert events[-1].top_score >= how.threshold
        assert how.release <= events[-1].mean_score <= events[-1].top_score
    ends = [event.event for event in told if event.phase == "end"]
    assert [event.start_frame for event in ends] == sorted(event.start_frame for event in ends)


@given(FRAMES, st.integers(0, 60), RULES)
def test_what_is_told_does_not_depend_on_what_is_to_come(
    frames: list[tuple[float, float]], cut: int, how: EventRule
) -> None:
    time_s = np.nancumsum([step for step, _ in frames])
    scores = np.array([score for _, score in frames])

    def told(until: int) -> list[Any]:
        stream = EventStream("a", how, new_id=map(str, count()).__next__)
        return [u for at in range(min(until, len(frames))) for u in stream.add(at, time_s[at], scores[at])]

    assert told(len(frames))[: len(told(cut))] == told(cut)


def test_an_event_begins_at_the_threshold_and_goes_on_down_to_the_release_level() -> None:
    assert found([0, 9, 10, 6, 12, 5, 4, 9, 0]) == [(2, 5, 4)]


def test_once_below_the_release_level_only_the_threshold_takes_it_up_again() -> None:
    assert found([10, 4, 9, 0]) == [(0, 0, 0)]
    assert found([10, 4, 10, 9, 0]) == [(0, 3, 0)]


def test_gaps_are_merged_up_to_their_longest() -> None:
    assert found([10, 0, 10]) == [(0, 2, 0)]
    assert found([10, 0, 0, 10]) == [(0, 0, 0), (3, 3, 3)]


def test_what_is_shorter_than_the_shortest_is_none_and_gaps_do_not_count_towards_it() -> None:
    assert found([10, 0, 10, 0, 10], shortest_s=1) == []
    assert found([10, 10, 0], shortest_s=1) == [(0, 1, 0)]
    assert found([10, 7, 0, 11, 7], shortest_s=2) == [(0, 4, 3)]


def test_after_an_event_none_begins_for_the_pause_and_what_still_goes_on_then_is_told_anew() -> None:
    assert found([10, 0, 0, 0, 10, 10, 10, 9], pause_s=6) == [(0, 0, 0), (6, 7, 6)]
    assert found([10, 0, 0, 0, 10, 0, 0, 0, 0], pause_s=6) == [(0, 0, 0)]


def test_a_pause_is_counted_from_the_end_of_the_event_and_not_from_its_start() -> None:
    scores = [10.0] * 5 + [0.0] * 3 + [10.0] * 2 + [0.0] * 3 + [10.0]
    # The event ends at second 4: high scores at second 8 lie within the pause, those at second 13 do not.
    assert found(scores, pause_s=6) == [(0, 4, 0), (13, 13, 13)]
    told = streamed(np.arange(14), np.arange(14.0), np.array(scores), rule(pause_s=6))
    ends = [(update.event.start_frame, update.event.end_frame) for update in told if update.phase == "end"]
    assert ends == [(0, 4), (13, 13)]


def test_frames_without_a_score_neither_end_an_event_nor_make_it_last() -> None:
    assert found([10, NAN, 7, 0]) == [(0, 2, 0)]
    assert found([10, NAN, NAN, NAN, 7, 0]) == [(0, 0, 0)]
    assert found([NAN, NAN]) == []


def test_times_are_the_streams_own_however_unevenly_they_come() -> None:
    times = np.array([0.0, 0.04, 0.5, 0.51, 9.0])
    (event,) = find_events("cam", 10 * np.arange(5), times, np.array([0, 10, 11, 6, 0.0]), rule())

    assert (event.start_s, event.peak_s, event.end_s) == (0.04, 0.5, 0.51)
    assert (event.start_frame, event.peak_frame, event.end_frame) == (10, 20, 30)
    assert (event.source, event.top_score, event.mean_score, event.boxes) == ("cam", 11.0, 9.0, ())


def test_a_clock_set_back_while_an_event_goes_on_does_not_end_it_before_it_began() -> None:
    (event,) = find_events(
        "a", np.arange(4), np.array([100.0, 101.0, 3.0, 4.0]), np.array([10, 10, 10, 10.0]), rule(shortest_s=1.5)
    )

    assert (event.start_s, event.end_s) == (100.0, 102.0)


def test_after_a_clock_was_set_back_events_have_the_sources_times() -> None:
    (event,) = find_events("a", np.arange(3), np.array([100.0, 3.0, 4.0]), np.array([0.0, 10.0, 10.0]), rule())

    assert (event.start_s, event.end_s) == (3.0, 4.0)


def test_boxes_are_asked_for_at_an_events_highest_frames_alone_and_are_those_of_its_peak() -> None:
    asked = []

    def boxes(at: int) -> Any:
        return lambda: asked.append(at) or ((at, 0, 1, 1),)

    stream = EventStream("a", rule())
    told = [update for at, score in enumerate([0, 10, 8, 12, 6]) for update in stream.add(at, at, score, boxes(at))]

    assert asked == [1, 3]
    assert [update.event.boxes for update in (told + stream.finish())] == [((1, 0, 1, 1),), ((3, 0, 1, 1),)]


def test_a_running_event_is_updated_no_more_often_than_the_rule_says() -> None:
    told = streamed(np.arange(21), np.arange(21.0) / 2, np.full(21, 10.0), rule(update_s=3))

    assert [(update.phase, update.event.end_s) for update in told] == [
        ("new", 0.0),
        ("update", 3.0),
        ("update", 6.0),
        ("update", 9.0),
        ("end", 10.0),
    ]


def test_events_are_told_apart_across_restarts() -> None:
    ids = {find_events("a", np.arange(1), np.zeros(1), np.full(1, 10.0), rule())[0].id for _ in range(9)}

    assert len(ids) == 9


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"threshold": NAN}, "a threshold of nan"),
        ({"release": 11}, "no higher than the threshold"),
        ({"shortest_s": -1}, "rule.shortest_s: -1 seconds"),
        ({"merge_s": float("inf")}, "rule.merge_s: inf seconds"),
        ({"pause_s": NAN}, "rule.pause_s: nan seconds"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(changes: dict[str, float], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        rule(**changes)


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ShapeError, match="a: "):
        find_events("a", np.arange(2), np.zeros(2), np.zeros(3), rule())
