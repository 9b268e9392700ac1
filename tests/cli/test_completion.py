"""The scripts are run by the shells themselves, where they are installed."""

import shutil
import subprocess

import pytest

from maskedskipunet.cli.completion import words_of
from maskedskipunet.cli.main import COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_lists_its_options(command):
    words = words_of(command)

    assert {"", "-h", "--help"} <= words.keys()


def completed(script, *typed):
    """What bash offers after a line of words, the last of which is not yet whole."""
    line = " ".join(f"'{word}'" for word in typed)
    ask = f"COMP_WORDS=({line}); COMP_CWORD={len(typed) - 1}; _maskedskipunet; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["sc"], ["score"]),
        (["--v"], ["--version"]),
        (["train", "--data.he"], ["--data.height_px"]),
        (["score", "--precision", ""], ["float32", "bfloat16"]),
        (["score", "--precision", "b"], ["bfloat16"]),
        (["records", ""], ["check", "export", "kinds", "prune"]),
        (["completion", "z"], ["zsh"]),
        (["score", "film.m"], []),  # names of files, which bash completes itself
        (["no such command", "-"], []),
    ],
)
def test_bash_completes_commands_options_and_values(cli, typed, offered):
    assert completed(cli("completion", "bash").out, "maskedskipunet", *typed) == offered


def test_zsh_reads_the_same_script(cli):
    script = cli("completion", "zsh").out
    assert script.startswith("autoload")
    assert script.split("\n", 1)[1] == cli("completion", "bash").out


def test_fish_gets_a_line_for_each_command_and_option(cli):
    lines = cli("completion", "fish").out.splitlines()

    assert "-a score -d" in "".join(lines)
    assert "complete -c maskedskipunet -n '__fish_seen_subcommand_from train' -l data.height_px" in lines
    precision = "-l precision -x -a 'float32 bfloat16'"
    assert f"complete -c maskedskipunet -n '__fish_seen_subcommand_from score' {precision}" in lines


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_understands_every_line(cli):
    subprocess.run(["fish", "--no-execute"], input=cli("completion", "fish").out, text=True, check=True)


def test_the_script_is_written_into_a_file_where_one_is_named(cli, tmp_path):
    answer = cli("completion", "fish", "--out", tmp_path / "completions" / "maskedskipunet.fish")

    assert (answer.code, answer.out) == (0, "")
    assert (tmp_path / "completions" / "maskedskipunet.fish").read_text() == cli("completion", "fish").out


def test_another_shell_is_refused_with_those_that_there_are(cli):
    assert "bash" in cli("completion", "tcsh").refusal()
