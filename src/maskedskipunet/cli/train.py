"""`maskedskipunet train`: learn what is normal."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from maskedskipunet.cli import console
from maskedskipunet.cli.parsing import UsageError, add_config, build, make_parser, parse
from maskedskipunet.data.config import DataConfig
from maskedskipunet.model.config import NetworkConfig
from maskedskipunet.runs import find_run
from maskedskipunet.training.config import TrainConfig, TrainingConfig


def run(arguments: Sequence[str]) -> int:
    parser = make_parser("train", "Learn what is normal from footage without labels.")
    add_train_options(parser)
    parser.add_argument("--from", type=Path | None, metavar="RUN", help="Fine-tune this trained model.")
    parser.add_argument("--resume", type=Path | None, metavar="RUN", help="Go on with an interrupted training.")
    options = parse(parser, arguments)
    config = replace(train_config(options), start_from=options["from"])
    interrupted = None if options.resume is None else find_run(options.resume, config.runs)
    if interrupted is not None and config != TrainConfig(runs=config.runs):
        raise UsageError("--resume goes on as the run was configured", "train", "Leave the other options out")
    if interrupted is None:
        config.data.footage  # noqa: B018  # refused here, before seconds of imports

    from maskedskipunet.workflows.train import resume, train

    progress = console.make_progress()
    folder = train(config, progress) if interrupted is None else resume(interrupted, progress)
    console.say(f"trained: {folder.path}")
    console.say(f"next: maskedskipunet test {folder.path}")
    return 0


def add_train_options(parser: ArgumentParser) -> None:
    """What train and ablate share."""
    parser.add_argument("--config", action="config", help="A YAML recipe, or the config.yaml of a run.")
    add_config(parser, NetworkConfig, "model")
    add_config(parser, DataConfig, "data")
    add_config(parser, TrainingConfig, "training")
    parser.add_argument("--seed", type=int, default=0, help="Of random weights and the order of clips.")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="Folder of run folders.")
    parser.add_argument("--name", type=str | None, help="Of this run; left out, the next number.")


def train_config(options: Namespace) -> TrainConfig:
    return TrainConfig(
        model=build(NetworkConfig, options.model),
        data=build(DataConfig, options.data),
        training=build(TrainingConfig, options.training),
        seed=options.seed,
        runs=options.runs,
        name=options.name,
    )
