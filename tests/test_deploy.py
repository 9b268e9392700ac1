"""How watching is run for good: the container's watchdog, and the unit for systemd."""

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from maskedskipunet.workflows.camera_file import read_camera_file

DEPLOY = Path(__file__).parents[1] / "deploy"
UNIT = DEPLOY / "maskedskipunet-watch.service"
TELLS = """
import os, socket, sys, time
teller = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for word in sys.argv[2:]:
    teller.sendto(word.encode(), os.environ["NOTIFY_SOCKET"])
    time.sleep(0.1)
if sys.argv[1] == "hang":
    time.sleep(600)
sys.exit(int(sys.argv[1]))
"""


def watchdog(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(DEPLOY / "watchdog.py"), "--folder", str(folder), *arguments]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", TELLS, *arguments]


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_watchdog_ends_as_its_command_does(tmp_path: Path, code: int) -> None:
    done = subprocess.run(watchdog(tmp_path, *command(str(code), "READY=1")), timeout=60)
    assert done.returncode == code
    assert subprocess.run(watchdog(tmp_path, "--healthy"), timeout=60).returncode == 0


def test_a_command_that_makes_no_more_progress_is_ended(tmp_path: Path) -> None:
    beats = ["READY=1", *["STATUS=well\nWATCHDOG=1"] * 5]
    done = subprocess.run(
        watchdog(tmp_path, "--patience-s", "1", *command("hang", *beats)), capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (1, "watchdog: no progress, the command is ended\n")
    time.sleep(0.01)
    assert subprocess.run(watchdog(tmp_path, "--patience-s", "0.01", "--healthy"), timeout=60).returncode == 1


def test_a_command_that_never_becomes_ready_is_ended_and_was_never_healthy(tmp_path: Path) -> None:
    done = subprocess.run(watchdog(tmp_path, "--start-s", "0.5", *command("hang", "STATUS=soon")), timeout=60)
    assert done.returncode == 1
    assert subprocess.run(watchdog(tmp_path, "--healthy"), timeout=60).returncode == 1


def test_a_request_to_stop_reaches_the_command(tmp_path: Path) -> None:
    running = subprocess.Popen(watchdog(tmp_path, *command("hang", "READY=1")))
    try:
        deadline_s = time.monotonic() + 60
        while not (tmp_path / "fed").exists():
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 128 + signal.SIGTERM
    finally:
        running.kill()
        running.wait()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_understands_every_line_of_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/maskedskipunet/bin/maskedskipunet", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if UNIT.name in line] == []
    assert done.returncode == 0, done.stderr


def test_the_example_of_a_file_of_cameras_is_read_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CAMERA_USER", "CAMERA_PASSWORD", "MQTT_PASSWORD"):
        monkeypatch.setenv(name, "word")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    read = read_camera_file(DEPLOY / "cameras.yaml", tmp_path / "model")
    assert [*read.cameras] == ["door", "yard"]
    assert read.model == tmp_path / "model"
    assert [sink.subscription.sink for sink in read.sinks] == ["home"]
    commented = re.sub(r"^  # ?", "  ", (DEPLOY / "cameras.yaml").read_text(), flags=re.MULTILINE)
    (tmp_path / "all.yaml").write_text(commented)
    monkeypatch.setenv("HOOK_SECRET", "word")
    monkeypatch.setenv("MAIL_PASSWORD", "word")
    monkeypatch.setitem(sys.modules, "cv2", ModuleType("cv2"))
    read = read_camera_file(tmp_path / "all.yaml", tmp_path / "model")  # what is commented out is right too
    assert [*read.cameras] == ["door", "yard", "bench"]
    assert [sink.subscription.sink for sink in read.sinks] == ["home", "hook", "nas", "post"]


def test_the_compose_file_builds_from_what_is_here_and_mounts_what_the_container_reads() -> None:
    service = yaml.safe_load((DEPLOY.parent / "compose.yaml").read_text())["services"]["watch"]
    container = (DEPLOY.parent / "Containerfile").read_text()
    assert (DEPLOY.parent / service["build"]["dockerfile"]).is_file()
    inside = [volume.split(":")[1] for volume in service["volumes"]]
    assert all(f'"{place}"' in container for place in inside)
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert "environment" not in service  # passwords are in a file of their own


def test_no_page_tells_to_install_the_package_from_an_index() -> None:
    pages = [*(DEPLOY.parent / "docs").glob("*.md"), DEPLOY.parent / "README.md", UNIT, DEPLOY.parent / "Containerfile"]
    found = [page.name for page in pages for line in page.read_text().splitlines() if "install maskedskipunet" in line]
    assert found == []


def test_the_container_is_made_of_what_is_here_and_holds_no_secret() -> None:
    lines = (DEPLOY.parent / "Containerfile").read_text().splitlines()
    copied = [
        word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]
    ]
    assert copied
    assert all((DEPLOY.parent / name).exists() for name in copied)
    assert "USER maskedskipunet" in lines
    assert not [line for line in lines if line.startswith(("ENV", "ARG")) and "PASSWORD" in line.upper()]
