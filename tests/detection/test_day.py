import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.detection.day import DAY_S, DayAlarms, DayPart, PartAlarms, read_parts, require_apart
from maskedskipunet.detection.events import EventRule
from maskedskipunet.errors import ConfigError

RULE = EventRule(threshold=2.0, release=1.0)
minutes = st.integers(0, 24 * 60 - 1)


def lies_in(minute: int, start: int, end: int) -> bool:
    """Walk from the start until the end, a minute at a time."""
    at = start
    while True:
        if at == minute:
            return True
        at = (at + 1) % 1440
        if at == end % 1440:
            return False


@given(minutes, minutes, minutes, st.integers(-2, 3))
def test_a_part_holds_the_times_from_its_start_up_to_its_end_over_midnight_too(
    minute: int, start: int, end: int, days: int
) -> None:
    if start == end:
        return
    part = DayPart("a", start * 60, end * 60)

    assert bool(part.holds(minute * 60.0 + 59.9 + days * DAY_S)) == lies_in(minute, start, end)
    assert part.holds(np.array([minute * 60.0, np.nan])).tolist() == [lies_in(minute, start, end), False]


@given(st.lists(minutes, min_size=2, max_size=6, unique=True), st.integers(0, 5), minutes)
def test_parts_that_are_apart_hold_no_time_twice(edges: list[int], turn: int, minute: int) -> None:
    ordered = sorted(edges)
    ordered = ordered[turn % len(ordered) :] + ordered[: turn % len(ordered)]
    around = [*zip(ordered, ordered[1:] + ordered[:1], strict=True)]
    text = ",".join(f"p{at}={a // 60}:{a % 60:02d}-{b // 60}:{b % 60:02d}" for at, (a, b) in enumerate(around))

    parts = read_parts(text)
    assert sum(bool(part.holds(minute * 60.0)) for part in parts) == 1


@given(minutes, minutes, minutes, minutes)
def test_parts_that_have_a_time_in_common_are_refused(a: int, b: int, c: int, d: int) -> None:
    if a == b or c == d:
        return
    one, other = DayPart("one", a * 60, b * 60), DayPart("other", c * 60, d * 60)
    times = np.arange(1440) * 60.0
    if (one.holds(times) & other.holds(times)).any():
        with pytest.raises(ConfigError, match="overlap"):
            require_apart([one, other])
    else:
        require_apart([one, other])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'' is no part of the day"),
        ("day", "'day' is no part of the day"),
        ("day=7", "'day=7' is no part of the day"),
        ("=7-20", "'=7-20' is no part of the day"),
        ("day=7-20,", "'' is no part of the day"),
        ("day=7-25", "'25' is no time of day"),
        ("day=7:5-20", "'7:5' is no time of day"),
        ("day=7-20:60", "'20:60' is no time of day"),
        ("day=7-24:01", "'24:01' is no time of day"),
        ("day=7-7", "day (07:00 to 07:00) is no part of a day"),
        ("day=24-7", "day (24:00 to 07:00) is no part of a day"),
        ("day=7-20,day=20-7", "day is named twice"),
        ("day=7-20,night=19-7", "day (07:00 to 20:00) and night (19:00 to 07:00) overlap"),
    ],
)
def test_what_are_no_parts_is_refused_in_one_line(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_parts(text)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_whole_day_is_a_part_and_hours_and_minutes_are_read() -> None:
    assert read_parts(" all day = 0-24 ") == (DayPart("all day", 0, DAY_S),)
    assert read_parts("a=7:30-20,b=20-07:30") == (DayPart("a", 27000, 72000), DayPart("b", 72000, 27000))


def test_a_part_with_too_little_footage_has_no_rule_of_its_own() -> None:
    day, night = read_parts("day=7-20,night=20-7")
    alarms = DayAlarms((PartAlarms(day, RULE, 0.5, 13.0, 2), PartAlarms(night, None, None, 0.1, 0)), "%H")

    assert alarms.rule_at(8 * 3600) == RULE
    assert alarms.rule_at(21 * 3600) is None
    assert alarms.rule_at(float("nan")) is None
    assert DayAlarms.from_dict(alarms.to_dict()) == alarms
