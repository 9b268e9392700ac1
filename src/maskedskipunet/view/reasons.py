"""Describes why an event was raised, in words."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from maskedskipunet.detection.events import Event
from maskedskipunet.detection.fusing import EventReason
from maskedskipunet.detection.reading import APPEARANCE, MOVEMENT, RECONSTRUCTION, CueReading, Moment

FASTER = 1.2  # times as fast as what passes there: from here on it is the speed that is strange
RAREST = 6.0  # a surprise that is not told more exactly: nobody has seen a million independent frames


def describe_reason(reason: EventReason) -> str:
    """Return the reason as one sentence, without a full stop.

    >>> movement = CueReading(4.0, speed_ratio=3.14)
    >>> describe_reason(EventReason("movement", {"movement": 1.0}, {"movement": movement}))
    'moves 3.1 times as fast as 99 % of what passes here'
    """
    describe = SENTENCES.get(reason.cue)
    return _any_cue(reason.cue, reason.reading) if describe is None else describe(reason.reading)


def _any_cue(cue: str, reading: CueReading) -> str:
    """Return the sentence of a cue that has none of its own: what it found, and how rare that is.

    >>> _any_cue("light", CueReading(3.2, finding="the light is on"))
    'the light is on; about one in 1,600 normal frames is as strange'
    """
    finding = reading.finding or f"the cue {cue} finds this place strange"
    amount = "fewer than" if reading.surprise > RAREST else "about"
    frames = float(f"{10 ** min(reading.surprise, RAREST):.2g}")
    return f"{finding}; {amount} one in {frames:,.0f} normal frames is as strange"


def _reconstruction(reading: CueReading) -> str:
    return "the network cannot reconstruct this place from the frames around it"


def _movement(reading: CueReading) -> str:
    if reading.speed_ratio is not None and reading.speed_ratio >= FASTER:
        return f"moves {reading.speed_ratio:.1f} times as fast as 99 % of what passes here"
    return "moves at a place or in a direction where hardly anything moves"


def _appearance(reading: CueReading) -> str:
    if reading.lasting_s is not None:
        seen = f"has looked unlike anything normal here for {reading.lasting_s:.0f} s"
    else:
        seen = "nothing normal ever looked like this here"
    return seen if reading.nearest is None else f"{seen}; nearest normal moment: {describe_moment(reading.nearest)}"


SENTENCES: dict[str, Callable[[CueReading], str]] = {
    RECONSTRUCTION: _reconstruction,
    MOVEMENT: _movement,
    APPEARANCE: _appearance,
}
"""Sentences of cues that are made from numbers alone; the sentence of any other cue begins with its `finding`."""


def describe_moment(moment: Moment) -> str:
    """Return a moment of a video in words.

    >>> describe_moment(Moment("monday", 3801.5))
    'monday at 1:03:21'
    """
    return f"{moment.video} at {timedelta(seconds=int(moment.time_s))}"


def plain_event(event: Event) -> dict[str, Any]:
    """Return an event as plain values; its reason, if it has one, with a sentence that describes it."""
    values = event.to_dict()
    if event.reason is not None:
        values["reason"] = {"sentence": describe_reason(event.reason), **values["reason"]}
    return values
