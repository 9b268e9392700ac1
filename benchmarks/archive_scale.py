"""What leading an archive costs, and what breaks first with 1,000 workers and 100,000 hours.

Measures what the leading process does for a segment (claim, scores file, state), a restart, and the manifest. Then
simulates one leader with many workers by these costs, and counts requests to an object store.

    python benchmarks/archive_scale.py --videos 500        # about 2 minutes, writes docs/results/archive_scale_*.json
"""

import argparse
import heapq
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from results import write_result

from maskedskipunet.archive.driver import MANIFEST_S, MANIFEST_SHARE, Driver, DriverOptions
from maskedskipunet.archive.manifest import Manifest
from maskedskipunet.archive.segments import Segment
from maskedskipunet.archive.target import Target
from maskedskipunet.archive.tasks import ArchiveSource, Outcome, Plan, PlanTask, Scores, Task
from maskedskipunet.data.footage_files import FileVersion, FootageFile
from maskedskipunet.data.ranged_files import LARGEST_BYTES

SEGMENTS = 4  # of a video of an hour, 15 minutes each
FRAMES = 9000  # of a segment, at 10 frames a second
VERSION = FileVersion(1_000_000_000, "1")
HOURS = 100_000
HEADER_REQUESTS = 8  # of a segment, besides those for its part of the file
GETS_PER_SECOND = 5500  # that S3 allows for a prefix


def segment(source: ArchiveSource, number: int) -> Segment:
    start = FRAMES * number
    return Segment(
        id=f"{source.name}-{number}",
        source=source.name,
        address=source.file.address,
        version=str(source.version),
        day="2026-03-01",
        start=start,
        end=start + FRAMES,
        first=max(0, start - 700),
        last=start + FRAMES + 8,
        start_s=start / 10,
        end_s=(start + FRAMES - 1) / 10,
        began_s=1_772_323_200.0,
        key=None,
        kept_before=None,
        file_start_s=0.0,
        limit=0,
    )


class InstantPool:
    """Workers that take no time."""

    def __init__(self, workers: int = 16) -> None:
        random = np.random.default_rng(0)
        names = ("score", "reconstruction", "movement", "appearance", "fused")
        self._columns = {name: random.random(FRAMES) for name in names}
        self._workers, self._tasks = workers, list[Task]()

    @property
    def free(self) -> int:
        return self._workers - len(self._tasks)

    @property
    def busy(self) -> int:
        return len(self._tasks)

    def submit(self, task: Task) -> None:
        self._tasks.append(task)

    def outcomes(self, timeout_s: float) -> Sequence[tuple[Task, Outcome]]:
        task = self._tasks.pop(0)
        return [(task, self._outcome(task))]

    def close(self) -> None:
        self._tasks.clear()

    def _outcome(self, task: Task) -> Outcome:
        if isinstance(task, PlanTask):
            source = task.source
            parts = tuple(segment(source, number) for number in range(SEGMENTS))
            return Plan(source.name, source.file.address, str(source.version), "key", VERSION.size, parts)
        numbers = np.arange(task.segment.start, task.segment.end)
        own = {"address": [task.address] * FRAMES, "frame": numbers, "time": numbers / 10}
        return Scores(pa.table({**own, **self._columns}), {"seconds": 60.0, "host": "here", "peak_mb": 700.0})


def measure(videos: int, folder: Path) -> dict[str, float]:
    """Return seconds for a segment, and bytes of its scores."""
    sources = [ArchiveSource(FootageFile(f"/videos/{number}.mp4"), VERSION) for number in range(videos)]
    count = videos * SEGMENTS
    target = Target(folder)
    target.prepare({"key": "key"})

    def led() -> float:
        begun_s = time.perf_counter()
        Driver(target, InstantPool(), DriverOptions(key="key")).run(sources)
        return (time.perf_counter() - begun_s) / count

    first_s = led()
    again_s = led()
    begun_s = time.perf_counter()
    rows = Manifest.read(target).update()
    manifest_s = (time.perf_counter() - begun_s) / len(rows)
    scores = [path.stat().st_size for path in (folder / "scores").rglob("*.parquet")]
    return {
        "leading_a_segment_s": first_s,
        "seeing_that_it_is_done_s": again_s,
        "manifest_row_s": manifest_s,
        "scores_file_bytes": sum(scores) / len(scores),
        "manifest_row_bytes": (folder / "manifest.parquet").stat().st_size / len(rows),
    }


def simulate(workers: int, segment_s: float, costs: dict[str, float], hours: int = HOURS) -> dict[str, Any]:
    """Return how long one leader with so many workers takes, and how busy it is.

    segment_s: that a worker takes for a segment.
    """
    count = hours * SEGMENTS
    ends = [0.0] * workers  # when each worker is free
    heapq.heapify(ends)
    leader_s, busy_s, due_s = 0.0, 0.0, MANIFEST_S
    random = np.random.default_rng(0)
    took_s = segment_s * random.lognormal(0, 0.3, count)
    manifest_s = count * costs["manifest_row_s"]
    for number in range(count):
        free_s = heapq.heappop(ends)
        leader_s = max(leader_s, free_s) + costs["leading_a_segment_s"]
        busy_s += costs["leading_a_segment_s"]
        if leader_s > due_s:
            leader_s, busy_s = leader_s + manifest_s, busy_s + manifest_s
            due_s = leader_s + max(MANIFEST_S, manifest_s / MANIFEST_SHARE)
        heapq.heappush(ends, leader_s + float(took_s[number]))
    total_s = max(ends)
    return {
        "workers": workers,
        "days": total_s / 86400,
        "efficiency": float(took_s.sum()) / workers / total_s,
        "leader_busy": busy_s / total_s,
        "segments_per_second": count / total_s,
    }


def requests(costs: dict[str, float], gb_per_hour: float, seconds: float) -> dict[str, float]:
    """Return requests to an object store for all hours, in all and a second."""
    a_segment = HEADER_REQUESTS + gb_per_hour * 1e9 / SEGMENTS / LARGEST_BYTES
    total = a_segment * HOURS * SEGMENTS
    return {
        "of_a_segment": a_segment,
        "millions": total / 1e6,
        "per_second_at_1000_workers": total / seconds,
        "share_of_one_prefix": total / seconds / GETS_PER_SECOND,
        "terabytes": gb_per_hour * HOURS / 1000,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--videos", type=int, default=500)
    parser.add_argument("--worker-hours-per-hour", type=float, default=0.1, help="of one worker, as the report says")
    parser.add_argument("--gb-per-hour", type=float, default=1.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        costs = measure(options.videos, Path(folder) / "target")
    segment_s = options.worker_hours_per_hour * 3600 / SEGMENTS
    simulated = [simulate(workers, segment_s, costs) for workers in (1, 2, 10, 100, 1000, 10_000)]
    thousand = next(row for row in simulated if row["workers"] == 1000)
    content = {
        "settings": vars(options),
        "measured": costs,
        "simulated": simulated,
        "most_workers_of_one_leader": segment_s / costs["leading_a_segment_s"],
        "manifest_seconds": HOURS * SEGMENTS * costs["manifest_row_s"],
        "restart_seconds": HOURS * SEGMENTS * costs["seeing_that_it_is_done_s"],
        "scores_gb": HOURS * SEGMENTS * costs["scores_file_bytes"] / 1e9,
        "object_store": requests(costs, options.gb_per_hour, thousand["days"] * 86400),
    }
    print(write_result("archive_scale", content))


if __name__ == "__main__":
    main()
