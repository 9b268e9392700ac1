"""`maskedskipunet serve [--records FOLDER] [--model RUN]`: the page on which people see alarms and answer them."""

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from maskedskipunet import __version__
from maskedskipunet.cli.models import find_model
from maskedskipunet.cli.parsing import Parser
from maskedskipunet.cli.values import UsageError

DONE = 0
NEEDED = ("fastapi", "uvicorn", "jinja2", "argon2")
HOST, PORT = "127.0.0.1", 8420  # of this machine alone


def run(arguments: Sequence[str]) -> int:
    parser = Parser(
        "serve", "", "Open a page on which people see what happened and why, and answer alarms with one click."
    )
    parser.add(
        "--records", type=Path, default=Path("records"), metavar="FOLDER", help="Show this records folder of `watch`."
    )
    parser.add(
        "--model",
        type=Path,
        metavar="RUN",
        help="Have this run learn what is answered as normal (default: answers are only stored).",
    )
    parser.add("--runs", type=Path, default=Path("runs"), metavar="FOLDER", help="Show the runs of this folder too.")
    parser.add(
        "--host",
        type=str,
        metavar="ADDRESS",
        help="Listen at this IP address, where users have to log in (default: only this machine can reach the page).",
    )
    parser.add("--port", type=int, default=PORT, help="Listen at this port.")
    parser.add(
        "--host-name",
        dest="host_names",
        type=tuple[str, ...],
        metavar="NAME",
        default=(),
        help="Accept this name too, such as that of a server in front which adds TLS; users then have to log in. "
        "Repeat the option for several names (default: none).",
    )
    options = parser.parse(arguments)
    require_page_libraries()
    if options.model is not None and not find_model(options.model).exists():
        raise UsageError(f"there is no model {str(options.model)!r}", "--model", "Name a run folder")

    from maskedskipunet.web.server import serve
    from maskedskipunet.web.settings import PageSettings

    settings = PageSettings(
        records=options.records,
        model=None if options.model is None else find_model(options.model),
        runs=options.runs,
        host=options.host or HOST,
        port=options.port,
        host_names=tuple(options.host_names),
    )
    serve(settings, __version__, on_ready=_note)
    return DONE


def require_page_libraries() -> None:
    """Raise UsageError where the page's libraries are not installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        cure = "Install them with pip install 'maskedskipunet[web]'"
        raise UsageError(f"the page needs {', '.join(missing)}", "serve", cure)


def _note(line: str) -> None:
    from maskedskipunet.cli.lines import shown_on

    print(shown_on(sys.stderr, line), file=sys.stderr, flush=True)
