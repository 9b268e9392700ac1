import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskedskipunet.monitor.service import ServiceManager


class Manager:
    """A socket that hears what a service says."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        said = []
        while True:
            try:
                said.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return said


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Manager, str]]:
    path = str(tmp_path / "notify")
    manager = Manager(path if request.param == "path" else f"\0{path}")
    yield manager, path if request.param == "path" else f"@{path}"
    manager.socket.close()


def test_a_service_manager_hears_that_watching_is_ready_and_how_it_ends(manager: tuple[Manager, str]) -> None:
    hearing, address = manager
    service = ServiceManager({"NOTIFY_SOCKET": address})
    service.ready()
    service.status("2 cameras\nrunning")
    service.stopping()

    assert hearing.heard() == ["READY=1", "STATUS=2 cameras running", "STOPPING=1"]


def test_the_watchdog_is_fed_by_progress_and_by_nothing_else(manager: tuple[Manager, str]) -> None:
    hearing, address = manager
    now_s = 0.0
    service = ServiceManager({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "3000000"}, clock=lambda: now_s)
    for _ in range(41):  # ten turns a second for four seconds
        service.progress()
        now_s += 0.1
    assert len(hearing.heard()) in (4, 5)

    now_s += 100  # hung
    assert hearing.heard() == []


@pytest.mark.parametrize(
    "waits",
    [{"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "0"}, {}],
)
def test_no_watchdog_is_fed_that_waits_for_no_one_here(manager: tuple[Manager, str], waits: dict[str, str]) -> None:
    hearing, address = manager
    ServiceManager({"NOTIFY_SOCKET": address} | waits).progress()

    assert hearing.heard() == []


def test_nothing_happens_without_a_service_manager_or_when_it_is_gone(tmp_path: Path) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}, {"NOTIFY_SOCKET": "odd"}):
        ServiceManager(environment).ready()


def test_processes_that_are_started_later_have_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/x")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    ServiceManager()

    assert not {"NOTIFY_SOCKET", "WATCHDOG_PID"} & os.environ.keys()
