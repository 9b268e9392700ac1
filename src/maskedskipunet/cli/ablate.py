"""`maskedskipunet ablate`: the published variants side by side."""

from collections.abc import Sequence
from pathlib import Path

from maskedskipunet.cli import console
from maskedskipunet.cli.parsing import UsageError, add_device, add_json, make_parser, parse
from maskedskipunet.cli.train import add_train_options, train_config
from maskedskipunet.model.config import VARIANTS


def run(arguments: Sequence[str]) -> int:
    parser = make_parser(
        "ablate",
        "Train and test variants of the network, each with one budget (--training.epochs, --training.max_minutes).",
    )
    add_train_options(parser)
    parser.add_argument("--variants", type=str, default="all", help="Names with commas between, or all.")
    parser.add_argument("--resume", type=Path | None, metavar="FOLDER", help="Go on with an interrupted ablation.")
    add_device(parser)
    add_json(parser)
    options = parse(parser, arguments)
    config = train_config(options)
    variants = list(VARIANTS) if options.variants == "all" else [name.strip() for name in options.variants.split(",")]
    if options.resume is None:
        config.data.footage  # noqa: B018  # refused here, before seconds of imports
    elif config.data.path is not None:
        raise UsageError("--resume goes on as the ablation was configured", "ablate", "Leave the other options out")

    from maskedskipunet.workflows.ablate import COLUMNS, ablate, resume_ablation

    progress = console.make_progress()
    if options.resume is None:
        result = ablate(config, variants, device=options.device, progress=progress)
    else:
        result = resume_ablation(options.resume, device=options.device, progress=progress)
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
    console.write_figures(options.json, {"rows": [dict(zip(COLUMNS, row.cells(), strict=True)) for row in result.rows]})
    return 0
