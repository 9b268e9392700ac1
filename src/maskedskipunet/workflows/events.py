"""The events of a scored video as files: `events.json` for programs, `events.csv` for tables."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from maskedskipunet.detection.drift import DriftChange
from maskedskipunet.detection.events import Event, EventRule
from maskedskipunet.runs import write_csv, write_json
from maskedskipunet.view.reasons import plain_event
from maskedskipunet.workflows.scoring import ScoredVideo

FORMAT_VERSION = 1
EVENT_FILES = ("events.json", "events.csv")
COLUMNS = (*(field.name for field in fields(Event)), "picture", "normal_picture")  # of events.csv


def write_events(
    folder: Path,
    events: Sequence[Event],
    rule: EventRule,
    drift: Sequence[DriftChange] = (),
    *,
    pictures: Mapping[str, Mapping[str, str]] | None = None,
) -> tuple[Path, Path]:
    """Write both files into a folder; returns where they lie.

    `events.json`: the rule, each event with its boxes as [x, y, width, height] in pixels of the source, and where
    normal itself changed since the calibration.
    pictures: of each event by its id, under their keys (see EventPictures.names).
    `events.csv`: a row an event; boxes as `x y width height`, one after another, parted by semicolons.
    """
    as_json, as_csv = (folder / name for name in EVENT_FILES)
    content: dict[str, Any] = {
        "format": FORMAT_VERSION,
        "rule": asdict(rule),
        "events": [plain_event(event) | {"picture": None} | {**(pictures or {}).get(event.id, {})} for event in events],
        "drift": [asdict(change) for change in drift],
    }
    write_plain_events(folder, content)
    return as_json, as_csv


def write_plain_events(folder: Path, content: Mapping[str, Any]) -> None:
    """Write both files into a folder. content: all that `events.json` holds, as plain values."""
    as_json, as_csv = (folder / name for name in EVENT_FILES)
    write_json(as_json, content)
    write_csv(as_csv, COLUMNS, [event_row(values) for values in content["events"]])


def scored_hours(scored: ScoredVideo) -> float:
    """Return how long the frames of a video last that have a score, in hours."""
    return int(scored.labelled.scored.sum()) / scored.frame_rate / 3600


def event_row(values: Mapping[str, Any]) -> list[Any]:
    """Return the row of `events.csv` for an event of `events.json`."""
    boxes = ";".join(" ".join(map(str, box)) for box in values["boxes"])
    reason = values.get("reason")
    row = {**values, "boxes": boxes, "reason": None if reason is None else reason["sentence"]}
    return [row.get(name) for name in COLUMNS]
