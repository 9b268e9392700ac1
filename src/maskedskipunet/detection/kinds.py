"""Groups alarms into kinds: events of a source with peaks that look and move alike, which one answer can settle."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import dist, log, sqrt

from maskedskipunet.detection.events import Event
from maskedskipunet.detection.fusing import EventReason
from maskedskipunet.detection.reading import CueReading

FAR = 0.3  # shares of the picture, between the centres of what is strange in two events
SPREAD_TIMES = 2.5  # as many strange places
SMALL = 0.02  # of all places: fewer strange ones are all alike
LOOKS_APART = 0.2  # of the range of brightness, between what two events show instead of the normal moment
SPEED_TIMES = 3.0  # as fast
SLOW = 0.5  # times as fast as what passes there: what is slower is all alike
MAX_KINDS = 200  # that an event is compared with: the newest


def are_alike(first: EventReason, second: EventReason) -> bool:
    """Return whether two events are of one kind, by the cues' readings at their peaks.

    Events are alike if one cue leads both, for a moment or for minutes, around places less than FAR apart; if about as
    many places are strange, in the same way; and if they move about as fast. Readings that one of them lacks are not
    compared.
    """
    if first.cue != second.cue or (first.reading.lasting_s is None) != (second.reading.lasting_s is None):
        return False
    looks = [_find_reading(reason, "look", "spread") for reason in (first, second)]
    speeds = [_find_reading(reason, "speed_ratio").speed_ratio for reason in (first, second)]
    spreads = [(log(max(look.spread or 0.0, SMALL)),) for look in looks]
    return (
        _are_within([_centre(reason.reading) for reason in (first, second)], FAR)
        and _are_within(spreads, log(SPREAD_TIMES))
        and _are_within([_root_mean(look.look) for look in looks], LOOKS_APART)
        and _are_within([None if speed is None else (log(max(speed, SLOW)),) for speed in speeds], log(SPEED_TIMES))
    )


@dataclass(frozen=True, slots=True)
class Kind:
    """Events of one kind.

    id: of the first of them. reason: of the first. began: its time. count: their number. start_s: the begin of the
    first by its source's own time; None if that was in another connection.
    """

    id: str
    reason: EventReason
    began: float
    count: int = 1
    start_s: float | None = None


class Kinds:
    """Groups events into kinds as they come. known: the kinds of events that came before. Its memory is bounded."""

    def __init__(self, known: Iterable[Kind] = ()) -> None:
        self._kinds = {kind.id: kind for kind in known}

    def find(self, event: Event, began: float) -> Kind | None:
        """Return the kind of an event, with the event counted: the kind of the first similar event, or a new one.

        began: the begin of the event on the common clock. Returns None if the event has no reason.
        """
        if event.reason is None:
            return None
        for kind in self._kinds.values():
            if kind.id != event.id and are_alike(kind.reason, event.reason):
                return replace(kind, count=kind.count + 1)
        return Kind(event.id, event.reason, began, start_s=event.start_s)

    def add(self, event: Event, began: float) -> Kind | None:
        """Add an event that is over, and return its kind, as `find` does."""
        kind = self.find(event, began)
        if kind is not None:
            self._kinds[kind.id] = kind
            while len(self._kinds) > MAX_KINDS:
                self._kinds.pop(next(iter(self._kinds)))
        return kind


def with_kind(event: Event, kind: Kind | None) -> Event:
    """Return an event with its kind; unchanged if the kind is None."""
    return event if kind is None else replace(event, kind_id=kind.id)


def with_kinds(events: Sequence[Event]) -> list[Event]:
    """Return the events of one source, in the order of time, each with its kind."""
    kinds = Kinds()
    return [with_kind(event, kinds.add(event, event.start_s)) for event in events]


def of_one_kind(events: Sequence[Event]) -> list[list[Event]]:
    """Return events grouped by kind, in the order of the first of each; an event without a kind is alone."""
    groups: dict[str, list[Event]] = {}
    for event in events:
        groups.setdefault(event.kind_id or event.id, []).append(event)
    return list(groups.values())


def describe_kind(count: int, first: str) -> str:
    """Describe how many alarms of one kind there are.

    >>> describe_kind(12, "10:02")
    '12 alarms of one kind, first at 10:02'
    """
    return f"{count:,} alarms of one kind, first at {first}"


_NOTHING = CueReading(0.0)
_Point = tuple[float, ...] | None


def _find_reading(reason: EventReason, *fields: str) -> CueReading:
    """Return the first reading with one of these fields, of whichever cue; an empty one if no cue has them."""
    readings = reason.readings.values()
    return next((found for found in readings if any(getattr(found, name) is not None for name in fields)), _NOTHING)


def _are_within(points: Sequence[_Point], apart: float) -> bool:
    first, second = points
    if first is None or second is None:
        return True
    return len(first) == len(second) and dist(first, second) <= apart


def _centre(reading: CueReading) -> _Point:
    if reading.centre is not None or reading.box is None:
        return reading.centre
    left, top, right, bottom = reading.box
    return (left + right) / 2, (top + bottom) / 2


def _root_mean(values: _Point) -> _Point:
    """Return values scaled so that their distances are root mean squares."""
    return None if values is None else tuple(value / sqrt(len(values)) for value in values)
