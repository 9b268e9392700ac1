"""`maskedskipunet COMMAND …`: one module a command, loaded when it is called."""

import logging
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module

from maskedskipunet import __version__
from maskedskipunet.errors import MaskedSkipUNetError

COMMANDS: Mapping[str, str] = {
    "demo": "train and test on a generated scene: see it work within three minutes",
    "check": "say what a path holds: videos, frames, sizes, rates, labels, oddities",
    "train": "learn what is normal from footage without labels",
    "test": "score a data set's test videos and hold the scores against labels",
    "score": "score one video with a trained model",
    "ablate": "train and test the published variants into one table",
    "cache": "list or clear the decoded frames kept on disk",
}
DONE, PARTLY, REFUSED, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0 done, 1 done in part, 2 refused, 130 interrupted."""
    command, *rest = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if command in ("-h", "--help", "help"):
        print(usage())
        return DONE
    if command == "--version":
        print(__version__)
        return DONE
    if command not in COMMANDS:
        near = get_close_matches(command, COMMANDS, 1)
        hint = f"Did you mean {near[0]}?" if near else f"Choose one of {', '.join(COMMANDS)}."
        return refuse(f"there is no command {command!r}. {hint}")
    logging.basicConfig(format="%(message)s", stream=sys.stderr, level=logging.WARNING)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of libraries, for their developers
    try:
        return int(import_module(f"maskedskipunet.cli.{command}").run(rest))
    except MaskedSkipUNetError as error:
        return refuse(str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more at its end
        return DONE
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return refuse(f"{place}{error.strerror or error}.")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {purpose}" for name, purpose in COMMANDS.items()]
    return "\n".join(
        [
            "usage: maskedskipunet COMMAND …",
            "",
            "Video anomaly detection that learns what is normal from footage without labels.",
            "",
            *lines,
            "",
            "`maskedskipunet COMMAND --help` tells a command's options.",
        ]
    )


def refuse(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return REFUSED


if __name__ == "__main__":
    sys.exit(main())
