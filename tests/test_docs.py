"""The documentation is true: commands are understood, options exist, pages are reachable and load nothing from afar."""

import ast
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import maskedskipunet
from maskedskipunet.cli.main import COMMANDS, main
from maskedskipunet.cli.parsing import Parser
from maskedskipunet.cli.values import UsageError
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.records.store import Records

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
HISTORY = {"log.md", "field_reports.md"}  # what was so at its time
GENERATED = DOCS / "reference" / "commands"
PAGES = [ROOT / "README.md", *sorted(path for path in DOCS.rglob("*.md") if GENERATED not in path.parents)]
GUIDES = [page for page in PAGES if page.name not in HISTORY]
OTHER_TOOLS = {"--clear", "--extra", "--group", "--minutes", "--mutants"}  # options of uv and tests/fuzz.py


# -- commands ---------------------------------------------------------------------------------------------------------


def fenced_lines(text: str, *languages: str) -> Iterator[str]:
    """Yield the lines of a page's code blocks in these languages, lines that a backslash continues as one."""
    for language, block in re.findall(r"^```(\S*)[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if language in languages:
            yield from block.replace("\\\n", " ").splitlines()


def code_spans(text: str) -> Iterator[str]:
    """Yield what stands in backticks outside of code blocks."""
    without_blocks = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for span in re.findall(r"`([^`]+)`", without_blocks):
        yield " ".join(span.split())


def commands_of(lines: Iterable[str]) -> list[list[str]]:
    """Return the arguments of each `maskedskipunet` command in these lines or spans of code."""
    found = []
    for line in lines:
        for part in re.split(r"\s*(?:&&|\d?>>?|\|)\s*", line):
            if match := re.search(r"(?:^|(?<!import)[\s/])maskedskipunet (\S.*)", part):
                arguments = shlex.split(match[1], comments=True)
                if arguments and not arguments[0].isupper() and arguments[0].isidentifier():
                    found.append(arguments)
    return found


def shown_commands(page: Path) -> list[list[str]]:
    """Return the commands in the code blocks of a page, which a reader copies."""
    return commands_of(fenced_lines(page.read_text(), "sh", "bash", "console", ""))


def named_commands(page: Path) -> list[list[str]]:
    """Return the commands in the running text of a page, which may leave out what is understood."""
    return commands_of(code_spans(page.read_text()))


class ParsedError(Exception):
    """A command line was understood; nothing was done."""


@pytest.fixture
def parse_only(monkeypatch: pytest.MonkeyPatch) -> list[Parser]:
    """Have each command stop once its options are understood; returns the parsers that were used."""
    parsers: list[Parser] = []
    parse = Parser.parse

    def stop(parser: Parser, arguments: Any) -> Any:
        parsers.append(parser)
        parse(parser, arguments)
        raise ParsedError

    monkeypatch.setattr(Parser, "parse", stop)
    monkeypatch.chdir(ROOT)  # recipes are named from here
    return parsers


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_every_command_on_a_page_is_understood(page: Path, parse_only: list[Parser]) -> None:
    for command, *rest in shown_commands(page):
        assert understands(command, rest) == "", f"{page.name}: maskedskipunet {command} {shlex.join(rest)}"
    for command, *rest in named_commands(page):
        fault = understands(command, rest)
        assert not fault or "must be given" in fault, f"{page.name}: maskedskipunet {command} {shlex.join(rest)}"


def understands(command: str, arguments: list[str]) -> str:
    """Return what a command says against its arguments; nothing where it understands them."""
    if command not in COMMANDS:
        return "there is no such command"
    with pytest.raises((ParsedError, UsageError, SystemExit)) as ended:  # --help exits
        import_module(f"maskedskipunet.cli.{command}").run(arguments)
    return str(ended.value) if isinstance(ended.value, UsageError) else ""


def test_a_wrong_option_command_or_value_on_a_page_is_noticed(parse_only: list[Parser]) -> None:
    assert understands("score", ["a.mp4", "--model", "runs/1", "--vidoe"])
    assert understands("scroe", ["a.mp4", "--model", "runs/1"])
    assert understands("train", ["--data", "footage", "--training.epochs", "many"])
    assert understands("calibrate", ["normal"])
    assert understands("score", ["a.mp4", "--model", "runs/1"]) == ""


def test_commands_are_found_on_the_pages_that_show_them() -> None:
    found = {page.name: {command for command, *_ in shown_commands(page)} for page in PAGES}

    assert {"demo", "check", "train", "score", "test", "calibrate", "watch", "evaluate"} <= found["README.md"]
    assert {"demo", "check", "train", "calibrate", "score", "watch", "feedback"} <= found["tutorial.md"]
    assert {"records", "feedback", "sinks", "status"} <= found["records.md"]


def test_commands_are_read_as_a_shell_reads_them() -> None:
    block = "uv run maskedskipunet score a.mp4 --model runs/1 \\\n  --video  # the film\n"
    page = f"```sh\n{block}```\nWrite `maskedskipunet x\ny` or `z`.\n"

    assert commands_of(fenced_lines(page, "sh")) == [["score", "a.mp4", "--model", "runs/1", "--video"]]
    assert commands_of(fenced_lines(page, "yaml")) == []
    assert commands_of(code_spans(page)) == [["x", "y"]]
    assert commands_of(["import maskedskipunet as msu", "pip install uv && maskedskipunet demo >> log"]) == [["demo"]]


@pytest.fixture
def known_options(parse_only: list[Parser]) -> set[str]:
    for command in COMMANDS:
        with pytest.raises((ParsedError, SystemExit)):
            import_module(f"maskedskipunet.cli.{command}").run(["--help"])
    return {option for parser in parse_only for option in parser._option_names()}


def test_every_option_that_a_page_names_exists(known_options: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    named = {
        (page.name, option)
        for page in GUIDES
        for span in code_spans(page.read_text())
        for option in re.findall(r"(?:^|[\s'])(--[a-z][\w.-]*)", span)
    }

    assert {pair for pair in named if pair[1] not in known_options | OTHER_TOOLS} == set()
    assert len(named) > 50


# What README and the tutorial tell a reader to run: here it runs where it is short, or says why it does not.
NOT_RUN = {
    "ablate": "minutes; tests/cli/test_ablate.py runs a small one",
    "bench": "minutes; tests/cli/test_bench.py runs a small one",
    "calibrate": "needs a trained model; tests/cli/test_calibrate.py",
    "demo": "minutes; tests/cli/test_demo.py runs a small one",
    "evaluate": "needs a data set; tests/cli/test_evaluate.py",
    "feedback": "needs recorded events; tests/cli/test_feedback.py",
    "reel": "needs recorded events; tests/cli/test_reel.py",
    "score": "needs a trained model; tests/cli/test_score.py",
    "serve": "never ends; tests/web/test_server.py",
    "sinks": "needs receivers; tests/cli/test_sinks.py",
    "test": "needs a trained model; tests/cli/test_test.py",
    "train": "minutes; tests/cli/test_train.py runs a small one",
    "watch": "never ends; tests/cli/test_watch.py",
}
RUN = {"cache", "check", "records", "status"}


def test_every_command_of_readme_and_tutorial_runs_here_or_says_why_not() -> None:
    for page in (ROOT / "README.md", DOCS / "tutorial.md"):
        for command, *rest in shown_commands(page):
            assert command in RUN | NOT_RUN.keys(), f"{page.name}: {command} {rest}"
    for command, reason in NOT_RUN.items():
        for named in re.findall(r"tests/\S+\.py", reason):
            assert (ROOT / named).is_file(), f"{command}: {named}"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the short commands look at."""
    for path in ("footage/normal/monday.mp4", "footage/training/monday.mp4"):
        (tmp_path / path).parent.mkdir(parents=True)
        with VideoWriter(tmp_path / path, height_px=32, width_px=48, frame_rate=10) as writer:
            for grey in range(6):
                writer.write(np.full((32, 48, 3), 20 * grey, np.uint8))
    Records.open(tmp_path / "records", watching=True).close()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_the_short_commands_of_readme_and_tutorial_run(
    page: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = [*shown_commands(ROOT / page), *named_commands(ROOT / page)]
    short = [arguments for arguments in commands if arguments[0] in RUN and "clear" not in arguments]
    for arguments in short:
        code = main(arguments)
        dead = arguments[0] == "status"  # no watch is running
        assert code == (1 if dead else 0), (arguments, capsys.readouterr().err)
    assert short


# -- Python -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_python_on_a_page_is_python_and_uses_public_names(page: Path) -> None:
    for language, block in re.findall(r"^```(\S*)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        if language == "python":
            ast.parse(block)
            for name in re.findall(r"\bmsu\.(\w+)", block):
                assert name in maskedskipunet.__all__, f"{page.name}: msu.{name}"


# -- the site ---------------------------------------------------------------------------------------------------------


def test_every_page_is_in_the_navigation() -> None:
    index = (DOCS / "index.md").read_text()
    trees = re.findall(r"^```\{toctree\}\n(.*?)^```", index, re.MULTILINE | re.DOTALL)
    reachable = {line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")}
    pages = {page.relative_to(DOCS).with_suffix("").as_posix() for page in PAGES if DOCS in page.parents}

    assert reachable == pages - {"index"} | {"reference/commands/index"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if not re.match(r"\w+:", target) and not target.startswith("reference/commands/"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.fixture
def extensions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(DOCS / "extensions"))
    yield
    for name in ("command_pages", "plain_docstrings", "self_contained"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("extensions")
@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_of_a_command_holds_its_help(command: str) -> None:
    page = import_module("command_pages").page(command, COMMANDS[command])

    assert page.startswith(f"# maskedskipunet {command}\n")
    assert f"usage: maskedskipunet {command} " in page
    assert "--help" in page


@pytest.mark.usefixtures("extensions")
def test_docstrings_in_running_text_become_lists() -> None:
    as_fields = import_module("plain_docstrings").as_fields
    text = ["Make.", "", "one, two: numbers; more", "of them. three: a name.", "Raises DataError for none: never."]

    lines = as_fields(text, "param")

    assert [line for line in lines if line] == [
        "Make.",
        ":param one: numbers; more of them.",
        ":param two: numbers; more of them.",
        ":param three: a name.",
        "Raises DataError for none: never.",
    ]
    example = ["Add.", "", ">>> {'a': 1}", "{'a': 1}"]
    assert [line for line in as_fields(example, "param") if line] == [line for line in example if line]


LOADED = {
    "script.html": '<script src="https://cdn.example/a.js"></script>',
    "font.html": '<link rel="stylesheet" href="//fonts.example/css">',
    "picture.html": "<img alt='x' src='http://example.org/badge.svg'>",
    "style.css": "@import url(https://fonts.example/a.css);",
    "font.css": "@font-face{src:url('https://fonts.example/a.woff2')}",
    "code.js": 'fetch("https://example.org/data.json")',
}
NOT_LOADED = {
    "link.html": '<a href="https://example.org">there</a><img src="images/a.png"><script src="_static/a.js"></script>',
    "canonical.html": '<link rel="canonical" href="https://example.org/page">',
    "own.css": "@font-face{src:url(fonts/a.woff2)} a{background:url('data:image/png;base64,//8=')}",
    "comment.js": "// see https://example.org",
}


@pytest.mark.usefixtures("extensions")
def test_a_page_that_would_load_from_another_host_is_noticed(tmp_path: Path) -> None:
    for name, text in {**LOADED, **NOT_LOADED}.items():
        (tmp_path / name).write_text(text)

    noticed = {path.name for path, _ in import_module("self_contained").loads_from_elsewhere(tmp_path)}

    assert noticed == LOADED.keys()
