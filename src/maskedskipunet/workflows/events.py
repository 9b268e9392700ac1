"""The events of a scored video as files: `events.json` for programs, `events.csv` for tables."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from maskedskipunet.detection.drift import DriftChange
from maskedskipunet.detection.events import Event, EventRule
from maskedskipunet.runs import write_csv, write_json
from maskedskipunet.view.reasons import describe_reason, plain_event

FORMAT_VERSION = 1
EVENT_FILES = ("events.json", "events.csv")


def write_events(
    folder: Path, events: Sequence[Event], rule: EventRule, drift: Sequence[DriftChange] = ()
) -> tuple[Path, Path]:
    """Write both files into a folder; returns where they lie.

    `events.json`: the rule, each event with its boxes as [x, y, width, height] in pixels of the source, and where
    normal itself changed since the calibration.
    `events.csv`: a row an event; boxes as `x y width height`, one after another, parted by semicolons.
    """
    as_json, as_csv = (folder / name for name in EVENT_FILES)
    told = {
        "format": FORMAT_VERSION,
        "rule": asdict(rule),
        "events": [plain_event(event) for event in events],
        "drift": [asdict(change) for change in drift],
    }
    write_json(as_json, told)
    names = [field.name for field in fields(Event)]
    rows = []
    for event in events:
        values = asdict(event) | {"reason": None if event.reason is None else describe_reason(event.reason)}
        values["boxes"] = ";".join(" ".join(map(str, box)) for box in event.boxes)
        rows.append([values[name] for name in names])
    write_csv(as_csv, names, rows)
    return as_json, as_csv
