"""Test a trained network on a data set's test videos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskedskipunet.data.config import DataConfig
from maskedskipunet.data.layouts import label_set
from maskedskipunet.evaluation.frames import frame_metrics
from maskedskipunet.files import require_writable
from maskedskipunet.model.network import MaskedSkipUNet
from maskedskipunet.progress import Progress, Silent
from maskedskipunet.runs import RunFolder, write_json
from maskedskipunet.view.plots import plot_score_curve, plot_scores
from maskedskipunet.workflows.footage import test_videos
from maskedskipunet.workflows.scoring import ScoredVideo, load_scorer, score_video, write_scores


@dataclass(frozen=True)
class TestResult:
    """What was found and where it lies. metrics: as in `metrics.json`, a key a protocol."""

    videos: Sequence[ScoredVideo]
    metrics: dict[str, Any]
    out: RunFolder


def test(
    model: Path,
    data: DataConfig,
    out: Path,
    *,
    with_videos: bool = True,
    device: str = "auto",
    progress: Progress | None = None,
) -> TestResult:
    """Score every test video and hold the scores against the labels.

    model: a run or whatever load_model takes; frames are sized and sampled as it was trained. data: whose test
    videos (path, scene, on_bad_frame and image folders matter). out: where scores.parquet, metrics.json, plots/ and
    videos/ are written. Raises MaskedSkipUNetError, before the first frame is scored, for what cannot be tested.
    """
    require_writable(out)
    network, how = load_scorer(model, device)
    found = test_videos(data, how)
    folder = RunFolder(out)
    scored = []
    expected = sum(video.source.expected_frames() for video in found)
    stage = ("testing and drawing", 2 * expected) if with_videos else ("testing", expected)
    with (progress or Silent()).stage(*stage) as advance:
        for video in found:
            path = folder.videos / f"{video.item.name}.mp4" if with_videos else None
            scored.append(
                score_video(
                    video.item.name, video.source, network, how, labels=video.labels, video=path, advance=advance
                )
            )
    metrics = {
        **describe(model, network.network),
        "label_set": label_set(video.item for video in found),
        "scene": data.scene,
        **frame_metrics([video.labelled for video in scored]),
    }
    write_scores(folder.scores, scored)
    write_json(folder.metrics, metrics)
    draw_plots(folder, scored)
    return TestResult(scored, metrics, folder)


def draw_plots(folder: RunFolder, scored: Sequence[ScoredVideo]) -> None:
    """One overview of all score curves, and a plot a video."""
    folder.plots.mkdir(parents=True, exist_ok=True)
    curves = [video.curve for video in scored]
    plot_scores(curves, folder.plots / "all.png", "Scores over ground truth")
    for curve in curves:
        plot_score_curve(curve, folder.plots / f"{curve.name}.png")


def describe(path: Path, network: MaskedSkipUNet) -> dict[str, Any]:
    """What was tested, without where it lies."""
    config = network.config
    return {
        "model": path.resolve().name,
        "variant": config.variant,
        "latent_dim": config.latent_dim,
        "clip_length": config.frames,
        "channels": config.channels,
        "masked_weights": config.masked_weights,
        "parameters": sum(weight.numel() for weight in network.parameters()),
    }
