"""Events as a table for others: CSV, JSON or Parquet."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maskedskipunet.errors import ConfigError
from maskedskipunet.files import atomic_write
from maskedskipunet.records.recorded import RecordedEvent, iso_time

COLUMNS = {
    "id": "string",
    "camera": "string",
    "source": "string",
    "began_at": "timestamp",
    "updated_at": "timestamp",
    "phase": "string",
    "start_s": "float64",
    "end_s": "float64",
    "peak_s": "float64",
    "start_frame": "int64",
    "end_frame": "int64",
    "peak_frame": "int64",
    "top_score": "float64",
    "mean_score": "float64",
    "normal_share": "float64",
    "boxes": "boxes",
    "cue": "string",
    "kind_id": "string",
    "answer": "string",
    "answered_at": "timestamp",
    "clip": "string",
    "picture": "string",
    "normal_picture": "string",
}
SUFFIXES = (".csv", ".json", ".parquet")


def require_table(path: Path) -> None:
    """Require a file name with the suffix of a table. Raises ConfigError."""
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError("no form of a table", str(path), f"Name a file that ends in {', '.join(SUFFIXES)}")


def export(events: Sequence[RecordedEvent], path: Path) -> None:
    """Write events as a table, a row each, in the form that the file's name says.

    Times are ISO 8601 in UTC (timestamps in Parquet); boxes are lists of x, y, width, height, in CSV as JSON; clip
    and pictures are paths in the records folder, empty if there is none.
    Raises ConfigError for another name, DiskSpaceError when there is no room.
    """
    require_table(path)
    rows = [table_row(recorded) for recorded in events]
    with atomic_write(path) as part:
        _WRITERS[path.suffix.lower()](rows, part)


def table_row(recorded: RecordedEvent) -> dict[str, Any]:
    """Return one event under the names of COLUMNS."""
    event = recorded.event
    beside = f"events/{iso_time(recorded.began_unix_s)[:10]}/{event.id}"
    values = event.to_dict() | {
        "cue": None if event.reason is None else event.reason.cue,
        "kind_id": event.kind_id,
        "camera": recorded.camera,
        "began_at": iso_time(recorded.began_unix_s),
        "updated_at": iso_time(recorded.updated_unix_s),
        "phase": recorded.phase,
        "boxes": [list(box) for box in event.boxes],
        "answer": recorded.answer,
        "answered_at": None if recorded.answered_unix_s is None else iso_time(recorded.answered_unix_s),
        "clip": f"{beside}.mp4" if recorded.has_clip else None,
        "picture": f"{beside}.jpg" if recorded.has_picture else None,
        "normal_picture": f"{beside}.normal.jpg" if recorded.has_normal_picture else None,
    }
    return {name: values[name] for name in COLUMNS}


def _write_csv(rows: list[dict[str, Any]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(row | {"boxes": json.dumps(row["boxes"])} for row in rows)


def _write_json(rows: list[dict[str, Any]], path: Path) -> None:
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _write_parquet(rows: list[dict[str, Any]], path: Path) -> None:
    from datetime import datetime

    import pyarrow as pa
    from pyarrow import parquet

    kinds = {
        "string": pa.string(),
        "float64": pa.float64(),
        "int64": pa.int64(),
        "timestamp": pa.timestamp("ms", tz="UTC"),
        "boxes": pa.list_(pa.list_(pa.int64())),
    }
    times = [name for name, kind in COLUMNS.items() if kind == "timestamp"]
    for row in rows:
        row.update({name: row[name] and datetime.fromisoformat(row[name]) for name in times})
    schema = pa.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
    parquet.write_table(pa.Table.from_pylist(rows, schema), path)


_WRITERS = {".csv": _write_csv, ".json": _write_json, ".parquet": _write_parquet}
