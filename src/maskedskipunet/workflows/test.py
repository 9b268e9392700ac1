"""Test a trained network on a data set's test videos."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from maskedskipunet.data.config import DataConfig
from maskedskipunet.data.layouts import label_set
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.reading import CUES, FUSED
from maskedskipunet.evaluation.alarms import LabelledAlarms, alarm_figures, at_threshold
from maskedskipunet.evaluation.frames import frame_metrics
from maskedskipunet.evaluation.maps import maps_bytes
from maskedskipunet.evaluation.precision import PrecisionEffect
from maskedskipunet.files import readable_bytes, require_free_space, require_writable
from maskedskipunet.inference.prepare import Precision
from maskedskipunet.input_format import InputFormat
from maskedskipunet.progress import Progress, Silent
from maskedskipunet.runs import RunFolder, write_json
from maskedskipunet.scoring.loading import load_scorer
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.view.plots import plot_score_curve, plot_scores
from maskedskipunet.workflows.day_parts import note_unknown_times
from maskedskipunet.workflows.footage import LabelledVideo, note_other_rates, test_videos
from maskedskipunet.workflows.frame_progress import FrameProgress
from maskedskipunet.workflows.precision import precision_effect
from maskedskipunet.workflows.scoring import ScoredVideo, VideoOutputs, score_video, write_scores

OVERVIEW = "all"  # the plot of all videos
NORMAL_SHARES = (0.05, 0.01, 0.001)  # of normal frames that thresholds may reach


@dataclass(frozen=True)
class TestResult:
    """The results, and where their files are.

    metrics: as in `metrics.json`, a key a protocol. effect: of reduced precision, None in float32.
    """

    videos: Sequence[ScoredVideo]
    metrics: dict[str, Any]
    out: RunFolder
    effect: PrecisionEffect | None = None


def test(
    model: Path,
    data: DataConfig,
    out: Path,
    *,
    with_videos: bool = True,
    with_maps: bool = False,
    device: str = "auto",
    precision: Precision = "float32",
    progress: Progress | None = None,
) -> TestResult:
    """Score every test video and hold the scores against the labels.

    model: a run or whatever load_model takes; frames are sized and sampled as it was trained. data: whose test
    videos (path, scene, on_bad_frame and image folders matter). out: where scores.parquet, metrics.json, plots/ and
    videos/ are written, and maps/ where with_maps asks for the score maps; older maps there go with older scores.
    Raises MaskedSkipUNetError, before the first frame is scored, for what cannot be tested.
    """
    require_writable(out)
    scorer = load_scorer(model, device, precision)
    found = test_videos(data, scorer.input_format)
    effect = None if precision == "float32" else precision_effect(model, scorer, found[0].source)
    folder = RunFolder(out)
    scored = []
    expected = sum(video.source.expected_frames() for video in found)
    progress = progress or Silent()
    note_unknown_times(scorer.calibration, [video.source.path for video in found], progress)
    note_other_rates([video.source for video in found], scorer.input_format, progress)
    if with_maps:
        _require_room_for_maps(folder, expected, scorer.input_format, progress)
    title = "testing and drawing" if with_videos else "testing"
    with new_maps(folder) as maps, progress.stage(title, expected) as advance:
        in_frames = FrameProgress(advance, frames=expected, steps=expected * (2 if with_videos else 1))
        for video in found:
            scored.append(
                score_video(
                    video.item.name,
                    video.source,
                    scorer,
                    VideoOutputs(
                        comparison=folder.videos / f"{video.item.name}.mp4" if with_videos else None,
                        maps=maps / f"{video.item.name}.parquet" if with_maps else None,
                    ),
                    labels=video.labels,
                    advance=in_frames,
                )
            )
        metrics = _metrics(model, data, scorer, effect, found, scored)
        write_scores(folder.scores, scored)
    write_json(folder.metrics, metrics)
    draw_plots(folder, scored)
    return TestResult(scored, metrics, folder, effect)


def _metrics(
    model: Path,
    data: DataConfig,
    scorer: Scorer,
    effect: PrecisionEffect | None,
    found: Sequence[LabelledVideo],
    scored: Sequence[ScoredVideo],
) -> dict[str, Any]:
    """Return what `metrics.json` says."""
    calibration = scorer.calibration
    return {
        **describe(model, scorer),
        **({} if effect is None else {"precision_effect": effect.figures()}),
        "calibration": None if calibration is None else at_default_thresholds(calibration, scored),
        **alarms_of(calibration, scored),
        "label_set": label_set(video.item for video in found),
        "scene": data.scene,
        **frame_metrics([video.labelled for video in scored]),
        **_by_cue(scored),
    }


@contextmanager
def new_maps(folder: RunFolder) -> Iterator[Path]:
    """Yield a folder for new score maps; they replace older ones if the block ends without an error."""
    part = folder.path / f".{folder.maps.name}.{os.getpid()}.part"
    try:
        yield part
        if folder.maps.is_dir():
            shutil.rmtree(folder.maps)
        if part.is_dir():
            part.replace(folder.maps)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _require_room_for_maps(folder: RunFolder, frames: int, input_format: InputFormat, progress: Progress) -> None:
    size = maps_bytes(frames, input_format.height_px, input_format.width_px)
    what = f"keeping the score maps of {frames:,} frames of {input_format.width_px}x{input_format.height_px}"
    require_free_space(folder.path, size, what=what, cure="Leave --maps out, or name another folder with --out")
    progress.note(f"{what} takes up to {readable_bytes(size)}")


def draw_plots(folder: RunFolder, scored: Sequence[ScoredVideo]) -> None:
    """Draw one overview of all score curves, and a plot for each video."""
    folder.plots.mkdir(parents=True, exist_ok=True)
    curves = [video.curve for video in scored]
    plot_scores(curves, folder.plots / f"{OVERVIEW}.png", "Scores over ground truth")
    for curve, name in zip(curves, plot_names([curve.name for curve in curves]), strict=True):
        plot_score_curve(curve, folder.plots / f"{name}.png")


def plot_names(videos: Sequence[str]) -> list[str]:
    """Return what the videos' plots are called: as the videos, but where the overview is called so.

    >>> plot_names(["01", "all"])
    ['01', 'all_2']
    """
    taken = {OVERVIEW, *(name.casefold() for name in videos)}
    free = next(name for name in (f"{OVERVIEW}_{number}" for number in count(2)) if name not in taken)
    return [free if name.casefold() == OVERVIEW else name for name in videos]


def at_default_thresholds(calibration: Calibration, scored: Sequence[ScoredVideo]) -> dict[str, Any]:
    """Return what thresholds do that were set on normal frames without labels, as `metrics.json` tells it."""
    videos = [video.labelled for video in scored]
    known = [share for share in NORMAL_SHARES if share >= calibration.shares[-1]]
    return {
        "normal_frames": calibration.frames,
        "normal_videos": list(calibration.videos),
        "thresholds": [
            {"normal_share": share, **at_threshold(videos, calibration.threshold(share))} for share in known
        ],
    }


def alarms_of(calibration: Calibration | None, scored: Sequence[ScoredVideo]) -> dict[str, Any]:
    """Return what the threshold that was set by a budget finds in labelled videos; nothing if there is none."""
    if calibration is None or calibration.alarm is None:
        return {}
    videos = [
        LabelledAlarms(
            video.index, video.time_s, video.labels, [(event.start_frame, event.end_frame) for event in video.events]
        )
        for video in scored
        if video.labels is not None and video.events is not None
    ]
    return {"alarms": {"threshold": calibration.alarm.rule.threshold, **alarm_figures(videos)}}


def _by_cue(scored: Sequence[ScoredVideo]) -> dict[str, Any]:
    """Return the figures of each cue by itself; nothing for a model of its network alone."""
    names = [cue for cue in (*CUES, FUSED) if all(cue in video.cues for video in scored)]
    found = {cue: frame_metrics([video.labelled_by(cue) for video in scored]) for cue in names}
    return {"cues": found} if found else {}


def describe(path: Path, scorer: Scorer) -> dict[str, Any]:
    """Return what was tested, without where it lies."""
    network = {} if scorer.backend is None else scorer.backend.describe()
    spacing = {} if scorer.geometry.spacing == 1 else {"spacing": scorer.geometry.spacing}
    return {"model": path.resolve().name, **network, **spacing}
