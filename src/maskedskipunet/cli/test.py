"""`maskedskipunet test RUN`: scores against labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maskedskipunet.cli import console
from maskedskipunet.cli.parsing import UsageError, add_device, add_json, data_config, make_parser, parse
from maskedskipunet.data.frames import OnBadFrame
from maskedskipunet.errors import RunError
from maskedskipunet.runs import RunFolder, find_run
from maskedskipunet.training.config import TrainConfig


def run(arguments: Sequence[str]) -> int:
    parser = make_parser("test", "Score a data set's test videos and hold the scores against their labels.")
    parser.add_argument("model", type=Path, help="A run folder, a weights file of one, or a published .pt file.")
    parser.add_argument("--data", type=Path | None, metavar="PATH", help="The data set; left out, the run's own.")
    parser.add_argument("--out", type=Path | None, metavar="FOLDER", help="For the results; left out, the run folder.")
    parser.add_argument("--videos", type=bool, default=True, help="Write a comparison video a test video.")
    parser.add_argument("--on-bad-frame", type=OnBadFrame | None, help="skip or stop; left out, as in training.")
    add_device(parser)
    add_json(parser)
    options = parse(parser, arguments)
    model, trained = _trained(options.model)
    if trained is None and options.out is None:
        raise UsageError("a model without a run folder", str(model), "Name a folder for the results with --out")
    base = None if trained is None else TrainConfig.from_dict(trained.read_config(), str(trained.config)).data
    data = data_config(options.data, base, on_bad_frame=options.on_bad_frame)
    data.footage  # noqa: B018  # refused here, before seconds of imports

    from maskedskipunet.workflows.test import test

    out = options.out or (trained.path if trained else model)
    result = test(model, data, out, with_videos=options.videos, device=options.device, progress=console.make_progress())
    _print(result.metrics)
    console.say(f"scores: {result.out.scores}")
    console.say(f"plots:  {result.out.plots}")
    if options.videos:
        console.say(f"videos: {result.out.videos}")
    console.write_figures(options.json, result.metrics)
    return 0


def _trained(path: Path) -> tuple[Path, RunFolder | None]:
    """What to load, and the run it stands for."""
    try:
        found = find_run(path)
    except RunError:
        return path, None
    return found.path, found


def _print(metrics: dict[str, Any]) -> None:
    rows = [(name, console.figure(auc)) for name, auc in metrics["video_auc"].items()]
    console.print_table("AUC within each video (– for one class or no labels)", ("video", "AUC"), rows)
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
    console.say(
        f"{metrics['frames_scored']:,} of {metrics['frames']:,} frames scored, "
        f"{metrics['frames_anomalous']:,} labelled anomalous"
    )
