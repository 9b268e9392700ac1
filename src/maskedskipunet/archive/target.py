"""The folder that an archive's scores are written into: plans, scores, failures, and what was tried.

Everything in it is written whole or not at all, by any number of processes on any number of machines. A file that is
there is the truth: `manifest.parquet` is made from the other files and can be made anew.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from maskedskipunet.archive.segments import Segment
from maskedskipunet.archive.tasks import Plan, Scores, ScoreTask, Task
from maskedskipunet.errors import ConfigError, DataError
from maskedskipunet.files import disk_full_as_error, require_writable

FORMAT_VERSION = 1
SETTINGS_NAME, SCORES, PLANS, FAILURES, DEATHS, CLAIMS = (
    "archive.json",
    "scores",
    "plans",
    "failures",
    "deaths",
    "claims",
)
SEGMENT_KEY = b"maskedskipunet.segment"
WORKER, DRIVER = "worker", "driver"
SET_ASIDE = "set aside"
_CURE = "Name another folder with --to"


@dataclass(frozen=True)
class Failure:
    """A task that could not be done. kind: `failed` or SET_ASIDE. failed_s: when, in seconds since 1970."""

    task: str
    address: str
    cause: str
    kind: str
    failed_s: float
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True)
class Target:
    """The folder with the scores of an archive."""

    folder: Path

    def prepare(self, settings: dict[str, Any]) -> None:
        """Make the folder, and state in it what its scores depend on. Raises ConfigError for a folder of another use.

        settings: plain values.
        """
        path = self.folder / SETTINGS_NAME
        if self.folder.is_dir() and not path.exists() and any(self.folder.iterdir()):
            raise ConfigError("the folder holds something else than an archive's scores", str(self.folder), _CURE)
        require_writable(self.folder, cure=_CURE)
        for name in (SCORES, PLANS, FAILURES, DEATHS, CLAIMS):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        stated = {"format": FORMAT_VERSION, **settings}
        if self.settings(must_exist=False) != stated:
            write_bytes(path, json.dumps(stated, indent=2).encode() + b"\n")

    def settings(self, *, must_exist: bool = True) -> dict[str, Any]:
        """Return what its scores depend on. Raises DataError if it is no archive's folder, or of a later version."""
        path = self.folder / SETTINGS_NAME
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            version = int(found["format"])
        except FileNotFoundError as error:
            if not must_exist:
                return {}
            raise DataError("the folder holds no scores of an archive", str(self.folder), "Check the path") from error
        except (OSError, ValueError, TypeError, LookupError) as error:
            raise DataError(
                "the archive's settings are damaged", str(path), "Remove the file and start again"
            ) from error
        if version != FORMAT_VERSION:
            raise DataError(f"format {version}, this version reads {FORMAT_VERSION}", str(path), "Use that version")
        return dict(found)

    # -- plans ---------------------------------------------------------------------------------------------------------

    def plan(self, source: str) -> Plan | None:
        """Return the plan of a source; None if there is none that can be read."""
        return _read_plan(self._plan_path(source))

    def plans(self) -> Iterator[Plan]:
        """Yield the plans of all sources, in the order of their names."""
        for path in sorted((self.folder / PLANS).glob("*.parquet")):
            if (plan := _read_plan(path)) is not None:
                yield plan

    def write_plan(self, plan: Plan) -> None:
        """Write the plan of a source, and remove what was written for another plan of it."""
        before = self.plan(plan.source)
        ids = {segment.id for segment in plan.segments}
        for segment in () if before is None else before.segments:
            if segment.id not in ids:
                self.scores_path(segment).unlink(missing_ok=True)
                self.forget(segment.id)
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = [segment.to_dict() for segment in plan.segments]
        stated = asdict(plan) | {"segments": None}
        table = pa.Table.from_pylist([{"segment": row["id"], "values": json.dumps(row)} for row in rows])
        table = table.replace_schema_metadata({b"maskedskipunet.plan": json.dumps(stated)})
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        write_bytes(self._plan_path(plan.source), sink.getvalue().to_pybytes())

    def _plan_path(self, source: str) -> Path:
        return self.folder / PLANS / f"{source}.parquet"

    # -- scores --------------------------------------------------------------------------------------------------------

    def scores_path(self, segment: Segment) -> Path:
        """Return the file of a segment's scores."""
        return self.folder / SCORES / f"source={quote(segment.source)}" / f"day={segment.day}" / f"{segment.id}.parquet"

    def is_scored(self, segment: Segment) -> bool:
        return self.scores_path(segment).exists()

    def write_scores(self, segment: Segment, scores: Scores) -> None:
        """Write the scores of a segment, and forget earlier failures of it. Raises DiskSpaceError."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        stated = json.dumps({"segment": segment.to_dict(), "work": scores.work}).encode()
        table = scores.table.replace_schema_metadata({SEGMENT_KEY: stated})
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        write_bytes(self.scores_path(segment), sink.getvalue().to_pybytes())
        self.forget(segment.id)

    # -- failures ------------------------------------------------------------------------------------------------------

    def failure(self, task: str) -> Failure | None:
        """Return the failure that was recorded of a task; None if there is none."""
        try:
            return Failure(**json.loads((self.folder / FAILURES / f"{task}.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def failures(self) -> list[Failure]:
        """Return all recorded failures, ordered by address."""
        names = [path.stem for path in (self.folder / FAILURES).glob("*.json")]
        found = [failure for failure in map(self.failure, names) if failure is not None]
        return sorted(found, key=lambda failure: (failure.address, failure.start_s or 0.0))

    def write_failure(self, task: Task, cause: str, kind: str = "failed") -> None:
        """Record that a task could not be done."""
        extent = (task.segment.start_s, task.segment.end_s) if isinstance(task, ScoreTask) else (None, None)
        failure = Failure(task.id, task.address, cause, kind, time.time(), *extent)
        write_bytes(self.folder / FAILURES / f"{task.id}.json", json.dumps(asdict(failure)).encode())

    def forget(self, task: str) -> None:
        """Remove what is recorded of a task's failures and deaths."""
        (self.folder / FAILURES / f"{task}.json").unlink(missing_ok=True)
        for path in self._deaths(task):
            path.unlink(missing_ok=True)

    def write_death(self, task: str, kind: str, cause: str) -> None:
        """Record that a worker or a whole process died with a task in hand. kind: WORKER or DRIVER."""
        write_bytes(self.folder / DEATHS / f"{task}.{uuid4().hex}.{kind}", cause.encode())

    def deaths(self, task: str, kind: str) -> list[str]:
        """Return the causes of all deaths of a kind with a task in hand."""
        causes = []
        for path in self._deaths(task):
            if path.suffix == f".{kind}":
                with suppress(OSError):
                    causes.append(path.read_text(encoding="utf-8"))
        return causes

    def _deaths(self, task: str) -> Sequence[Path]:
        return sorted((self.folder / DEATHS).glob(f"{task}.*"))


def _read_plan(path: Path) -> Plan | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read()
        stated = json.loads((table.schema.metadata or {})[b"maskedskipunet.plan"])
        rows = [json.loads(values) for values in table["values"].to_pylist()] if table.num_rows else []
        segments = tuple(Segment.from_dict(row) for row in rows)
        return Plan(**{**stated, "segments": segments})
    except (OSError, pa.ArrowException, LookupError, TypeError, ValueError):
        return None


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, beside what processes on other machines write.

    Network file systems rename atomically, so that a reader sees the old file or the new one.
    """
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    with disk_full_as_error(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
