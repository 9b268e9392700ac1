import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.detection.fusing import EventReason, fused
from maskedskipunet.detection.reading import CueReading, Moment

surprises = st.lists(st.floats(0.25, 12, width=32), min_size=1, max_size=4)


@given(surprises)
def test_a_fused_surprise_is_no_less_than_the_strangest_and_no_more_than_all_agreeing(values: list[float]) -> None:
    found = float(fused([np.float32(value) for value in values]))

    assert max(values) - 1e-5 <= found <= max(values) * len(values) ** 0.25 + 1e-4


@given(surprises, st.integers(0, 3), st.floats(0, 5, width=32))
def test_a_stranger_cue_never_lowers_it_and_their_order_does_not_matter(
    values: list[float], place: int, more: float
) -> None:
    base = float(fused([np.float32(value) for value in values]))
    raised = list(values)
    raised[place % len(values)] += more

    assert float(fused([np.float32(value) for value in raised])) >= base - 1e-5
    assert float(fused([np.float32(value) for value in reversed(values)])) == pytest.approx(base, rel=1e-5)


def test_maps_are_fused_pixel_by_pixel_as_scores_are() -> None:
    maps = [np.array([[3.0, 0.3]], np.float32), np.array([[1.0, 0.3]], np.float32)]

    found = fused(maps)

    assert found.dtype == np.float32
    for column in range(2):
        alone = fused([np.float32(layer[0, column]) for layer in maps])
        assert found[0, column] == pytest.approx(float(alone))


READINGS = {
    "reconstruction": CueReading(1.0, (0.0, 0.0, 0.5, 0.5)),
    "movement": CueReading(4.0, (0.5, 0.5, 1.0, 1.0), speed_ratio=2.5),
    "appearance": CueReading(2.0, nearest=Moment("monday", 61.5), lasting_s=60.0),
}


def test_the_strangest_cue_is_the_reason_and_shares_add_up_the_largest_first() -> None:
    reason = EventReason.of(READINGS)

    assert reason is not None
    assert reason.cue == "movement"
    assert reason.reading == READINGS["movement"]
    assert [*reason.shares] == ["movement", "appearance", "reconstruction"]
    assert sum(reason.shares.values()) == pytest.approx(1, abs=2e-3)
    assert reason.shares["movement"] == pytest.approx(256 / (256 + 16 + 1), abs=1e-3)


def test_a_model_of_its_network_alone_gives_no_reason() -> None:
    assert EventReason.of({}) is None


def test_cues_that_find_nothing_share_nothing() -> None:
    reason = EventReason.of({"movement": CueReading(0.0), "appearance": CueReading(-1.0)})

    assert reason is not None
    assert set(reason.shares.values()) == {0}


@given(
    st.dictionaries(st.sampled_from(["reconstruction", "movement", "appearance"]), st.floats(0, 12), min_size=1),
    st.booleans(),
)
def test_it_is_kept_as_plain_values_and_read_again(values: dict[str, float], with_more: bool) -> None:
    more = {"box": (0.1, 0.2, 0.3, 0.4), "nearest": Moment("a", 1.0), "lasting_s": 60.0} if with_more else {}
    reason = EventReason.of({name: CueReading(value, **more) for name, value in values.items()})  # type: ignore[arg-type]

    assert reason is not None
    assert EventReason.from_dict(json.loads(json.dumps(reason.to_dict()))) == reason


@pytest.mark.parametrize(
    "spoil",
    [
        lambda values: values | {"cue": "smell"},
        lambda values: values | {"shares": None},
        lambda values: values | {"readings": {"movement": 3}},
        lambda values: {name: value for name, value in values.items() if name != "shares"},
        lambda values: [],
    ],
)
def test_what_is_no_reason_is_refused(spoil) -> None:  # type: ignore[no-untyped-def]
    reason = EventReason.of(READINGS)
    assert reason is not None

    with pytest.raises((KeyError, TypeError, ValueError)):
        EventReason.from_dict(spoil(reason.to_dict()))
