"""Runs `maskedskipunet COMMAND …`; each command is a module that is loaded when it is called."""

import os
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import NoReturn, TextIO

from maskedskipunet import __version__
from maskedskipunet.cli.lines import shown_on
from maskedskipunet.errors import MaskedSkipUNetError
from maskedskipunet.files import require_supported_system
from maskedskipunet.machine import keep_memory, share_cores

COMMANDS: Mapping[str, str] = {
    "demo": "train and test on a generated scene: see it work in minutes",
    "check": "show what a path holds: clips, sizes, rates, labels, faults",
    "train": "learn what is normal from footage without labels",
    "test": "score a data set's test videos and compare the scores with labels",
    "evaluate": "compare any method's scores with labels, in every protocol",
    "score": "score one video or many with a trained model",
    "archive": "score many videos with many workers, and go on where it stopped",
    "calibrate": "set the alarm threshold from normal footage and a budget",
    "watch": "watch live cameras, and record and report alarms",
    "serve": "open a page to see alarms and answer them with one click",
    "users": "add, list or remove users of that page",
    "status": "show which cameras are alive, since when, and what waits",
    "sinks": "send a test message to each receiver of alarms",
    "reel": "show the strangest moments of a time as one film and one sheet",
    "feedback": "answer recorded events as normal or anomaly, and adapt the model",
    "bench": "measure how many frames a second this machine scores",
    "export": "write a trained model for ONNX Runtime, OpenVINO or torch.export",
    "ablate": "train, test and compare the published variants in one table",
    "records": "check, export, group or prune the events that were recorded",
    "cache": "list or clear the decoded frames kept on disk",
    "completion": "print a script that completes commands and options in a shell",
}
DONE, PARTLY, REFUSED, INTERRUPTED = 0, 1, 2, 130
NO_MEMORY = ("can't allocate memory", "out of memory")  # what torch says on the CPU and on a GPU


def command() -> NoReturn:
    """Run the process `maskedskipunet` from start to exit."""
    signal.signal(signal.SIGINT, _interrupt)
    share_cores()
    code = main()
    if code == INTERRUPTED:
        # All results are on the disk, and Python's own exit waits for locks that an interruption may have left
        # taken.
        for stream in (sys.stdout, sys.stderr):
            _leave(stream)
        os._exit(code)
    sys.exit(code)


def _interrupt(*_: object) -> None:
    """Raise KeyboardInterrupt at the first Ctrl-C, and end the process at the second."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0 if it is done, 1 if done in part, 2 if refused, 130 if interrupted."""
    _prepare_streams()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of libraries, for their developers
    try:
        code = _run(*(list(sys.argv[1:] if arguments is None else arguments) or ["--help"]))
        sys.stdout.flush()
        return code
    except MaskedSkipUNetError as error:
        return refuse(str(error))
    except BrokenPipeError:  # whoever read the results has read enough
        _leave(sys.stdout)
        return DONE
    except OSError as error:
        _leave(sys.stdout)
        where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "reading or writing failed"
        fault = error.strerror or error
        return refuse(f"{where}: {fault}. Check the path, the permission to write there and the free disk space.")
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or any(sign in str(error) for sign in NO_MEMORY):
            return refuse("not enough memory. Use a smaller network, smaller frames or smaller batches.")
        raise
    except KeyboardInterrupt as interruption:
        for line in (*getattr(interruption, "__notes__", ()), "interrupted"):
            print(shown_on(sys.stderr, line), file=sys.stderr)
        return INTERRUPTED


def _run(command: str, *rest: str) -> int:
    if command in ("-h", "--help", "help"):
        print(usage())
        return DONE
    if command == "--version":
        print(__version__)
        return DONE
    if command not in COMMANDS:
        near = get_close_matches(command, COMMANDS, 1)
        hint = f"Perhaps you mean {near[0]}." if near else f"Choose one of {', '.join(COMMANDS)}."
        return refuse(f"there is no command {command!r}. {hint}")
    require_supported_system()
    keep_memory()
    return int(import_module(f"maskedskipunet.cli.{command}").run(rest))


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
            "  --help, --version",
            "",
            "`maskedskipunet COMMAND --help` shows a command's options.",
        ]
    )


def refuse(message: str) -> int:
    print(shown_on(sys.stderr, f"error: {message}"), file=sys.stderr)
    return REFUSED


def _prepare_streams() -> None:
    """Prepare stdout and stderr so that neither a closed stream nor a name that it cannot show stops a command."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115  # for as long as the process lives
        elif hasattr(stream := getattr(sys, name), "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _leave(stream: TextIO) -> None:
    """Drop what could not be written to a stream, so that Python does not try again, and complain, at exit."""
    try:
        stream.flush()
    except OSError:
        with suppress(OSError, ValueError):  # a stream of no file has no number
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    command()
