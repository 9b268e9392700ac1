"""What `--help` shows, read as a person reads it: on a screen of 80 columns."""

import re
import subprocess
import sys

import pytest

from maskedskipunet.cli.main import COMMANDS

NOISE = r"type:|<class|Literal|Union|Optional|null|None|CONFIG|ARG:|SUPPRESS|\btyping\b|print_config|True|False|\d\.0\b"
NO_DEFAULT = {
    "--json",
    "--from",
    "--resume",
    "--to",
    "--data",
    "--model",
    "--config",
    "--video",
}  # left out means: not done, or refused
BUDGETS = "--false-alarms-per-"  # one of them must be given


@pytest.fixture(params=COMMANDS)
def help_text(request, cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    answer = cli(request.param, "--help")
    assert (answer.code, answer.err) == (0, "")
    return answer.out


def options_of(help_text: str) -> dict[str, str]:
    """Each option, by its first long name, and what is said of it."""
    body = help_text.split("options:\n", 1)[1]
    entries = re.split(r"\n(?=  -|\S)", f"\n{body}")  # a line that is not indented is a heading
    return {
        re.search(r"--[\w.-]+", entry)[0]: " ".join(entry.split()) for entry in entries if entry.strip().startswith("-")
    }


def test_help_fits_80_columns(help_text):
    assert max(map(len, help_text.splitlines())) <= 80


def test_help_is_free_of_what_only_programs_care_for(help_text):
    assert not re.findall(NOISE, help_text)


def test_help_opens_with_what_cannot_be_left_out_and_a_sentence(help_text):
    first, blank, sentence, *_ = help_text.splitlines()
    assert re.fullmatch(r"usage: maskedskipunet \w+ (\S+ )*\[options\]", first)
    assert not blank
    assert re.match(r"[A-Z][^.]+", sentence)


def test_every_option_is_explained_by_a_sentence_that_tells_its_default(help_text):
    options = options_of(help_text)
    assert {"--help"} < options.keys()
    for name, told in options.items():
        assert re.search(r" [A-Z0-9][^{}]{5,}\.$", told), told
        takes_value = (
            re.search(rf"{name} [A-Z]{{1,}}\b", told) is not None
        )  # without one it is a switch, off unless given
        assert "default: " in told or not takes_value or name in NO_DEFAULT or name.startswith(BUDGETS), told


def test_the_list_of_commands_fits_80_columns_and_names_all(cli):
    for arguments in ((), ("--help",), ("-h",), ("help",)):
        answer = cli(*arguments)
        assert (answer.code, answer.err) == (0, "")
        assert max(map(len, answer.out.splitlines())) <= 80
        assert all(re.search(rf"^  {name} +\w", answer.out, re.MULTILINE) for name in COMMANDS)


def test_help_loads_none_of_the_libraries_that_take_seconds():
    script = """
import sys
from contextlib import suppress
from maskedskipunet.cli.main import COMMANDS, main
for arguments in [[], ["--version"], ["nonsense"], *([command, "--help"] for command in COMMANDS)]:
    with suppress(SystemExit):
        main(arguments)
slow = {"torch", "lightning", "matplotlib", "pyarrow", "sklearn", "scipy"} & sys.modules.keys()
sys.exit(f"loaded: {slow}" if slow else 0)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
