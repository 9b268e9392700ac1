"""Writes one reference page for each command from its `--help`, before Sphinx looks for pages."""

import contextlib
import io
import os
import shutil
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

from maskedskipunet.cli.main import COMMANDS, main, usage

FOLDER = "reference/commands"  # made anew by each build, and ignored by git
COLUMNS = "96"


def setup(app: Any) -> dict[str, Any]:
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_pages(app: Any) -> None:
    """Write the page of each command and their index into the folder of the pages."""
    folder = Path(app.srcdir) / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for command, purpose in COMMANDS.items():
        (folder / f"{command}.md").write_text(page(command, purpose))
    (folder / "index.md").write_text(index())


def page(command: str, purpose: str) -> str:
    """Return the page of one command as Markdown."""
    title = f"# maskedskipunet {command}"
    return "\n".join([title, "", f"{purpose[:1].upper()}{purpose[1:]}.", "", "```text", help_of(command), "```", ""])


def help_of(command: str) -> str:
    """Return what `maskedskipunet COMMAND --help` prints. Raises RuntimeError when that fails."""
    printed, code = io.StringIO(), 0
    with (
        contextlib.redirect_stdout(printed),
        warnings.catch_warnings(),  # the command line silences those of libraries
        mock.patch.dict(os.environ, {"COLUMNS": COLUMNS, "NO_COLOR": "1"}),
    ):
        try:
            code = main([command, "--help"])
        except SystemExit as end:
            code = int(end.code or 0)
    if code:
        raise RuntimeError(f"`maskedskipunet {command} --help` ended with {code}")
    return printed.getvalue().rstrip()


def index() -> str:
    """Return the page that lists all commands."""
    rows = [f"| [`{command}`]({command}.md) | {purpose} |" for command, purpose in COMMANDS.items()]
    return "\n".join(
        [
            "# Commands",
            "",
            "Each page is what `maskedskipunet COMMAND --help` prints.",
            "",
            "| command | what it does |",
            "| --- | --- |",
            *rows,
            "",
            "```text",
            usage(),
            "```",
            "",
            "```{toctree}",
            ":hidden:",
            "",
            *COMMANDS,
            "```",
            "",
        ]
    )
