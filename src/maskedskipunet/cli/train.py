"""`maskedskipunet train`: learn what is normal."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from maskedskipunet.cli import console
from maskedskipunet.cli.parsing import Options, Parser, build
from maskedskipunet.cli.values import UsageError
from maskedskipunet.data.config import DataConfig
from maskedskipunet.detection.reading import CUES
from maskedskipunet.model.config import NetworkConfig
from maskedskipunet.runs import find_run
from maskedskipunet.training.config import TrainConfig, TrainingConfig


def run(arguments: Sequence[str]) -> int:
    parser = Parser("train", "--data PATH", "Learn what is normal from footage without labels.")
    add_train_options(parser)
    parser.add(
        "--from", dest="start_from", type=Path, metavar="RUN", in_recipe=True, help="Fine-tune this trained model."
    )
    add_cue_options(parser)
    parser.add("--resume", type=Path, metavar="RUN", help="Continue an interrupted training.")
    options = parser.parse(arguments)
    config = replace(
        train_config(options),
        start_from=options.start_from,
        cues=read_cues(options.cues),
        smoothing_s=options.smoothing_s,
    )
    interrupted = None if options.resume is None else find_run(options.resume, config.runs)
    if interrupted is not None and config != TrainConfig(runs=config.runs):
        raise UsageError("--resume continues with the settings of the run", "train", "Leave the other options out")
    if interrupted is None:
        config.data.footage  # noqa: B018  # refused here, before seconds of imports

    from maskedskipunet.workflows.train import has_test_footage, resume, train

    progress = console.make_progress()
    folder = train(config, progress) if interrupted is None else resume(interrupted, progress)
    console.say(f"trained: {folder.path}")
    run = shlex.quote(str(folder.path))
    if has_test_footage(folder):
        console.say(f"next: maskedskipunet test {run}")
    else:
        console.say(f"next: maskedskipunet calibrate NORMAL… --model {run} --false-alarms-per-day 4")
    return 0


def add_train_options(parser: Parser) -> None:
    """Add the options that train and ablate share."""
    parser.add_config(DataConfig, "data")
    parser.add_config(NetworkConfig, "model")
    parser.add_config(TrainingConfig, "training")
    parser.add_recipe()
    parser.add(
        "--seed", type=int, default=0, in_recipe=True, help="Set the seed for random weights and the order of clips."
    )
    parser.add(
        "--runs",
        type=Path,
        default=Path("runs"),
        metavar="FOLDER",
        in_recipe=True,
        help="Make run folders in this folder.",
    )
    parser.add("--name", type=str, in_recipe=True, help="Give the run folder this name (default: the next number).")


def add_cue_options(parser: Parser) -> None:
    """Add the options of cues, which `ablate` does not have: it compares networks alone."""
    parser.add(
        "--cues",
        type=tuple[str, ...],
        metavar="NAMES",
        default=(),
        in_recipe=True,
        help=f"Judge frames by these cues, separated by commas (default: {','.join(CUES)}).",
    )
    parser.add(
        "--smoothing_s",
        type=float,
        default=0.0,
        in_recipe=True,
        help="Smooth the fused score: take its median over this many seconds.",
    )


def train_config(options: Options) -> TrainConfig:
    return TrainConfig(
        model=build(NetworkConfig, options, "model"),
        data=build(DataConfig, options, "data"),
        training=build(TrainingConfig, options, "training"),
        seed=options.seed,
        runs=options.runs,
        name=options.name,
    )


def read_cues(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the cues that were named, separated by commas; all cues if none was named."""
    names = [cue.strip() for text in texts for cue in text.split(",") if cue.strip()]
    return tuple(dict.fromkeys(names)) if texts else tuple(CUES)
