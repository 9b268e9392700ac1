"""What `score` prints of events: when, how strong, how rare, which picture shows it, and what the budget was."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maskedskipunet.cli import console
from maskedskipunet.detection.budget import Budget
from maskedskipunet.detection.calibration import Calibration, told_rarity
from maskedskipunet.detection.events import Event
from maskedskipunet.view.reasons import describe_reason, plain_event
from maskedskipunet.workflows.scoring import ScoredVideo

MOST_SHOWN = 20
FAR_MORE = 3  # times as many events as the budget allows in so many hours, from which on that is said
FEWEST_TO_SPEAK_OF = 3


def print_event_table(scored: ScoredVideo, pictures: Sequence[Path | None], calibration: Calibration | None) -> None:
    """A table of a video's events in the order of time; of very many, the strongest."""
    events = scored.events or ()
    strongest = {event.id for event in sorted(events, key=lambda event: -event.top_score)[:MOST_SHOWN]}
    header = ["picture", "from", "to", "score"]
    rows = []
    for event, picture in zip(events, pictures or [None] * len(events), strict=True):
        if event.id in strongest:
            row = ["–" if picture is None else picture.name, console.clock(event.start_s), console.clock(event.end_s)]
            row.append(f"{event.top_score:.5f}")
            if calibration is not None and event.normal_share is not None:
                row.append(told_rarity(event.normal_share, calibration.frames))
            rows.append(row)
    if rows and len(rows[0]) > len(header):
        header.append("reached by")
    many = len(events) > len(rows)
    console.print_table(f"The {len(rows)} strongest of {len(events)} events" if many else "Events", header, rows)
    for event in events:
        if event.id in strongest and event.reason is not None:
            console.say(f"{console.clock(event.start_s)}: {describe_reason(event.reason)}")


def describe_budget(events: int, hours: float, threshold: float, budget: Budget) -> list[str]:
    """How many events there were, and how many the threshold was set for.

    >>> describe_budget(1, 2.0, 0.5, Budget(1, "hour"))
    ['1 event at the threshold 0.50000 in 2.00 hours; it was set for 1 false alarm an hour']
    """
    length = console.duration(hours * 3600)
    lines = [
        f"{console.counted(events, 'event')} at the threshold {threshold:.5f} in {length}; it was set for {budget}"
    ]
    allowed = budget.per_hour * hours
    if events >= FEWEST_TO_SPEAK_OF and events > FAR_MORE * allowed:
        lines.append(
            f"the budget allows about {allowed:.2g} in so much footage: where most of these events are normal, "
            "calibrate again with footage such as this among the normal"
        )
    return lines


def event_figures(
    events: Sequence[Event], pictures: Sequence[Path | None], normal: Sequence[Path | None] = ()
) -> list[dict[str, Any]]:
    """The events in plain values, for --json. normal: pictures of their nearest normal moments."""
    shown, beside = (paths or [None] * len(events) for paths in (pictures, normal))
    return [
        plain_event(event)
        | {"picture": None if picture is None else str(picture)}
        | ({} if usual is None else {"normal_picture": str(usual)})
        for event, picture, usual in zip(events, shown, beside, strict=True)
    ]
