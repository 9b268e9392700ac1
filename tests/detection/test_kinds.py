"""Which alarms are of one kind."""

from dataclasses import replace

import pytest

from maskedskipunet.detection import kinds
from maskedskipunet.detection.events import Event
from maskedskipunet.detection.fusing import EventReason
from maskedskipunet.detection.kinds import Kind, Kinds, are_alike, of_one_kind, with_kinds
from maskedskipunet.detection.reading import APPEARANCE, MOVEMENT, CueReading, Moment

LOOK = (0.3, 0.1, 0.0, 0.2)


def reason(cue=APPEARANCE, *, left=0.2, look=LOOK, spread=0.1, speed=1.0, lasting_s=None):
    box = (left, 0.2, left + 0.2, 0.4)
    readings = {
        APPEARANCE: CueReading(4.0, box, nearest=Moment("day", 3.0), lasting_s=lasting_s, look=look, spread=spread),
        MOVEMENT: CueReading(2.0, box, speed_ratio=speed),
    }
    return EventReason(cue, {cue: 0.9, **dict.fromkeys(readings.keys() - {cue}, 0.1)}, readings)


def event(event_id, start_s, why):
    return Event(event_id, "door", start_s, start_s + 1, start_s, 0, 1, 0, 5.0, 4.0, (), None, why)


@pytest.mark.parametrize(
    "changed",
    [
        {"left": 0.4},
        {"look": (0.25, 0.15, 0.05, 0.3)},
        {"spread": 0.2},
        {"speed": 2.8},
        {"speed": None},
        {"look": None},
        {"speed": 0.0},
    ],
)
def test_a_little_elsewhere_or_a_little_other_is_the_same_kind(changed):
    base = reason(speed=0.4) if changed == {"speed": 0.0} else reason()
    assert are_alike(base, reason(**changed))
    assert are_alike(reason(**changed), base)


@pytest.mark.parametrize(
    "changed",
    [
        {"cue": MOVEMENT},
        {"left": 0.6},
        {"look": (-0.3, -0.1, 0.0, -0.2)},
        {"look": (0.3,)},
        {"spread": None},
        {"spread": 0.4},
        {"speed": 3.3},
        {"lasting_s": 60.0},
    ],
)
def test_another_cue_place_look_size_or_speed_is_another_kind(changed):
    assert not are_alike(reason(), reason(**changed))
    assert not are_alike(reason(**changed), reason())


def test_events_are_of_the_kind_of_the_first_that_is_like_them():
    whys = [reason(), reason(left=0.7), reason(left=0.25), None, reason(speed=5.0), reason(left=0.65)]
    found = with_kinds([event(name, 10.0 * at, why) for at, (name, why) in enumerate(zip("abcdef", whys, strict=True))])
    assert [one.kind_id for one in found] == ["a", "b", "a", None, "e", "b"]
    assert [[one.id for one in alike] for alike in of_one_kind(found)] == [["a", "c"], ["b", "f"], ["d"], ["e"]]


def test_an_event_that_goes_on_is_counted_once_when_it_is_over():
    known = Kinds([Kind("first", reason(), 100.0, 11)])
    for _ in range(3):
        kind = known.find(event("x", 5.0, reason()), 200.0)
        assert (kind.id, kind.count, kind.began) == ("first", 12, 100.0)
    known.add(event("x", 5.0, reason()), 200.0)
    assert known.find(event("y", 5.0, reason()), 300.0).count == 13
    assert known.find(event("y", 5.0, reason(left=0.7)), 300.0) == Kind("y", reason(left=0.7), 300.0, start_s=5.0)
    assert known.find(event("y", 5.0, None), 300.0) is None


def test_what_is_kept_of_kinds_is_bounded(monkeypatch):
    monkeypatch.setattr(kinds, "MAX_KINDS", 2)
    known = Kinds()
    for name, left in (("a", 0.0), ("b", 0.4), ("c", 0.8)):
        known.add(event(name, 0.0, reason(left=left)), 0.0)
    assert known.find(event("d", 0.0, reason(left=0.0)), 1.0).id == "d"
    assert known.find(event("d", 0.0, reason(left=0.8)), 1.0).id == "c"


def test_an_event_keeps_its_kind_as_plain_values_and_one_without_has_no_key():
    whole = replace(event("b", 1.0, reason()), kind_id="a")
    assert Event.from_dict(whole.to_dict()) == whole
    assert "kind_id" not in event("b", 1.0, None).to_dict()


def test_the_centre_of_all_that_is_strange_counts_and_not_its_strangest_place():
    def at(left, x):
        found = reason(left=left)
        return replace(found, readings={**found.readings, APPEARANCE: replace(found.reading, centre=(x, 0.5))})

    assert are_alike(at(0.0, 0.4), at(0.8, 0.5))
    assert not are_alike(at(0.4, 0.1), at(0.4, 0.5))
