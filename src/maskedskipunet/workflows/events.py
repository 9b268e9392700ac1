"""The events of a scored video as files: `events.json` for programs, `events.csv` for tables."""

import json
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
    told: dict[str, Any] = {
        "format": FORMAT_VERSION,
        "rule": asdict(rule),
        "events": [plain_event(event) | {"picture": None} | {**(pictures or {}).get(event.id, {})} for event in events],
        "drift": [asdict(change) for change in drift],
    }
    write_json(as_json, told)
    write_csv(as_csv, COLUMNS, [_row(values) for values in told["events"]])
    return as_json, as_csv


def scored_hours(scored: ScoredVideo) -> float:
    """Return how long the frames of a video last that have a score, in hours."""
    return int(scored.labelled.scored.sum()) / scored.frame_rate / 3600


def write_joint_events(out: Path, videos: Sequence[str]) -> Path | None:
    """Write `events.csv` of many videos, a row an event with its video's name first, from their own `events.json`.

    out: folder with a folder a video. videos: their names, in order. Returns None where no video has such a file.
    A picture is named relative to `out`.
    """
    rows, is_any = [], False
    for name in videos:
        try:
            events = json.loads((out / name / EVENT_FILES[0]).read_text(encoding="utf-8"))["events"]
        except (OSError, ValueError, KeyError, TypeError):  # none, or none of ours
            continue
        is_any = True
        for values in events:
            pictures = {key: f"{name}/{values[key]}" for key in ("picture", "normal_picture") if values.get(key)}
            rows.append([name, *_row(values | pictures)])
    path = out / EVENT_FILES[1]
    if not is_any or path.is_dir():  # of a video of that name
        return None
    write_csv(path, ["video", *COLUMNS], rows)
    return path


def _row(values: Mapping[str, Any]) -> list[Any]:
    boxes = ";".join(" ".join(map(str, box)) for box in values["boxes"])
    reason = values.get("reason")
    told = {**values, "boxes": boxes, "reason": None if reason is None else reason["sentence"]}
    return [told.get(name) for name in COLUMNS]
