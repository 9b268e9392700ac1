"""Score many videos with one network: what is finished is not done again, and a broken file stops nothing."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from maskedskipunet import __version__
from maskedskipunet.data.frames import OnBadFrame
from maskedskipunet.data.images import image_files
from maskedskipunet.detection.drift import DriftChange
from maskedskipunet.errors import DataError, WeightsError, advice_when_interrupted
from maskedskipunet.files import require_writable
from maskedskipunet.inference.prepare import Precision
from maskedskipunet.model.pretrained import model_folder
from maskedskipunet.progress import Progress, Silent
from maskedskipunet.runs import write_json
from maskedskipunet.workflows.calibration import calibration_of
from maskedskipunet.workflows.footage import source_of
from maskedskipunet.workflows.gathering import NamedVideo
from maskedskipunet.workflows.score import ScoreJob, ScoreResult
from maskedskipunet.workflows.scoring import load_scorer

FINISHED_NAME = "finished.json"  # written last into a video's folder: all else in it is whole


@dataclass(frozen=True)
class DoneVideo:
    """What is kept of a scored video in memory.

    highest: score. events: how many, None without a threshold. drift: where normal itself changed.
    """

    name: str
    out: Path
    frames: int
    frames_scored: int
    highest: float
    events: int | None
    drift: tuple[DriftChange, ...]

    @classmethod
    def of(cls, result: ScoreResult) -> "DoneVideo":
        scored = result.scored
        return cls(
            scored.name,
            result.scores_path.parent,
            len(scored.scores),
            int(scored.labelled.scored.sum()),
            float(np.nanmax(scored.scores)),
            None if scored.events is None else len(scored.events),
            scored.drift,
        )


@dataclass(frozen=True)
class ManyScores:
    """What became of each video. done: those scored now. before: names of those that were finished already.
    failed: names and faults of those that could not be scored.
    """

    done: tuple[DoneVideo, ...]
    before: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]


def score_many(
    videos: Sequence[NamedVideo],
    model: Path,
    out: Path,
    *,
    with_video: bool = False,
    on_bad_frame: OnBadFrame = "stop",
    device: str = "auto",
    precision: Precision = "float32",
    progress: Progress | None = None,
) -> ManyScores:
    """Score videos one after another, each into the folder `out/NAME`.

    A video whose folder says that it was finished by the same model with the same settings, and which has not changed
    since, is passed over: called again, an interrupted scoring goes on where it was.
    Raises WeightsError, CalibrationError or DiskSpaceError for what concerns all videos; DataErrors of one are told in
    the result.
    """
    progress = progress or Silent()
    require_writable(out)
    network, how = load_scorer(model, device, precision)
    calibration = calibration_of(model)
    shared = {
        "version": __version__,
        "model": fingerprint(model),
        "input": asdict(how),
        "precision": precision,
        "with_video": with_video,
        "on_bad_frame": on_bad_frame,
    }
    done: list[DoneVideo] = []
    before: list[str] = []
    failed: list[tuple[str, str]] = []
    jobs: list[tuple[NamedVideo, ScoreJob, dict[str, Any], int]] = []
    for video in videos:
        try:
            wanted = shared | {"video": _identity(video.path)}
            if _finished(out / video.name) == wanted:
                before.append(video.name)
                continue
            source = source_of(video.path, how, on_bad_frame)
            job = ScoreJob(
                name=video.name,
                source=source,
                out=out / video.name,
                with_video=with_video,
                calibration=calibration,
            )
            jobs.append((video, job, wanted, job.steps))
        except DataError as error:
            failed.append((video.name, str(error)))
            progress.note(str(error))
    if before:
        progress.note(f"{len(before)} of {len(videos)} videos are finished already")
    advice = f"called again, it goes on at the next unfinished video of {out}"
    title = "scoring and drawing" if with_video else "scoring"
    with advice_when_interrupted(advice), progress.stage(title, sum(steps for *_, steps in jobs)) as advance:
        for video, job, wanted, _ in jobs:
            (job.out / FINISHED_NAME).unlink(missing_ok=True)
            try:
                done.append(DoneVideo.of(job.run(network, how, advance)))
                write_json(job.out / FINISHED_NAME, wanted)
            except DataError as error:
                failed.append((video.name, str(error)))
                progress.note(str(error))
    return ManyScores(tuple(done), tuple(before), tuple(failed))


def fingerprint(model: Path) -> str:
    """What tells a model from any other: a hash of its weights, description and calibration."""
    try:
        folder = model_folder(model)
        files = sorted(path for path in folder.iterdir() if path.name in _MODEL_FILES)
    except WeightsError:
        files = [model]
    total = sha256()
    for file in files:
        total.update(file.name.encode() + b"\0")
        with file.open("rb") as opened:
            while part := opened.read(1 << 20):
                total.update(part)
    return total.hexdigest()


_MODEL_FILES = frozenset({"config.json", "model.safetensors", "calibration.json"})


def _identity(path: Path) -> dict[str, int]:
    """What changes when a video does, without reading it."""
    files = image_files(path) if path.is_dir() else [path]
    try:
        stats = [file.stat() for file in files]
    except OSError as error:
        raise DataError(f"cannot read it ({error.strerror})", str(path), "Check the right to read it") from error
    return {
        "files": len(stats),
        "bytes": sum(stat.st_size for stat in stats),
        "changed_ns": max((stat.st_mtime_ns for stat in stats), default=0),
    }


def _finished(folder: Path) -> Any:
    try:
        return json.loads((folder / FINISHED_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
