"""Prints the events that `score` finds: when, how strong, how rare, which picture shows each, and the budget."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maskedskipunet.cli import console
from maskedskipunet.detection.budget import Budget, is_surplus
from maskedskipunet.detection.calibration import Calibration, describe_rarity
from maskedskipunet.detection.events import Event
from maskedskipunet.detection.kinds import describe_kind, of_one_kind
from maskedskipunet.view.reasons import describe_reason, plain_event
from maskedskipunet.workflows.recorded_scores import RecordedScores
from maskedskipunet.workflows.scoring import ScoredVideo

MAX_SHOWN = 20


def print_event_table(scored: ScoredVideo, pictures: Sequence[Path | None], calibration: Calibration | None) -> None:
    """Print a table of a video's events in the order of time; only the strongest if there are very many."""
    events = scored.events or ()
    strongest = {event.id for event in sorted(events, key=lambda event: -event.top_score)[:MAX_SHOWN]}
    header = ["picture", "from", "to", "score"]
    rows = []
    for event, picture in zip(events, pictures or [None] * len(events), strict=True):
        if event.id in strongest:
            row = ["–" if picture is None else picture.name, console.clock(event.start_s), console.clock(event.end_s)]
            row.append(f"{event.top_score:.5f}")
            if calibration is not None and event.normal_share is not None:
                row.append(describe_rarity(event.normal_share, calibration.frames))
            rows.append(row)
    if rows and len(rows[0]) > len(header):
        header.append("normal frames this high")
    many = len(events) > len(rows)
    console.print_table(f"The {len(rows)} strongest of {len(events)} events" if many else "Events", header, rows)
    for alike in of_one_kind(events):
        first = alike[0]
        if first.reason is None or not any(event.id in strongest for event in alike):
            continue
        when = console.clock(first.start_s)
        count_and_time = when if len(alike) == 1 else describe_kind(len(alike), when)
        console.say(f"{count_and_time}: {describe_reason(first.reason)}")


def describe_surplus(events: int, hours: float, budget: Budget) -> list[str]:
    """Return lines that say that there are more alarms than a budget explains, and what to do; else none.

    >>> describe_surplus(27, 1.0, Budget(1, "hour"))[0]
    '27 alarms where about 1 was expected: this footage is unlike the calibration'
    >>> describe_surplus(3, 1.0, Budget(1, "hour"))
    []
    """
    expected = budget.per_hour * hours
    if not is_surplus(events, expected):
        return []
    about = f"{expected:.2g}"
    return [
        f"{console.counted(events, 'alarm')} where about {about} {'was' if about == '1' else 'were'} expected: this "
        "footage is unlike the calibration",
        "if most of these alarms are normal, calibrate again and include footage like this",
    ]


def describe_budget(events: int, hours: float, threshold: float, budget: Budget) -> str:
    """Return a line with the number of events and the number that the threshold was set for.

    >>> describe_budget(1, 2.0, 0.5, Budget(1, "hour"))
    '1 event at the threshold 0.50000 in 2.00 hours; it was set for 1 false alarm an hour'
    """
    length = console.duration(hours * 3600)
    return f"{console.counted(events, 'event')} at the threshold {threshold:.5f} in {length}; it was set for {budget}"


def event_figures(
    events: Sequence[Event], pictures: Sequence[Path | None], normal: Sequence[Path | None] = ()
) -> list[dict[str, Any]]:
    """Return the events as plain values, for --json. normal: pictures of their nearest normal moments."""
    shown, beside = (paths or [None] * len(events) for paths in (pictures, normal))
    return [
        plain_event(event)
        | {"picture": None if picture is None else str(picture)}
        | ({} if normal_picture is None else {"normal_picture": str(normal_picture)})
        for event, picture, normal_picture in zip(events, shown, beside, strict=True)
    ]


def describe_recorded(recorded: RecordedScores) -> str:
    """Return a line that says what was put into the records."""
    events = recorded.events
    counts = console.counted(len(events.events), "event")
    changes = [(events.added, "new"), (events.updated, "updated"), (events.removed, "removed")]
    changes.append((events.kept, "answered before and no alarm any more, kept"))
    described = ", ".join(f"{count:,} {what}" for count, what in changes if count)
    began = console.moment(recorded.start_unix_s)
    since = f"footage from {began}" + ("" if recorded.is_start_known else " (as it ended when its file was changed)")
    return (
        f"recorded in {recorded.folder} as {recorded.camera}: {counts}{f' ({described})' if described else ''}; {since}"
    )
