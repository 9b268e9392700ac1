"""`maskedskipunet test RUN`: scores against labels."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from maskedskipunet.cli import console
from maskedskipunet.cli.parsing import Options, Parser, data_config
from maskedskipunet.cli.values import UsageError
from maskedskipunet.data.frames import OnBadFrame
from maskedskipunet.runs import run_meant
from maskedskipunet.training.config import TrainConfig


def _parse(arguments: Sequence[str]) -> Options:
    parser = Parser("test", "MODEL", "Score a data set's test videos and compare the scores with their labels.")
    parser.add(
        "model",
        type=Path,
        required=True,
        metavar="MODEL",
        help="Test this run folder, weights file of a run, or published .pt file.",
    )
    parser.add("--data", type=Path, metavar="PATH", help="Test on this data set (default: the run's own).")
    parser.add(
        "--out", type=Path, metavar="FOLDER", help="Write the results into this folder (default: the run folder)."
    )
    parser.add("--videos", type=bool, default=True, help="Write a comparison video for each test video.")
    parser.add_switch("--maps", dest="with_maps", help="Also keep the score maps, for figures of pixels and regions.")
    parser.add(
        "--scene", type=str, metavar="NN", help="Use only videos of this scene, or all (default: as in training)."
    )
    parser.add(
        "--on-bad-frame",
        type=OnBadFrame,
        help="Stop at a frame that cannot be read, or skip it (default: as in training).",
    )
    parser.add_device()
    parser.add_precision()
    parser.add_json()
    return parser.parse(arguments)


def run(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    trained = run_meant(options.model)
    model = options.model if trained is None else trained.path
    if not model.exists():
        raise UsageError("no such run or model", str(model), "Name a run folder, such as runs/latest, or a .pt file")
    if trained is None and (inside := _runs_inside(model)):
        raise UsageError(
            f"holds {len(inside)} runs, but is not a run itself", str(model), f"Name one, such as {inside[0]}"
        )
    if trained is None and options.out is None:
        raise UsageError("a model without a run folder", str(model), "Name a folder for the results with --out")
    base = None if trained is None else TrainConfig.from_dict(trained.read_config(), str(trained.config)).data
    data = data_config(options.data, base, on_bad_frame=options.on_bad_frame)
    if options.scene is not None:
        data = replace(data, scene=None if options.scene == "all" else options.scene)
    if not data.footage.exists():  # refused here, before seconds of imports
        cure = "Check the path" if options.data else "Name where the run's footage is now with --data"
        raise UsageError("no such file or folder", str(data.footage), cure)

    from maskedskipunet.workflows.test import test

    out = options.out or (trained.path if trained else model)
    result = test(
        model,
        data,
        out,
        with_videos=options.videos,
        with_maps=options.with_maps,
        device=options.device,
        precision=options.precision,
        progress=console.make_progress(),
    )
    console.write_figures(options.json, result.metrics)
    _print(result.metrics)
    if result.effect is not None:
        console.say(result.effect.describe())
    console.say(f"scores: {result.out.scores}")
    console.say(f"plots:  {result.out.plots}")
    if options.videos:
        console.say(f"videos: {result.out.videos}")
    if options.with_maps:
        console.say(f"maps:   {result.out.maps}")
    return 0


def _runs_inside(path: Path) -> list[Path]:
    """Return the runs in a folder such as ablate makes."""
    configs = path.glob("*/config.yaml") if path.is_dir() else ()
    return sorted(config.parent for config in configs if not config.parent.is_symlink())


def _print(metrics: dict[str, Any]) -> None:
    rows = [(name, console.figure(auc)) for name, auc in metrics["video_auc"].items()]
    console.print_table("AUC within each video, – where it has one class or no labels", ("video", "AUC"), rows)
    console.print_table(
        "AUC over frames, scores as they are",
        ("protocol", "AUC"),
        [
            ("micro: all videos' frames together, as published", console.figure(metrics["micro_auc"])),
            (
                f"macro: mean over videos, {metrics['one_class_videos']} of one class left out",
                console.figure(metrics["macro_auc_two_class_videos"]),
            ),
        ],
    )
    if cues := metrics.get("cues"):
        console.print_table(
            "AUC of each cue alone; the scores above fuse all cues",
            ("cue", "micro AUC", "macro AUC"),
            [
                (cue, console.figure(found["micro_auc"]), console.figure(found["macro_auc_two_class_videos"]))
                for cue, found in cues.items()
            ],
        )
    _print_thresholds(metrics["calibration"])
    if alarms := metrics.get("alarms"):
        rate = alarms["false_alarms_per_hour"]
        stretches = console.counted(alarms["stretches"], "anomalous stretch", "anomalous stretches")
        console.say(
            f"alarms at the threshold {alarms['threshold']:.5f}: {alarms['stretches_found']} of {stretches} found, "
            f"{console.counted(alarms['false_alarms'], 'false alarm')}"
            + ("" if rate is None else f", {rate:.3g} an hour of normal footage")
        )
    scored = console.frames_scored(metrics["frames_scored"], metrics["frames"])
    console.say(f"{scored}, {metrics['frames_anomalous']:,} labelled anomalous")
    if metrics["label_set"]:
        console.say(f"labels: {metrics['label_set']}")
    if metrics["scene"]:
        console.say(f"scene:  {metrics['scene']} alone")


def _print_thresholds(calibration: dict[str, Any] | None) -> None:
    if calibration is None or not calibration["thresholds"]:
        return
    frames = console.counted(calibration["normal_frames"], "normal frame")
    console.print_table(
        f"Thresholds set on {frames} that were not trained on, without labels",
        ("reached by", "threshold", "false alarms", "detected"),
        [
            (
                f"{row['normal_share']:.1%} of normal frames",
                f"{row['threshold']:.5f}",
                console.share(row["false_alarm_share"]),
                console.share(row["detected_share"]),
            )
            for row in calibration["thresholds"]
        ],
    )
