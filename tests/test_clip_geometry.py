import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.clip_geometry import ClipGeometry
from maskedskipunet.errors import ConfigError

geometries = st.builds(ClipGeometry, st.sampled_from([1, 3, 5, 7]), st.integers(1, 6))


@given(geometries, st.integers(0, 50))
def test_a_clip_has_its_frames_around_its_target_as_far_apart_as_they_should_lie(
    geometry: ClipGeometry, target: int
) -> None:
    frames = [*geometry.frames_of(target)]

    assert len(frames) == geometry.length
    assert frames[geometry.length // 2] == target
    assert {later - earlier for earlier, later in itertools.pairwise(frames)} <= {geometry.spacing}
    assert (frames[0], frames[-1]) == (target - geometry.half_span, target + geometry.half_span)
    assert geometry.span == frames[-1] - frames[0] + 1 == geometry.spacing * (geometry.length - 1) + 1


@given(geometries, st.integers(0, 20), st.integers(-5, 30))
def test_a_clip_is_inside_where_all_its_frames_are(geometry: ClipGeometry, count: int, target: int) -> None:
    expected = all(0 <= position < count for position in geometry.frames_of(target))

    assert geometry.is_inside(target, count) == expected


@given(geometries, st.integers(1, 12), st.integers(0, 200))
def test_a_frame_is_needed_if_a_clip_that_is_scored_holds_it(geometry: ClipGeometry, every: int, position: int) -> None:
    reach = range(position - geometry.half_span, position + geometry.half_span + 1)
    in_a_clip = any(target % every == 0 and position in geometry.frames_of(target) for target in reach)

    assert geometry.is_needed(position, every) == in_a_clip


def test_times_of_a_clip_follow_from_the_rate_of_sampled_frames() -> None:
    assert ClipGeometry(3, spacing=4).span_s(10) == pytest.approx(0.8)
    assert ClipGeometry(5, spacing=2).delay_s(8) == pytest.approx(0.5)
    assert ClipGeometry(1, spacing=9).span_s(25) == 0


@pytest.mark.parametrize(("length", "spacing"), [(0, 1), (2, 1), (-1, 1), (3, 0), (3, -2)])
def test_a_clip_that_cannot_be_is_refused(length: int, spacing: int) -> None:
    with pytest.raises(ConfigError):
        ClipGeometry(length, spacing)
