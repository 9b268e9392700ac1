"""Worker processes: one that dies, or takes too much memory, is told as such and takes no other along."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from maskedskipunet.archive.local_pool import LocalPool
from maskedskipunet.archive.tasks import ArchiveSource, Died, Fault, Outcome, PlanTask
from maskedskipunet.archive.worker import WorkerSetup, resident_bytes
from maskedskipunet.data.footage_files import FootageFile

WORKER = """
import os, signal, time
from maskedskipunet.archive.tasks import Fault

class Odd:
    def __init__(self, setup):
        self.kept = []

    def do(self, task):
        name = task.address
        if name == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        if name == "exit":
            os._exit(3)
        if name == "error":
            raise RuntimeError("a fault of its own")
        if name == "memory":
            for _ in range(200):
                self.kept.append(b"x" * 10_000_000)
                time.sleep(0.01)
        if name == "sleep":
            time.sleep(600)
        return Fault(f"{name} {os.getpid()} {os.environ.get('OMP_NUM_THREADS')}")
"""
Open = Callable[..., LocalPool]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens pools whose workers do as they are told by names."""
    (tmp_path / "odd_worker.py").write_text(WORKER)
    monkeypatch.syspath_prepend(tmp_path)
    import odd_worker  # type: ignore[import-not-found]

    pools: list[LocalPool] = []

    def open_pool(workers: int = 1, **changes: Any) -> LocalPool:
        setup = WorkerSetup(**{"model": Path("m"), "key": "k", "seconds": 60.0, **changes})
        pools.append(LocalPool(setup, workers, odd_worker.Odd))
        return pools[-1]

    yield open_pool
    for pool in pools:
        pool.close()


def task(name: str) -> PlanTask:
    return PlanTask(ArchiveSource(FootageFile(name)))


def outcomes(pool: LocalPool, *names: str) -> dict[str, Outcome]:
    for name in names:
        pool.submit(task(name))
    found: dict[str, Outcome] = {}
    until = time.monotonic() + 120
    while pool.busy and time.monotonic() < until:
        found |= {done.address: outcome for done, outcome in pool.outcomes(1.0)}
    return found


def test_a_worker_that_dies_is_told_and_the_next_task_has_another(opened: Open) -> None:
    pool = opened()

    assert outcomes(pool, "segfault") == {"segfault": Died("its worker was killed (SIGSEGV)")}
    assert outcomes(pool, "exit") == {"exit": Died("its worker ended (exit code 3)")}
    assert outcomes(pool, "error") == {"error": Fault("RuntimeError: a fault of its own")}
    assert isinstance(outcomes(pool, "good")["good"], Fault)
    assert (pool.free, pool.busy) == (1, 0)


def test_a_worker_that_takes_too_much_memory_is_ended_and_the_other_goes_on(opened: Open) -> None:
    pool = opened(2, memory_bytes=1_200_000_000)

    found = outcomes(pool, "memory", "good")

    assert isinstance(found["good"], Fault)
    died = found["memory"]
    assert isinstance(died, Died)
    assert died.cause.endswith("of memory, more than the bound of 1.2 GB")
    assert 0 < resident_bytes() == pytest.approx(resident_bytes(os.getpid()), rel=0.2)


def test_workers_live_for_many_tasks_and_compute_with_their_share_of_threads(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    pool = opened(threads=3)

    causes = [outcomes(pool, name)[name].cause.split() for name in ("a", "b")]  # type: ignore[union-attr]

    assert causes[0][1:] == causes[1][1:]
    assert causes[0][2] == "3"
    assert "OMP_NUM_THREADS" not in os.environ


def test_closing_ends_workers_whatever_they_do(opened: Open) -> None:
    pool = opened()
    pool.submit(task("sleep"))
    assert pool.outcomes(0.3) == []
    (worker,) = pool._workers
    assert worker.process.is_alive()

    pool.close()

    assert not worker.process.is_alive()
    assert worker.process.exitcode == -signal.SIGKILL
