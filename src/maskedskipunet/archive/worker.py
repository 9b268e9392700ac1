"""The work itself, wherever it runs: it decodes beside the model, so that only addresses and scores travel."""

import os
import platform
import resource
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from maskedskipunet.archive.segments import Cutting, Overlap, Segment
from maskedskipunet.archive.tasks import ArchiveSource, Fault, Outcome, Plan, PlanTask, Scores, Task
from maskedskipunet.data.footage_files import FileVersion, FootageFile
from maskedskipunet.data.frames import Frame, OnBadFrame, SourceInfo
from maskedskipunet.data.images import probe_images, read_images
from maskedskipunet.data.sampling import require_rate, sample_part
from maskedskipunet.data.start_times import start_unix_s
from maskedskipunet.data.video.index import VideoIndex, index_video
from maskedskipunet.data.video.parts import read_part
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.detection.reading import CUES, FUSED, RECONSTRUCTION
from maskedskipunet.errors import MaskedSkipUNetError, VideoError
from maskedskipunet.scoring.ignored import also_ignoring
from maskedskipunet.scoring.loading import load_scorer
from maskedskipunet.scoring.scorer import Scorer

MEGA = 1 << 20


@dataclass(frozen=True, kw_only=True)
class WorkerSetup:
    """All that a worker needs to know. key: a hash of the model and of the settings that scores depend on.

    model: a path that each machine can read. starts: see `start_unix_s`. memory_bytes: the most that a worker may use;
    None for no bound. threads: of each worker.
    """

    model: Path
    key: str
    seconds: float
    device: str = "auto"
    precision: str = "float32"
    on_bad_frame: OnBadFrame = "stop"
    ignore: tuple[str, ...] = ()
    starts: str | None = None
    memory_bytes: int | None = None
    threads: int = 1

    def load_scorer(self) -> Scorer:
        """Return the model's scorer. Raises WeightsError or ConfigError."""
        scorer = load_scorer(self.model, self.device, self.precision, calibrated=False)  # type: ignore[arg-type]
        return replace(scorer, input_format=also_ignoring(scorer.input_format, self.ignore, "ignore"))


class Worker:
    """Plans and scores, with a model that is loaded once."""

    def __init__(self, setup: WorkerSetup) -> None:
        self.setup = setup

    @cached_property
    def scorer(self) -> Scorer:
        return self.setup.load_scorer()

    def do(self, task: Task) -> Outcome:
        """Do a task; an error becomes a Fault."""
        try:
            return self.plan(task.source) if isinstance(task, PlanTask) else self.score(task.segment)
        except MaskedSkipUNetError as error:
            return Fault(str(error))
        except MemoryError:
            return Fault(f"{task.address}: not enough memory")
        except Exception as error:  # noqa: BLE001  # one file must not end the others' work
            return Fault(f"{task.address}: {type(error).__name__}: {error}")

    def plan(self, source: ArchiveSource) -> Plan:
        """Return the segments of a video. Raises DataError if it cannot be read, ConfigError for too few frames."""
        file = source.file
        version = source.version or file.version()
        taken = self.scorer.input_format
        index = self._index(file)
        require_rate(SourceInfo(len(index.times_s), 0, 0, index.frame_rate), taken.fps, file.address)
        cutting = Cutting(
            fps=taken.fps,
            stride=taken.stride,
            seconds=self.setup.seconds,
            overlap=Overlap.of(self.scorer),
            key=self.setup.key,
        )
        began_s = self._began_s(file, version, index)
        segments = cutting.cut(source.name, file.address, str(version), index, began_s)
        return Plan(source.name, file.address, str(version), self.setup.key, version.size, segments)

    def _index(self, file: FootageFile) -> VideoIndex:
        if not (file.is_local and file.path.is_dir()):
            return index_video(file)
        fps = self.scorer.input_format.image_fps
        count = probe_images(file.path, self.setup.on_bad_frame).frame_count
        return VideoIndex(np.arange(count) / fps, (), 0.0, np.zeros(count, np.int64), fps)

    def _frames(self, file: FootageFile, segment: Segment) -> Generator[Frame, None, None]:
        if file.is_local and file.path.is_dir():
            yield from read_images(file.path, self.setup.on_bad_frame, self.scorer.input_format.image_fps)
        else:
            limit = segment.limit or None
            yield from read_part(file, segment.key, segment.file_start_s, self.setup.on_bad_frame, limit)

    def _began_s(self, file: FootageFile, version: FileVersion, index: VideoIndex) -> float | None:
        """Return when a video began: by its name or its container, else it ended when its file was last changed."""
        began_s = start_unix_s(file.path, self.setup.starts) if file.is_local or self.setup.starts else None
        if began_s is None and version.changed_s is not None:
            began_s = version.changed_s - float(index.times_s[-1])
        return began_s

    def score(self, segment: Segment) -> Scores:
        """Score a segment. Raises DataError if it cannot be read, or is another than the plan says."""
        begun_s = time.monotonic()
        file = FootageFile(segment.address)
        if str(file.version()) != segment.version:
            raise VideoError("the file has changed since its segments were planned", file.address, "Start again")
        rows = self._rows(file, segment)
        if self.setup.on_bad_frame == "stop" and len(rows) < segment.end - segment.start:
            what = f"{len(rows)} of {segment.end - segment.start} frames are there"
            raise VideoError(what, file.address, "Copy it again, or go on with --on-bad-frame skip")
        work = {"seconds": round(time.monotonic() - begun_s, 3), "host": platform.node(), "peak_mb": _peak_mb()}
        return Scores(scores_table(segment, rows, self.scorer), work)

    def _rows(self, file: FootageFile, segment: Segment) -> list[FrameScore]:
        frames = self._frames(file, segment)
        numbers: list[int] = []  # of the frames given to the scorer, which gives a score for each, in order
        rows = []
        with closing(frames), closing(self.scorer.score(self._needed(frames, segment, numbers))) as scores:
            for position, scored in zip(count(), scores, strict=False):
                if segment.start <= numbers[position] < segment.end:
                    rows.append(scored)
        return rows

    def _needed(self, frames: Iterator[Frame], segment: Segment, numbers: list[int]) -> Iterator[Frame]:
        taken = self.scorer.input_format
        sampled = sample_part(frames, fps=taken.fps, stride=taken.stride, kept_before=segment.kept_before)
        for number, frame in sampled:
            if number >= segment.last:
                return
            if number >= segment.first:
                numbers.append(number)
                yield frame


def scores_table(segment: Segment, rows: list[FrameScore], scorer: Scorer) -> Any:
    """Return Arrow's table of a segment's scores, with a column for each cue of the model."""
    import pyarrow as pa

    times = [row.time_s for row in rows]
    at = [None if segment.began_s is None else round(1e6 * (segment.began_s + time_s)) for time_s in times]
    columns: dict[str, Any] = {
        "address": pa.array([segment.address] * len(rows), pa.string()),
        "frame": pa.array([row.index for row in rows], pa.int64()),
        "time": pa.array(times, pa.float64()),
        "at": pa.array(at, pa.timestamp("us", tz="UTC")),
        "score": pa.array([row.score for row in rows], pa.float64()),
    }
    for name in cue_columns(scorer):
        columns[name] = pa.array([row.cues.get(name) for row in rows], pa.float64())
    return pa.table(columns)


def cue_columns(scorer: Scorer) -> list[str]:
    """Return the names of the columns of cues, which are the same in every file of a model."""
    if not scorer.cues:
        return []
    named = {cue.name for cue in scorer.cues}
    named |= {RECONSTRUCTION} if scorer.fuse is not None and scorer.backend is not None else set()
    own = [name for name in CUES if name in named]
    return [*own, *sorted(named - {*own}), *([FUSED] if scorer.smoothing_s else [])]


def _peak_mb() -> float:
    """Return the most memory that this process has used, in units of 2^20 bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (MEGA if sys.platform == "darwin" else 1024), 1)


def resident_bytes(process: int | None = None) -> int:
    """Return the memory that a process uses now; 0 where the system does not say it, as only Linux does."""
    try:
        pages = Path(f"/proc/{process or os.getpid()}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
