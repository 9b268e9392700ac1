"""Score one video with a trained network."""

from dataclasses import dataclass
from pathlib import Path

from maskedskipunet.data.frames import OnBadFrame
from maskedskipunet.data.layouts import recognise
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.errors import DataError
from maskedskipunet.evaluation.precision import PrecisionEffect
from maskedskipunet.files import require_writable
from maskedskipunet.inference.prepare import Precision
from maskedskipunet.progress import Progress, Silent
from maskedskipunet.view.plots import plot_score_curve
from maskedskipunet.workflows.calibration import calibration_of
from maskedskipunet.workflows.footage import source_of
from maskedskipunet.workflows.precision import precision_effect
from maskedskipunet.workflows.scoring import ScoredVideo, load_scorer, score_video, write_scores


@dataclass(frozen=True)
class ScoreResult:
    """What was found and where it lies.

    video_path: None where none was asked for. effect: of reduced precision, None in float32. calibration: of the
    model, None where it has none.
    """

    scored: ScoredVideo
    scores_path: Path
    plot_path: Path
    video_path: Path | None
    effect: PrecisionEffect | None = None
    calibration: Calibration | None = None


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

    model: a run or whatever load_model takes. with_video: also write a comparison video. precision: in bfloat16 the
    first frames are scored in float32 too, to see what it changes.
    Raises DataError when the video cannot be read or is too short, WeightsError when the model cannot.
    """
    dataset = recognise(video)
    if len(dataset.train) != 1 or dataset.test:
        raise DataError("not one video", str(video), "Name one file or one folder of images")
    require_writable(out)
    network, how = load_scorer(model, device, precision)
    calibration = calibration_of(model)
    item = dataset.train[0]
    source = source_of(item, how, on_bad_frame)
    expected = source.expected_frames()
    effect = None if precision == "float32" else precision_effect(model, network, source, how)
    video_path = out / "comparison.mp4" if with_video else None
    stage = ("scoring and drawing", 2 * expected) if with_video else ("scoring", expected)
    with (progress or Silent()).stage(*stage) as advance:
        scored = score_video(item.name, source, network, how, video=video_path, advance=advance)
    if not scored.labelled.scored.any():
        raise DataError(
            f"no {network.clip_length} good frames follow one another in it ({len(scored.scores)} frames)",
            str(video),
            "Name a longer video",
        )
    write_scores(out / "scores.parquet", [scored])
    plot_score_curve(scored.curve, out / "scores.png")
    return ScoreResult(scored, out / "scores.parquet", out / "scores.png", video_path, effect, calibration)
