"""`maskedskipunet demo`: see it work, with no download."""

from collections.abc import Sequence
from pathlib import Path

from maskedskipunet.cli import console
from maskedskipunet.cli.parsing import Parser


def run(arguments: Sequence[str]) -> int:
    parser = Parser("demo", "", "Train a small model on a generated scene, test it, and show what it found.")
    parser.add("--seed", type=int, default=0, help="Another seed is another scene and another training.")
    parser.add(
        "--out", type=Path, default=Path("demo"), metavar="FOLDER", help="Where it exists, the next free name is taken."
    )
    parser.add("--videos", type=bool, default=True, help="Write a comparison video for each test video.")
    parser.add_json()
    options = parser.parse(arguments)

    from maskedskipunet.workflows.demo import demo

    result = demo(options.out, seed=options.seed, with_videos=options.videos, progress=console.make_progress())
    figures = result.figures
    console.write_figures(options.json, figures)
    by_kind, plain = figures["auc_by_kind"], figures["auc_by_kind_frame_difference"]
    console.print_table(
        "AUC over frames",
        ("anomaly", "MaskedSkipUNet", "frame differencing"),
        [
            *((kind.replace("_", " "), console.figure(by_kind[kind]), console.figure(plain[kind])) for kind in by_kind),
            ("all", console.figure(figures["auc"]), console.figure(figures["auc_frame_difference"])),
        ],
    )
    console.say(f"{figures['seconds']:.0f} seconds, seed {figures['seed']}")
    if result.film is not None:
        console.say(f"watch:   {result.film}")
        console.say(f"picture: {result.picture}")
        console.say(f"videos:  {result.run.videos}")
    console.say(f"plots:   {result.run.plots}")
    return 0
