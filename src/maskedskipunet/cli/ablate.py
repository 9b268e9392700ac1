"""`maskedskipunet ablate`: the published variants side by side."""

from collections.abc import Sequence
from pathlib import Path

from maskedskipunet.cli import console
from maskedskipunet.cli.parsing import Parser
from maskedskipunet.cli.train import add_train_options, train_config
from maskedskipunet.cli.values import UsageError
from maskedskipunet.model.config import VARIANTS

ALL = "all"


def run(arguments: Sequence[str]) -> int:
    parser = Parser(
        "ablate",
        "--data PATH",
        "Train and test variants of the network, each with one budget (--training.epochs, --training.max_minutes).",
    )
    add_train_options(parser)
    parser.refuse("start_from", "every variant starts from random weights")
    for setting in ("cues", "smoothing_s"):  # variants of the network are compared by its own scores
        parser.leave_out(setting)
    parser.add(
        "--variants", type=str, default=ALL, metavar="NAMES", help="Train these variants, separated by commas, or all."
    )
    parser.add("--resume", type=Path, metavar="FOLDER", help="Continue an interrupted ablation.")
    parser.add_device()
    parser.add_json()
    options = parser.parse(arguments)
    config = train_config(options)
    if options.resume is None:
        config.data.footage  # noqa: B018  # refused here, before seconds of imports
    elif config != type(config)(runs=config.runs) or options.variants != ALL:
        raise UsageError(
            "--resume continues with the settings of the ablation", "ablate", "Leave the other options out"
        )
    named = [name.strip() for name in options.variants.split(",") if name.strip()]
    variants = list(VARIANTS) if named == [ALL] else named

    from maskedskipunet.workflows.ablate import COLUMNS, ablate, resume_ablation

    progress = console.make_progress()
    if options.resume is None:
        result = ablate(config, variants, device=options.device, progress=progress)
    else:
        result = resume_ablation(options.resume, device=options.device, progress=progress)
    console.write_figures(options.json, {"rows": [dict(zip(COLUMNS, row.cells(), strict=True)) for row in result.rows]})
    header = ("variant", "parameters", "epochs", "loss", "seconds", "micro AUC", "macro AUC")
    rows = [
        (
            row.variant,
            f"{row.parameters:,}",
            row.epochs,
            f"{row.train_loss:.5f}",
            f"{row.seconds:.0f}",
            console.figure(row.micro_auc),
            console.figure(row.macro_auc),
        )
        for row in result.rows
    ]
    console.print_table("Ablation", header, rows)
    console.say(f"table and plot: {result.folder}")
    return 0
