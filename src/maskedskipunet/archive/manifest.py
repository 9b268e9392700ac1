"""The manifest: one Parquet file with a row for each segment of an archive, and what has become of it."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from maskedskipunet.archive.segments import Segment
from maskedskipunet.archive.target import SCORES, SEGMENT_KEY, Target, write_bytes
from maskedskipunet.archive.tasks import PlanTask

MANIFEST_NAME = "manifest.parquet"
DONE, MISSING = "done", "missing"
_COLUMNS = {
    "segment": "string",
    "source": "string",
    "address": "string",
    "version": "string",
    "day": "string",
    "start_s": "float64",
    "end_s": "float64",
    "began_s": "float64",
    "state": "string",  # done, missing, failed, or set aside
    "cause": "string",
    "frames": "int64",
    "frames_scored": "int64",
    "highest": "float64",
    "highest_s": "float64",
    "highest_frame": "int64",
    "seconds": "float64",
    "host": "string",
    "peak_mb": "float64",
}
Row = dict[str, Any]


@dataclass
class Manifest:
    """What has become of each segment. rows: of those that are done, by segment; they are read only once."""

    target: Target
    rows: dict[str, Row] = field(default_factory=dict)

    @classmethod
    def read(cls, target: Target) -> "Manifest":
        """Return the manifest of a target, from its file where that is right."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        found: Sequence[Row] = ()
        try:
            table = pq.ParquetFile(target.folder / MANIFEST_NAME).read()
            if set(table.column_names) == set(_COLUMNS):
                found = table.to_pylist()
        except (OSError, pa.ArrowException):
            pass  # it is made anew
        return cls(target, {row["segment"]: row for row in found if row["state"] == DONE})

    def update(self) -> list[Row]:
        """Write the manifest as the target is now, and return its rows, those of one source together."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = [*self._current()]
        self.rows = {row["segment"]: row for row in rows if row["state"] == DONE}
        schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in _COLUMNS.items()])
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink)
        write_bytes(self.target.folder / MANIFEST_NAME, sink.getvalue().to_pybytes())
        return rows

    def _current(self) -> Iterator[Row]:
        scored = _scored_ids(self.target.folder / SCORES)
        failures = {failure.task: failure for failure in self.target.failures()}
        planned: set[str] = set()
        for plan in self.target.plans():
            planned.add(plan.address)
            for segment in plan.segments:
                row = _row(segment)
                if segment.id in scored.get(plan.source, ()):
                    yield self.rows.get(segment.id) or row | self._result(segment)
                elif (failure := failures.get(segment.id)) is not None:
                    yield row | {"state": failure.kind, "cause": failure.cause}
                else:
                    yield row | {"state": MISSING}
        plan_task = PlanTask.prefix
        for failure in failures.values():
            if failure.task.startswith(plan_task):
                yield _no_plan(failure.task, failure.address) | {"state": failure.kind, "cause": failure.cause}

    def _result(self, segment: Segment) -> Row:
        """Return what a segment's file says of its scores."""
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        try:
            file = pq.ParquetFile(self.target.scores_path(segment))
            work = json.loads((file.schema_arrow.metadata or {})[SEGMENT_KEY])["work"]
            table = file.read(["frame", "time", "score"])
        except (OSError, pa.ArrowException, LookupError, ValueError):
            return {"state": MISSING}
        scored = len(table) - table["score"].null_count
        row = {"state": DONE, "frames": len(table), "frames_scored": scored, **work}
        if scored:
            top = pc.index(table["score"], pc.max(table["score"])).as_py()
            row |= {"highest": table["score"][top].as_py(), "highest_s": table["time"][top].as_py()}
            row["highest_frame"] = table["frame"][top].as_py()
        return row


def _row(segment: Segment) -> Row:
    own = {name: getattr(segment, name) for name in ("source", "address", "version", "day", "start_s", "end_s")}
    return dict.fromkeys(_COLUMNS) | own | {"segment": segment.id, "began_s": segment.began_s}


def _no_plan(task: str, address: str) -> Row:
    return dict.fromkeys(_COLUMNS) | {"segment": task, "address": address}


def _scored_ids(folder: Path) -> dict[str, set[str]]:
    """Return the segments that have scores, by source; listing folders is faster than asking for each."""
    found: dict[str, set[str]] = {}
    for source in os.scandir(folder):
        ids = found.setdefault(unquote(source.name.removeprefix("source=")), set())
        for day in os.scandir(source.path):
            ids.update(file.name.removesuffix(".parquet") for file in os.scandir(day.path) if file.name[0] != ".")
    return found
