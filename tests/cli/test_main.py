"""What is the same for all commands: exit codes, where things are printed, and ends that no one planned."""

import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import pytest

from maskedskipunet import __version__
from maskedskipunet.cli import check
from maskedskipunet.cli.main import DONE, INTERRUPTED, NO_MEMORY, PARTLY, REFUSED
from maskedskipunet.errors import DataError

COMMAND = [sys.executable, "-m", "maskedskipunet"]
PATIENCE_S = 120  # that a process which hangs fails the test, and a slow machine does not


def test_the_exit_codes_are_the_documented_ones():
    assert (DONE, PARTLY, REFUSED, INTERRUPTED) == (0, 1, 2, 130)


def test_the_help_names_the_option_that_prints_the_version(cli):
    assert "--version" in cli("--help").out


def test_a_system_without_file_locks_is_refused_in_one_line_that_names_those_that_work(cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)

    for arguments in (["demo"], ["train", "--data", "x"], ["cache", "list"], ["watch"]):
        assert "Use Linux" in cli(*arguments).refusal()
    assert cli("--version").code == 0


def test_every_module_can_be_imported_where_there_are_no_file_locks():
    script = (
        "import sys; sys.modules['fcntl'] = None\n"
        "import maskedskipunet.records.store, maskedskipunet.runs, maskedskipunet.workflows.detector\n"
        "from pathlib import Path\n"
        "from maskedskipunet.runs import create_run\n"
        "try:\n"
        "    with create_run(Path(sys.argv[1])).for_one_process(): pass\n"
        "except maskedskipunet.MaskedSkipUNetError as error: print(error)\n"
    )
    with TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True)

    assert "Use Linux" in done.stdout, done.stderr


def test_the_version_is_printed_alone(cli):
    assert cli("--version").out == f"{__version__}\n"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("tran", "there is no command 'tran'. Perhaps you mean train."),
        ("nonsense", "there is no command 'nonsense'. Choose one of demo, check, train, test, evaluate, score,"),
        ("", "there is no command ''. Choose one of"),
        ("--data", "there is no command '--data'. Choose one of"),
        ("a\nb", r"there is no command 'a\nb'. Choose one of"),
        ("main", "there is no command 'main'."),
        ("../check", "there is no command '../check'."),
    ],
)
def test_an_unknown_command_is_refused_with_a_hint(cli, command, told):
    assert told in cli(command).refusal()


@pytest.fixture
def failing(monkeypatch):
    """Lets `check` end in an error."""

    def fail_with(error: BaseException) -> None:
        def run(arguments):
            raise error

        monkeypatch.setattr(check, "run", run)

    return fail_with


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (DataError("the folder is empty", "a\nb", "Fill it"), r"error: a\nb: the folder is empty. Fill it."),
        (DataError("bad name", "\x1b[31m\udcff"), r"error: \x1b[31m\udcff: bad name."),
        (PermissionError(13, "Permission denied", "x/y"), "error: x/y: Permission denied. Check the path"),
        (OSError(28, "No space left on device"), "error: reading or writing failed: No space left on device. Check"),
        (OSError("odd"), "error: reading or writing failed: odd. Check"),
        (MemoryError(), "error: not enough memory. Use a smaller"),
        *(
            (RuntimeError(f"[enforce fail] {sign} (12)"), "error: not enough memory. Use a smaller")
            for sign in NO_MEMORY
        ),
    ],
)
def test_an_error_that_can_happen_to_anyone_is_one_line_and_code_2(cli, failing, error, told):
    failing(error)
    assert cli("check", "x").refusal().startswith(told)


def test_an_interruption_is_code_130_and_one_word(cli, failing):
    failing(KeyboardInterrupt())
    answer = cli("check", "x")
    assert (answer.code, answer.out, answer.err) == (130, "", "interrupted\n")


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("a bug")])
def test_a_fault_of_our_own_is_not_hidden(cli, failing, error):
    failing(error)
    with pytest.raises(type(error), match=str(error)):
        cli("check", "x")


def test_a_command_keeps_warnings_of_libraries_from_a_person(cli, monkeypatch):
    monkeypatch.setattr(check, "run", lambda arguments: warnings.warn("for developers", stacklevel=1) or 0)
    assert cli("check", "x").err == ""


# In a process of its own


@pytest.fixture
def process(tmp_path):
    """Runs a command in a process, in a folder of its own."""

    def call(*arguments: object, **how: object) -> subprocess.CompletedProcess[str]:
        command = [*COMMAND, *map(str, arguments)]
        how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": tmp_path} | how
        return subprocess.run(command, text=True, check=False, timeout=PATIENCE_S, **how)

    return call


def test_a_reader_that_has_read_enough_is_no_error(process, footage):
    ours, theirs = os.pipe()
    os.close(ours)  # so that the first line finds no reader
    try:
        ended = process("check", footage, "--json", "figures.json", stdout=theirs)
    finally:
        os.close(theirs)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_what_a_reader_did_not_wait_for_is_in_the_json_all_the_same(process, footage, tmp_path):
    ours, theirs = os.pipe()
    os.close(ours)
    process("check", footage, "--json", "figures.json", stdout=theirs)
    os.close(theirs)
    assert json.loads((tmp_path / "figures.json").read_text())["failed"] == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_results_that_cannot_be_written_are_an_error_and_not_a_traceback(process, footage):
    with Path("/dev/full").open("w") as full:
        ended = process("check", footage, stdout=full)
    assert ended.returncode == 2
    assert ended.stderr == (
        "error: reading or writing failed: No space left on device. "
        "Check the path, the permission to write there and the free disk space.\n"
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_error(closed, footage):
    script = f'"$@" {closed}'
    ended = subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND, "check", footage], capture_output=True, timeout=PATIENCE_S, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_ctrl_c_ends_a_training_with_code_130_and_says_how_to_go_on(footage, tmp_path, small):
    options = ["--data", footage, "--name", "cut", *small, "--training.epochs=100000", "--training.max_minutes=5"]
    options += ["--data.cache", tmp_path / "cache"]
    process = subprocess.Popen(
        [*COMMAND, "train", *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONFAULTHANDLER": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # as a shell starts it
    )
    until_s = monotonic() + PATIENCE_S
    seen = ""
    while "epoch 1 of" not in seen:
        assert monotonic() < until_s
        line = process.stderr.readline()
        assert line, seen
        seen += line
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)  # it tells where it stands as it goes
        pytest.fail(f"still there, standing at {process.communicate(timeout=PATIENCE_S)}")
    assert (process.returncode, out) == (130, "")
    *_, before, last = err.splitlines()
    assert (before, last) == ("go on with `maskedskipunet train --resume runs/cut`", "interrupted")
    assert (tmp_path / "runs" / "cut" / "checkpoints" / "last.ckpt").is_file()
    assert not list(tmp_path.rglob("*.part"))
