import json

import pytest

from maskedskipunet.detection.reading import CUES, CueReading, Moment

FULL = CueReading(3.5, (0.0, 0.25, 0.5, 0.75), speed_ratio=2.0, nearest=Moment("monday", 61.5), lasting_s=60.0)


def test_the_cues_are_these_in_the_order_of_tables() -> None:
    assert tuple(CUES) == ("reconstruction", "movement", "appearance")


@pytest.mark.parametrize(
    "reading", [FULL, CueReading(0.3), CueReading(1.0, nearest=Moment("a", 0.0)), CueReading(1.0, finding="a bang")]
)
def test_a_reading_is_kept_as_plain_values_and_read_again(reading: CueReading) -> None:
    assert CueReading.from_dict(json.loads(json.dumps(reading.to_dict()))) == reading


def test_what_a_cue_does_not_say_is_left_out() -> None:
    assert CueReading(0.3).to_dict() == {"surprise": 0.3}
    assert FULL.to_dict()["nearest"] == {"video": "monday", "time_s": 61.5}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"surprise": 1.0, "smell": 2.0},
        {"surprise": 1.0, "box": 3},
        {"surprise": 1.0, "box": ["a", 0, 0, 0]},
        {"surprise": 1.0, "nearest": {"video": "a"}},
        {"surprise": 1.0, "nearest": 5},
    ],
    ids=str,
)
def test_what_is_no_reading_is_refused(values: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        CueReading.from_dict(values)
