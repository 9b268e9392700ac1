"""`maskedskipunet sinks test --config cameras.yaml`: one test message to each receiver."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from maskedskipunet.cli import console
from maskedskipunet.cli.parsing import Parser

if TYPE_CHECKING:
    from maskedskipunet.workflows.sinks import SinkTrial

DONE, PARTLY = 0, 1


def run(arguments: Sequence[str]) -> int:
    parser = Parser("sinks", "test --config PATH [SINK…]", "Send one test message to each sink in a cameras.yaml.")
    parser.add("action", type=Literal["test"], metavar="test", required=True, help="Send a test message to each sink.")
    parser.add("sinks", type=tuple[str, ...], metavar="SINK", help="Test only these sinks (default: all).")
    parser.add(
        "--config",
        dest="camera_file",  # not a recipe, which the parser would read as one
        type=Path,
        metavar="PATH",
        required=True,
        help="Read the sinks from this YAML file, the one of `watch`.",
    )
    parser.add_json()
    options = parser.parse(arguments)

    from maskedskipunet.workflows.camera_file import read_camera_file
    from maskedskipunet.workflows.sinks import try_sinks

    camera_file = read_camera_file(options.camera_file, Path())  # the model may still be missing

    def print_trial(trial: "SinkTrial") -> None:
        console.say(f"{trial.sink}: " + ("delivered" if trial.fault is None else f"not delivered, {trial.fault}"))

    trials = try_sinks(camera_file.sinks, options.sinks or (), print_trial)
    console.write_figures(options.json, {"sinks": [vars(trial) for trial in trials]})
    return PARTLY if any(trial.fault for trial in trials) else DONE
