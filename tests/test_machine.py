"""What a whole program asks of the machine."""

import os
import subprocess
import sys

import pytest

from maskedskipunet.machine import SPIN_COUNT, share_cores


def test_threads_sleep_sooner_unless_a_person_has_said_how_they_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    share_cores()
    assert os.environ["GOMP_SPINCOUNT"] == "7"
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    share_cores()
    assert "GOMP_SPINCOUNT" not in os.environ
    monkeypatch.delenv("OMP_WAIT_POLICY")
    share_cores()
    assert os.environ["GOMP_SPINCOUNT"] == str(SPIN_COUNT)


def test_the_command_says_so_before_torch_is_loaded() -> None:
    script = (
        "import os, sys\n"
        "from maskedskipunet.cli import main\n"
        "main.main = lambda: print(os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules)\n"
        "main.command()\n"
    )
    plain = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    done = subprocess.run([sys.executable, "-c", script], env=plain, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(SPIN_COUNT), "False"]
