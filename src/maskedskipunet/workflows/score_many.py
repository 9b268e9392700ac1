"""Score many videos with one network: what is finished is not done again, and a broken file stops nothing."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from maskedskipunet import __version__
from maskedskipunet.cues.cue_model import CUES_NAME
from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.downloads import Download, opened_download
from maskedskipunet.data.sampling import require_rate
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.drift import DriftChange
from maskedskipunet.errors import (
    ConfigError,
    DataError,
    MaskedSkipUNetError,
    WeightsError,
    advice_when_interrupted,
)
from maskedskipunet.files import require_writable
from maskedskipunet.model.pretrained import model_folder
from maskedskipunet.model.storage import NETWORK_FILES
from maskedskipunet.progress import Progress, Silent
from maskedskipunet.records.folder import RecordsFolder
from maskedskipunet.runs import write_json
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.workflows.day_parts import note_unknown_times
from maskedskipunet.workflows.events import scored_hours
from maskedskipunet.workflows.footage import note_other_rates, source_of
from maskedskipunet.workflows.frame_progress import FrameProgress
from maskedskipunet.workflows.input_selection import NamedVideo, RemoteVideo
from maskedskipunet.workflows.joint_events import JointKind, write_joint_events
from maskedskipunet.workflows.normal_moments import NormalMoments
from maskedskipunet.workflows.own_labels import labels_path, own_labels
from maskedskipunet.workflows.recorded_scores import RecordedScores
from maskedskipunet.workflows.remote import fetched, of_address, require_seconds
from maskedskipunet.workflows.score import ScoreJob, ScoreOptions, ScoreResult, run_jobs
from maskedskipunet.workflows.score_cache import footage_identity

FINISHED_NAME = "finished.json"  # written last into a video's folder: all else in it is whole


@dataclass(frozen=True)
class DoneVideo:
    """The summary of a scored video that stays in memory.

    highest: the highest score. events: their number, None without a threshold. drift: its begins and ends. scored_h:
    hours of frames with a score. recorded: what went into the records, None if that was not asked for.
    """

    name: str
    out: Path
    frames: int
    frames_scored: int
    highest: float
    events: int | None
    drift: tuple[DriftChange, ...]
    scored_h: float = 0.0
    recorded: RecordedScores | None = None

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
            scored_hours(scored),
            result.recorded,
        )


@dataclass(frozen=True)
class ManyScores:
    """The outcome of each video. done: those scored now. before: names of those that were finished already. failed:
    names and faults of those that could not be scored. events_path: `events.csv` with the events of all that are
    scored, now or before; None if the model has no threshold. calibration: of the model. kinds: of those events,
    over all videos, in order of the first of each; empty for a model without cues.
    """

    done: tuple[DoneVideo, ...]
    before: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    events_path: Path | None = None
    calibration: Calibration | None = None
    kinds: tuple[JointKind, ...] = ()


RECORDS = "records"  # the setting that says into which records a video was put
Settings = dict[str, Any]  # what a video's results depend on; stands in FINISHED_NAME


def score_many(
    videos: Sequence[NamedVideo | RemoteVideo],
    model: Path,
    out: Path,
    options: ScoreOptions | None = None,
    *,
    progress: Progress | None = None,
) -> ManyScores:
    """Score videos, each into the folder `out/NAME`: first local ones, then those of servers.

    A video that was finished with the same model and settings, and has not changed since, is skipped: so an interrupted
    scoring can be continued. Raises WeightsError, CalibrationError or DiskSpaceError for faults that concern all
    videos, ConfigError for invalid settings; faults of single videos are in the result.
    """
    options = options or ScoreOptions()
    local = [video for video in videos if isinstance(video, NamedVideo)]
    remote = [video for video in videos if isinstance(video, RemoteVideo)]
    for video in remote:
        require_seconds(video.address, options.seconds)
    require_writable(out)
    scorer = options.load_scorer(model)
    progress = progress or Silent()
    note_unknown_times(scorer.calibration, [video.path for video in local], progress)
    archive = _Archive(
        out=out,
        scorer=scorer,
        normal=NormalMoments(model),
        options=options,
        progress=progress,
        settings={
            "version": __version__,
            "model": fingerprint(model),
            "input": scorer.input_format.to_dict(),
            "precision": options.precision,
            "with_video": options.with_video,
            "on_bad_frame": options.on_bad_frame,
        }
        | _recorded_as(options),
    )
    with advice_when_interrupted(f"called again, it goes on at the next unfinished video of {out}"):
        archive.score_local(local)
        for video in remote:
            archive.score_remote(video)
    order = [video.name for video in videos]
    archive.normal.note_missing(progress)
    result = archive.result(order)
    scored = {*archive.done, *archive.before}
    joint = write_joint_events(out, [name for name in order if name in scored])
    return replace(result, events_path=joint.path, calibration=scorer.calibration, kinds=joint.kinds)


@dataclass(kw_only=True)
class _Archive:
    """Many videos with their common settings and their results so far. settings: everything that results depend on."""

    out: Path
    scorer: Scorer
    normal: NormalMoments
    options: ScoreOptions
    progress: Progress
    settings: Settings
    done: dict[str, DoneVideo] = field(default_factory=dict)
    before: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def result(self, order: Sequence[str]) -> ManyScores:
        return ManyScores(
            tuple(self.done[name] for name in order if name in self.done),
            tuple(self.before),
            tuple((name, self.failed[name]) for name in order if name in self.failed),
        )

    def score_local(self, videos: Sequence[NamedVideo]) -> None:
        jobs: list[tuple[ScoreJob, Settings]] = []
        for video in videos:
            try:
                settings = self.settings | {"video": footage_identity(video.path)}
                if (labels := labels_path(video.path)) is not None:
                    settings["labels"] = footage_identity(labels)
                if not self._is_finished(video.name, settings):
                    jobs.append((self._job(video.name, video.path), settings))
            except (DataError, ConfigError) as error:
                self._fail(video.name, error)
        if self.before:
            self.progress.note(f"{len(self.before)} of {len(videos)} videos are already finished")
        self._score(jobs)

    def score_remote(self, video: RemoteVideo) -> None:
        try:
            if self.options.seconds is not None:
                self._score_fetched(video, self.settings, None)
                return
            with opened_download(video.address) as download:
                origin = {"address": str(video.address), "bytes": download.size_bytes, "version": download.version}
                settings = self.settings | {"video": origin}
                if not self._is_finished(video.name, settings):
                    self._score_fetched(video, settings, download)
        except (DataError, ConfigError) as error:
            self._fail(video.name, error)

    def _score_fetched(self, video: RemoteVideo, settings: Settings, download: Download | None) -> None:
        taken = self.scorer.input_format
        copy = fetched(
            video.name,
            video.address,
            self.out,
            self.progress,
            seconds=None if download is not None else self.options.seconds,
            download=download,
            snapshot_fps=taken.fps or taken.footage_fps,
        )
        with copy as path:
            self._score([(self._job(video.name, path), settings)], video.address)

    def _is_finished(self, name: str, settings: Settings) -> bool:
        before = _finished(self.out / name)
        if RECORDS not in settings and isinstance(before, dict):
            before.pop(RECORDS, None)  # that it was recorded too changes none of its results
        if before != settings:
            return False
        self.before.append(name)
        return True

    def _job(self, name: str, path: Path) -> ScoreJob:
        source = source_of(path, self.scorer.input_format, self.options.on_bad_frame)
        require_rate(source.probe(), source.fps, str(path))
        return ScoreJob(
            name=name,
            source=source,
            out=self.out / name,
            with_video=self.options.with_video,
            scorer=self.scorer,
            labels=own_labels(source, self.progress),
            normal=self.normal,
            with_peaks=self.options.records is not None,
        )

    def _score(self, jobs: Sequence[tuple[ScoreJob, Settings]], address: CameraAddress | None = None) -> None:
        """Score jobs. address: where they were fetched from."""
        if not jobs:
            return
        note_other_rates([job.source for job, _ in jobs], self.scorer.input_format, self.progress)
        settings = {job.name: its for job, its in jobs}
        with_maps = any(job.with_maps for job, _ in jobs)
        frames, steps = sum(job.frames for job, _ in jobs), sum(job.steps for job, _ in jobs)
        with self.progress.stage(jobs[0][0].title, frames) as advance:
            for job, found in run_jobs(
                _unmarked(job for job, _ in jobs),
                self.scorer,
                together=self.options.together,
                with_maps=with_maps,
                advance=FrameProgress(advance, frames=frames, steps=steps),
            ):
                result = self._recorded(found, job, address) if isinstance(found, ScoreResult) else found
                if isinstance(result, ScoreResult):
                    write_json(job.out / FINISHED_NAME, settings[job.name])
                    self.done[job.name] = DoneVideo.of(result)
                else:
                    self._fail(job.name, result if address is None else of_address(result, address))

    def _recorded(self, found: ScoreResult, job: ScoreJob, address: CameraAddress | None) -> ScoreResult | DataError:
        """Put what was found into the records, where that is asked for."""
        target = self.options.records
        if target is None:
            return found
        known = target if address is None else replace(target, footage=str(address))
        try:
            return found.put_into(known, job.source)
        except DataError as error:
            return error

    def _fail(self, name: str, error: MaskedSkipUNetError) -> None:
        self.failed[name] = str(error)  # told once, with the results


def _unmarked(jobs: Iterable[ScoreJob]) -> Iterator[ScoreJob]:
    """Yield jobs, and remove each one's mark of completion before it starts."""
    for job in jobs:
        (job.out / FINISHED_NAME).unlink(missing_ok=True)
        yield job


def _recorded_as(options: ScoreOptions) -> Settings:
    """Return what tells into which records videos were put; nothing where they are put into none.

    Records that were removed since are others, and so is a records folder of the same name.
    """
    target = options.records
    if target is None:
        return {}
    target.prepare()
    made = RecordsFolder(target.folder).database.stat().st_ino
    folder = str(target.folder.resolve())
    return {RECORDS: {"folder": folder, "made": made, "camera": target.camera, "starts": target.starts}}


def fingerprint(model: Path) -> str:
    """Return a hash of a model's weights, description and calibration."""
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


_MODEL_FILES = frozenset({*NETWORK_FILES, CUES_NAME, "calibration.json"})


def _finished(folder: Path) -> Any:
    try:
        return json.loads((folder / FINISHED_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
