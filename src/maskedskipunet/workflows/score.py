"""Score one video with a trained network."""

from dataclasses import dataclass, replace
from pathlib import Path

from maskedskipunet.data.frames import OnBadFrame
from maskedskipunet.data.layouts import recognise
from maskedskipunet.data.sources import Source
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.errors import DataError
from maskedskipunet.evaluation.precision import PrecisionEffect
from maskedskipunet.files import require_writable
from maskedskipunet.inference.prepare import Precision, PreparedNetwork
from maskedskipunet.model.config import InputFormat
from maskedskipunet.progress import Advance, Progress, Silent
from maskedskipunet.view.plots import plot_score_curve
from maskedskipunet.workflows.calibration import calibration_of
from maskedskipunet.workflows.events import EVENT_FILES, write_events
from maskedskipunet.workflows.footage import source_of
from maskedskipunet.workflows.precision import precision_effect
from maskedskipunet.workflows.scoring import ScoredVideo, load_scorer, score_video, write_scores


@dataclass(frozen=True)
class ScoreResult:
    """What was found and where it lies.

    video_path: None where none was asked for. effect: of reduced precision, None in float32. calibration: of the
    model, None where it has none. events_paths: `events.json` and `events.csv`, where the model has a threshold;
    annotated_path: then the second video, where one was asked for.
    """

    scored: ScoredVideo
    scores_path: Path
    plot_path: Path
    video_path: Path | None
    effect: PrecisionEffect | None = None
    calibration: Calibration | None = None
    events_paths: tuple[Path, ...] = ()
    annotated_path: Path | None = None

    @property
    def paths(self) -> list[Path]:
        """Everything that was written."""
        videos = (path for path in (self.video_path, self.annotated_path) if path is not None)
        return [self.scores_path, self.plot_path, *self.events_paths, *videos]


def score(
    video: Path,
    model: Path,
    out: Path,
    *,
    with_video: bool = False,
    on_bad_frame: OnBadFrame = "stop",
    device: str = "auto",
    precision: Precision = "float32",
    progress: Progress | None = None,
) -> ScoreResult:
    """Score a video (a file or a folder of images); write its scores and their plot into `out`.

    model: a run or whatever load_model takes; where it has a threshold, the video's events are written too. with_video:
    also write a comparison video, and where there is a threshold an annotated one. precision: in bfloat16 the first
    frames are scored in float32 too, to see what it changes.
    Raises DataError when the video cannot be read or is too short, WeightsError when the model cannot.
    """
    dataset = recognise(video)
    if len(dataset.train) != 1 or dataset.test:
        raise DataError("not one video", str(video), "Name one file or one folder of images")
    require_writable(out)
    network, how = load_scorer(model, device, precision)
    item = dataset.train[0]
    source = source_of(item.path, how, on_bad_frame)
    effect = None if precision == "float32" else precision_effect(model, network, source, how)
    job = ScoreJob(name=item.name, source=source, out=out, with_video=with_video, calibration=calibration_of(model))
    with (progress or Silent()).stage(job.title, job.steps) as advance:
        return replace(job.run(network, how, advance), effect=effect)


@dataclass(frozen=True, kw_only=True)
class ScoreJob:
    """One video, and what is to be written of it where."""

    name: str
    source: Source
    out: Path
    with_video: bool
    calibration: Calibration | None

    @property
    def title(self) -> str:
        return "scoring and drawing" if self.with_video else "scoring"

    @property
    def steps(self) -> int:
        """Frames to score and to draw. Raises DataError for what is no footage."""
        expected = self.source.expected_frames()
        if not self.with_video:
            return expected
        return 2 * expected + (self.source.probe().frame_count if self._has_threshold else 0)

    @property
    def _has_threshold(self) -> bool:
        return self.calibration is not None and self.calibration.alarm is not None

    def run(self, network: PreparedNetwork, how: InputFormat, advance: Advance) -> ScoreResult:
        """Score it and write everything; nothing is written of a video in which no frame has a score."""
        video_path = self.out / "comparison.mp4" if self.with_video else None
        annotated_path = self.out / "annotated.mp4" if self.with_video and self._has_threshold else None
        scored = score_video(
            self.name,
            self.source,
            network,
            how,
            video=video_path,
            calibration=self.calibration,
            annotated=annotated_path,
            advance=advance,
        )
        if not scored.labelled.scored.any():
            raise DataError(
                f"no {network.clip_length} good frames follow one another in it ({len(scored.scores)} frames)",
                str(self.source.path),
                "Name a longer video",
            )
        write_scores(self.out / "scores.parquet", [scored])
        plot_score_curve(scored.curve, self.out / "scores.png")
        events_paths: tuple[Path, ...] = ()
        for stale in EVENT_FILES:  # of another threshold than these scores
            (self.out / stale).unlink(missing_ok=True)
        if scored.events is not None and self.calibration is not None and self.calibration.alarm is not None:
            events_paths = write_events(self.out, scored.events, self.calibration.alarm.rule, scored.drift)
        return ScoreResult(
            scored,
            self.out / "scores.parquet",
            self.out / "scores.png",
            video_path,
            calibration=self.calibration,
            events_paths=events_paths,
            annotated_path=annotated_path,
        )
