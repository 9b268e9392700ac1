"""Score a video with a trained network."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from maskedskipunet.data.frames import Frame, OnBadFrame
from maskedskipunet.data.label_files import Labels
from maskedskipunet.data.layouts import recognise
from maskedskipunet.data.sources import Source
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.errors import ConfigError, DataError
from maskedskipunet.evaluation.precision import PrecisionEffect
from maskedskipunet.files import require_writable
from maskedskipunet.inference.prepare import Precision
from maskedskipunet.progress import Advance, Progress, Silent
from maskedskipunet.scoring.ignored import also_ignoring
from maskedskipunet.scoring.loading import input_format_of, load_scorer
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.view.plots import plot_score_curve
from maskedskipunet.workflows.day_parts import note_unknown_times
from maskedskipunet.workflows.event_pictures import EventPictures, remove_event_pictures, write_event_pictures
from maskedskipunet.workflows.events import EVENT_FILES, write_events
from maskedskipunet.workflows.footage import note_other_rates, source_of
from maskedskipunet.workflows.frame_progress import FrameProgress
from maskedskipunet.workflows.input_selection import RemoteVideo
from maskedskipunet.workflows.normal_moments import NormalMoments
from maskedskipunet.workflows.own_labels import own_labels
from maskedskipunet.workflows.precision import precision_effect
from maskedskipunet.workflows.recorded_scores import RecordedScores, RecordsTarget, record_scores
from maskedskipunet.workflows.remote import fetched, require_seconds
from maskedskipunet.workflows.scoring import ScoredVideo, VideoOutputs, VideoScoring, write_scores


@dataclass(frozen=True)
class ScoreResult:
    """The results, and where their files are.

    video_path: None if none was asked for. effect: of reduced precision, None in float32. calibration: of the model,
    None if it has none. events_paths: `events.json` and `events.csv`, if the model has a threshold; annotated_path: the
    annotated video, if it was asked for too. event_pictures: the picture of each event, or None; normal_pictures: the
    nearest normal moment of each, or None. recorded: what went into the records, None if that was not asked for.
    """

    scored: ScoredVideo
    scores_path: Path
    plot_path: Path
    video_path: Path | None
    effect: PrecisionEffect | None = None
    calibration: Calibration | None = None
    events_paths: tuple[Path, ...] = ()
    annotated_path: Path | None = None
    event_pictures: tuple[Path | None, ...] = ()
    normal_pictures: tuple[Path | None, ...] = ()
    recorded: RecordedScores | None = None

    @property
    def paths(self) -> list[Path]:
        """The files that were written, without the pictures of events."""
        videos = (path for path in (self.video_path, self.annotated_path) if path is not None)
        return [self.scores_path, self.plot_path, *self.events_paths, *videos]

    def put_into(self, target: RecordsTarget, source: Source, progress: Progress | None = None) -> "ScoreResult":
        """Record the events and the score curve; returns the result that says so. Raises as record_scores does."""
        alarm = None if self.calibration is None else self.calibration.alarm
        if target.starts is None and alarm is not None and alarm.day is not None:
            target = replace(target, starts=alarm.day.starts)
        pictures = [*zip(self.event_pictures, self.normal_pictures, strict=True)]
        return replace(self, recorded=record_scores(self.scored, source, target, pictures, progress=progress))


@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
    """Options of scoring videos, and of the files to write.

    with_video: also write a comparison video, and with a threshold an annotated one. on_bad_frame: the action at a
    frame that cannot be read. precision: bfloat16 is faster on processors that support it; the first frames of a video
    are then also scored in float32 to measure the effect. together: the number of videos scored side by side. seconds:
    the length to record of streams. ignore: shapes to ignore besides the model's. records: also record events and
    score curves there. Raises ConfigError for settings that cannot be.
    """

    with_video: bool = False
    on_bad_frame: OnBadFrame = "stop"
    device: str = "auto"
    precision: Precision = "float32"
    together: int = 1
    seconds: float | None = None
    ignore: Sequence[str] = ()
    records: RecordsTarget | None = None

    def __post_init__(self) -> None:
        if self.together < 1:
            raise ConfigError(f"{self.together} videos together", "--videos-together", "Use 1 or more")

    def load_scorer(self, model: Path) -> Scorer:
        """Return a model's scorer that looks at as little as is asked for."""
        scorer = load_scorer(model, self.device, self.precision)
        return replace(scorer, input_format=also_ignoring(scorer.input_format, self.ignore, "ignore"))


def score(
    video: Path | RemoteVideo,
    model: Path,
    out: Path,
    options: ScoreOptions | None = None,
    *,
    progress: Progress | None = None,
) -> ScoreResult:
    """Score a video (a file, a folder of images, or what a server gives); write its scores and their plot into `out`.

    model: a run, or anything else that load_model takes; with a threshold, the video's events are written too. Raises
    DataError when the video cannot be read or is too short, WeightsError when the model cannot.
    """
    progress, options = progress or Silent(), options or ScoreOptions()
    if isinstance(video, RemoteVideo):
        require_seconds(video.address, options.seconds)
        require_writable(out)
        taken = input_format_of(model)
        rate = taken.fps or taken.footage_fps
        with fetched(video.name, video.address, out, progress, seconds=options.seconds, snapshot_fps=rate) as path:
            known = None if options.records is None else replace(options.records, footage=str(video.address))
            return score(path, model, out, replace(options, seconds=None, records=known), progress=progress)
    dataset = recognise(video)
    if len(dataset.train) != 1 or dataset.test:
        raise DataError("not one video", str(video), "Name one file or one folder of images")
    require_writable(out)
    if options.records is not None:
        options.records.prepare()
    scorer = options.load_scorer(model)
    item = dataset.train[0]
    source = source_of(item.path, scorer.input_format, options.on_bad_frame)
    labels = own_labels(source, progress)
    effect = None if options.precision == "float32" else precision_effect(model, scorer, source)
    note_unknown_times(scorer.calibration, [source.path], progress)
    note_other_rates([source], scorer.input_format, progress)
    job = ScoreJob(
        name=item.name,
        source=source,
        out=out,
        with_video=options.with_video,
        scorer=scorer,
        labels=labels,
        normal=(normal := NormalMoments(model)),
        with_peaks=options.records is not None,
    )
    with progress.stage(job.title, job.frames) as advance:
        in_frames = FrameProgress(advance, frames=job.frames, steps=job.steps)
        ((_, found),) = run_jobs([job], scorer, with_maps=job.with_maps, advance=in_frames)
    if isinstance(found, DataError):
        raise found
    normal.note_missing(progress)
    if options.records is not None:
        found = found.put_into(options.records, source, progress)
    return replace(found, effect=effect)


@dataclass(frozen=True, kw_only=True)
class ScoreJob:
    """One video to score, and the files to write.

    labels: one for each frame of the source, if there are any. normal: finds the normal moments that reasons name.
    with_peaks: also keep what the model saw at events' peaks, for records.
    """

    name: str
    source: Source
    out: Path
    with_video: bool
    scorer: Scorer
    labels: Labels | None = None
    normal: NormalMoments | None = None
    with_peaks: bool = False

    @property
    def title(self) -> str:
        return "scoring and drawing" if self.with_video else "scoring"

    @property
    def frames(self) -> int:
        """Return the number of frames to score. Raises DataError for anything that is no footage."""
        return self.source.expected_frames()

    @property
    def steps(self) -> int:
        """The number of frames to score plus the number to draw."""
        expected = self.frames
        if not self.with_video:
            return expected
        return 2 * expected + (self.source.probe().frame_count if self._has_threshold else 0)

    @property
    def with_maps(self) -> bool:
        """At least one output needs score maps."""
        return self.with_video or self._has_threshold

    @property
    def _has_threshold(self) -> bool:
        return self.scorer.calibration is not None and self.scorer.calibration.alarm is not None

    def begin(self, advance: Advance) -> VideoScoring:
        """Return the object that collects the scores of its frames."""
        return VideoScoring(self.name, self.source, self.scorer, self._outputs, labels=self.labels, advance=advance)

    @property
    def _outputs(self) -> VideoOutputs:
        return VideoOutputs(
            comparison=self.out / "comparison.mp4" if self.with_video else None,
            annotated=self.out / "annotated.mp4" if self.with_video and self._has_threshold else None,
            peaks=self.with_peaks,
        )

    def finish(self, scoring: VideoScoring) -> ScoreResult:
        """Write everything; nothing is written of a video in which no frame has a score."""
        scored = scoring.finish()
        if not scored.labelled.scored.any():
            raise DataError(
                f"{self.scorer.geometry.shortage()} in it ({len(scored.scores)} frames)",
                str(self.source.path),
                "Name a longer video",
            )
        write_scores(self.out / "scores.parquet", [scored])
        plot_score_curve(scored.curve, self.out / "scores.png")
        events_paths: tuple[Path, ...] = ()
        for stale in EVENT_FILES:  # of another threshold than these scores
            (self.out / stale).unlink(missing_ok=True)
        remove_event_pictures(self.out)
        pictures = EventPictures()
        if scored.events is not None and scored.rule is not None:
            pictures = write_event_pictures(self.out, self.source, scored, self.normal)
            names = pictures.names(scored.events)
            events_paths = write_events(self.out, scored.events, scored.rule, scored.drift, pictures=names)
        return ScoreResult(
            scored,
            self.out / "scores.parquet",
            self.out / "scores.png",
            self._outputs.comparison,
            calibration=self.scorer.calibration,
            events_paths=events_paths,
            annotated_path=self._outputs.annotated,
            event_pictures=pictures.peaks,
            normal_pictures=pictures.normal,
        )


def run_jobs(
    jobs: Iterable[ScoreJob],
    scorer: Scorer,
    *,
    together: int = 1,
    with_maps: bool,
    advance: Advance,
) -> Iterator[tuple[ScoreJob, ScoreResult | DataError]]:
    """Score many videos, several of them side by side; yield each with its result or its error when it ends.

    jobs: taken one by one. with_maps: at least one of them needs score maps.
    """
    begun: dict[str, VideoScoring] = {}

    def begin() -> Iterator[tuple[ScoreJob, Iterator[Frame]]]:
        for job in jobs:
            begun[job.name] = job.begin(advance)
            yield job, job.source.frames()

    together_scores = scorer.score_sources(begin(), at_once=together, with_maps=with_maps)
    try:
        with closing(together_scores):
            for job, found in together_scores:
                if isinstance(found, FrameScore):
                    begun[job.name].add(found)
                else:
                    with begun.pop(job.name) as scoring:
                        result = found.error or _finished(job, scoring)
                    yield job, result
    finally:
        for scoring in begun.values():
            scoring.close()


def _finished(job: ScoreJob, scoring: VideoScoring) -> ScoreResult | DataError:
    try:
        return job.finish(scoring)
    except DataError as error:
        return error
