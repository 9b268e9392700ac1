"""The documentation is true: commands parse, names exist, the import table is the tested one, pages are reachable."""

import ast
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import maskedskipunet
from maskedskipunet.cli.main import COMMANDS, main
from maskedskipunet.cli.parsing import Parser
from maskedskipunet.data.video import VideoWriter
from maskedskipunet.records.store import Records

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
HISTORY = {"log.md", "field_reports.md"}  # what was so at its time
GENERATED = DOCS / "reference" / "commands"
PAGES = [ROOT / "README.md", *sorted(path for path in DOCS.rglob("*.md") if GENERATED not in path.parents)]
GUIDES = [page for page in PAGES if page.name not in HISTORY]
ARCHITECTURE = (DOCS / "architecture.md").read_text()
MAY_IMPORT: dict[str, set[str]] = runpy.run_path(str(ROOT / "tests" / "test_package.py"))["MAY_IMPORT"]
PARTS = {part: allowed - {"__version__"} for part, allowed in MAY_IMPORT.items()}
ROOTS = {"errors", "files", "input_format", "clip_geometry", "progress"}
FILE_NAME = re.compile(r"\.(?:parquet|json|csv|png|yaml|py|md|mp4|jpg|db|npy|txt)$")
OTHER_TOOLS = {"--extra", "--group", "--minutes", "--mutants"}  # options of uv and tests/fuzz.py


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


def commands_of(text: str) -> list[list[str]]:
    """Return the arguments of each `maskedskipunet` command that a page names."""
    found = []
    for line in [*fenced_lines(text, "sh", "bash", "console", ""), *code_spans(text)]:
        for part in re.split(r"\s*(?:&&|\d?>>?|\|)\s*", line):
            if match := re.search(r"(?:^|(?<!import)[\s/])maskedskipunet (\S.*)", part):
                arguments = shlex.split(match[1], comments=True)
                if arguments and not arguments[0].isupper() and arguments[0].isidentifier():
                    found.append(arguments)
    return found


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
    for command, *rest in commands_of(page.read_text()):
        assert command in COMMANDS, f"{page.name}: there is no command {command}"
        with pytest.raises((ParsedError, SystemExit)) as ended:  # --help exits
            import_module(f"maskedskipunet.cli.{command}").run(rest)
        assert getattr(ended.value, "code", 0) in (0, None), f"{page.name}: {command} {rest}"


def test_commands_are_found_on_the_pages_that_show_them() -> None:
    found = {page.name: {command for command, *_ in commands_of(page.read_text())} for page in PAGES}

    assert {"demo", "check", "train", "score", "test", "calibrate", "watch", "evaluate"} <= found["README.md"]
    assert {"demo", "check", "train", "calibrate", "score", "watch", "feedback"} <= found["tutorial.md"]
    assert {"records", "feedback", "sinks", "status"} <= found["records.md"]


def test_commands_are_read_as_a_shell_reads_them() -> None:
    page = (
        "```sh\nuv run maskedskipunet score a.mp4 --model runs/1 \\\n  --video  # the film\n```\n`maskedskipunet x y`"
    )

    assert commands_of(page) == [["score", "a.mp4", "--model", "runs/1", "--video"], ["x", "y"]]


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
    "score": "needs a trained model; tests/cli/test_score.py",
    "sinks": "needs receivers; tests/cli/test_sinks.py",
    "test": "needs a trained model; tests/cli/test_test.py",
    "train": "minutes; tests/cli/test_train.py runs a small one",
    "watch": "never ends; tests/cli/test_watch.py",
}
RUN = {"cache", "check", "records", "status"}


def test_every_command_of_readme_and_tutorial_runs_here_or_says_why_not() -> None:
    for page in (ROOT / "README.md", DOCS / "tutorial.md"):
        for command, *rest in commands_of(page.read_text()):
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
    short = [arguments for arguments in commands_of((ROOT / page).read_text()) if arguments[0] in RUN]
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


# -- the architecture page --------------------------------------------------------------------------------------------


def section(title: str) -> str:
    """Return a section of the architecture page, without its heading."""
    return re.split(r"^## ", ARCHITECTURE, flags=re.MULTILINE)[
        next(n for n, part in enumerate(re.split(r"^## ", ARCHITECTURE, flags=re.MULTILINE)) if part.startswith(title))
    ].split("\n", 1)[1]


def rows(text: str) -> dict[str, str]:
    """Return the rows of a table whose first cell is a name in backticks."""
    return dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE))


def allowed_by_page() -> dict[str, set[str]]:
    """Return the import table as the architecture page states it."""
    allowed: dict[str, set[str]] = {}
    for part, cell in rows(section("Who may import whom")).items():
        names = set(re.findall(r"`(\w+)`", cell))
        names |= ROOTS if "roots" in cell else set()
        names |= set(allowed) - {part} if cell.startswith("all of the above") else set()
        assert names or cell == "nothing", f"{part}: {cell}"
        allowed[part] = names
    return allowed


def test_the_import_table_on_the_page_is_the_tested_one() -> None:
    assert allowed_by_page() == PARTS


def test_every_part_is_described() -> None:
    assert rows(section("The floors")).keys() == PARTS.keys() - {"__main__", "__init__"}


def test_what_the_page_calls_planned_is_not_there_and_everything_else_is() -> None:
    package = ROOT / "src" / "maskedskipunet"
    for part, told in rows(section("The floors")).items():
        is_there = (package / part).is_dir() or (package / f"{part}.py").is_file()
        assert is_there != told.startswith("planned"), part


def test_the_picture_shows_every_part_above_whatever_it_may_import() -> None:
    picture = ElementTree.parse(DOCS / "images" / "floors.svg")
    texts = [node for node in picture.iter("{http://www.w3.org/2000/svg}text") if node.get("class") == "part"]
    heights = {str(node.text): float(node.attrib["y"]) for node in texts}

    assert heights.keys() == PARTS.keys() - {"__main__", "__init__"}
    ground = max(heights.values())
    for part, allowed in PARTS.items():
        for lower in allowed & heights.keys() if part in heights else ():
            assert heights[lower] > heights[part] or heights[lower] == heights[part] == ground, f"{part} over {lower}"


def named_on_page() -> list[str]:
    """Return what the page names with dots: modules, classes, functions and methods of the package."""
    spans = {span for span in code_spans(ARCHITECTURE) if re.fullmatch(r"\w+(?:\.\w+)+", span)}
    return sorted(span for span in spans if not FILE_NAME.search(span))


def found(name: str) -> Any:
    """Return what a dotted name below the package names. Raises AttributeError or ModuleNotFoundError."""
    thing: Any = maskedskipunet
    parts = name.split(".")
    for number, part in enumerate(parts):
        if isinstance(thing, ModuleType):
            try:
                thing = import_module(".".join(["maskedskipunet", *parts[: number + 1]]))
                continue
            except ModuleNotFoundError:
                pass
        thing = getattr(thing, part)
    return thing


@pytest.mark.parametrize("name", named_on_page())
def test_every_module_and_function_on_the_architecture_page_exists(name: str) -> None:
    assert name.split(".")[0] in PARTS
    found(name)


def test_a_name_that_is_not_there_is_noticed() -> None:
    with pytest.raises((AttributeError, ModuleNotFoundError)):
        found("scoring.scorer.Scorer.scored")
    with pytest.raises((AttributeError, ModuleNotFoundError)):
        found("scoring.scorers.Scorer")


@pytest.mark.parametrize("title", ["A frame through score", "A frame through watch", "A clip", "A label", "An option"])
def test_a_walk_has_ten_steps_or_fewer_of_one_line_each(title: str) -> None:
    steps = [line for line in section(title).splitlines() if re.match(r"\d+\. ", line)]

    assert 5 <= len(steps) <= 10
    assert [int(step.split(".")[0]) for step in steps] == [*range(1, len(steps) + 1)]
    assert not re.search(r"^ +\S", section(title), re.MULTILINE), "a step goes on in the next line"


def test_a_frame_passes_fifteen_modules_or_fewer_on_its_way_through_score() -> None:
    steps = "\n".join(line for line in section("A frame through score").splitlines() if re.match(r"\d+\. ", line))
    modules = set(re.findall(r"`([a-z_]+\.[a-z_]+)\.\w", steps))

    assert 10 <= len(modules) <= 15


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
