"""Workers as processes of this machine, each watched: one that dies, or takes too much memory, takes no other along."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

from maskedskipunet.archive.tasks import Died, Fault, Outcome, Task
from maskedskipunet.archive.worker import Worker, WorkerSetup, resident_bytes
from maskedskipunet.files import readable_bytes
from maskedskipunet.machine import keep_memory

LOOK_S = 0.1  # between looks at the memory of workers
WORN = 0.7  # of its memory bound, from which on an idle worker is replaced
END_S = 5.0  # that an ended process may take to be gone
FIRST_VICTIM = "800"  # for the system when it runs out of memory: a worker before the process that leads it


class DoesTasks(Protocol):
    """What a worker's process runs."""

    def do(self, task: Task) -> Outcome: ...


MakeWorker = Callable[[WorkerSetup], DoesTasks]


class LocalPool:
    """Worker processes of this machine. make_worker: makes what each of them runs; for tests."""

    def __init__(self, setup: WorkerSetup, workers: int, make_worker: MakeWorker = Worker) -> None:
        self._setup, self._make_worker = setup, make_worker
        self._workers: list[_Process] = []
        self._count = workers

    @property
    def free(self) -> int:
        return self._count - self.busy

    @property
    def busy(self) -> int:
        return sum(worker.task is not None for worker in self._workers)

    def submit(self, task: Task) -> None:
        worker = next((worker for worker in self._workers if worker.task is None), None)
        if worker is None:
            worker = _Process(self._setup, self._make_worker)
            self._workers.append(worker)
        worker.give(task)

    def outcomes(self, timeout_s: float) -> Sequence[tuple[Task, Outcome]]:
        ready: list[Any] = []
        left_s = timeout_s
        while not ready and left_s > 0:
            watched = [thing for worker in self._workers for thing in (worker.pipe, worker.process.sentinel)]
            ready = wait(watched, min(LOOK_S, left_s)) if watched else []
            left_s -= LOOK_S
            if any(worker.end_if_too_large(self._setup.memory_bytes) for worker in self._workers):
                break
        found = []
        for worker in [*self._workers]:
            task, outcome = worker.task, worker.outcome()
            if outcome is not None and not worker.is_gone:
                worker.end_if_worn(self._setup.memory_bytes)
            if worker.is_gone:
                self._workers.remove(worker)
            if task is not None and outcome is not None:
                found.append((task, outcome))
        return found

    def close(self) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()


class _Process:
    """A worker's process, and the task that it has."""

    def __init__(self, setup: WorkerSetup, make_worker: MakeWorker) -> None:
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
        self.pipe, theirs = context.Pipe()
        self.task: Task | None = None
        self.is_gone = False
        self._too_large: str | None = None
        self.process = context.Process(target=_serve, args=(setup, make_worker, theirs), daemon=True)
        with _threads(setup.threads):
            self.process.start()
        theirs.close()

    def give(self, task: Task) -> None:
        self.task = task
        with suppress(OSError):  # it has died meanwhile, which its sentinel tells
            self.pipe.send(task)

    def outcome(self) -> Outcome | None:
        """Return how its task has ended; None if it has not."""
        with suppress(EOFError, OSError):
            if self.pipe.poll():
                self.task, outcome = None, self.pipe.recv()
                assert isinstance(outcome, Outcome)
                return outcome
        if self.process.is_alive():
            return None
        self.is_gone = True
        had_task, self.task = self.task is not None, None
        self.end()
        return Died(self._too_large or _described(self.process.exitcode)) if had_task else None

    def end_if_too_large(self, memory_bytes: int | None) -> bool:
        """End the process if it takes more memory than it may; return whether it did."""
        used = 0 if memory_bytes is None else resident_bytes(self.process.pid)
        if memory_bytes is None or used <= memory_bytes or self._too_large is not None:
            return False
        self._too_large = (
            f"its worker took {readable_bytes(used)} of memory, more than the bound of {readable_bytes(memory_bytes)}"
        )
        self.end()
        return True

    def end_if_worn(self, memory_bytes: int | None) -> None:
        """End the idle process if it has kept much of the memory of earlier tasks, so that no other is blamed."""
        if memory_bytes is not None and resident_bytes(self.process.pid) > WORN * memory_bytes:
            self.is_gone = True
            self.end()

    def end(self) -> None:
        if self.process.is_alive():
            self.process.kill()
        self.process.join(END_S)
        self.pipe.close() if self.is_gone else None


def _described(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"its worker was killed ({signal.Signals(-exit_code).name})"
    return f"its worker ended (exit code {exit_code})"


def _serve(setup: WorkerSetup, make_worker: MakeWorker, pipe: Connection) -> None:
    """Run a worker's process until its pipe is closed, or the process that started it has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the leader ends this process
    threading.Thread(target=_end_with_parent, daemon=True, name="parent").start()
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_VICTIM)
    keep_memory()
    worker: DoesTasks | None = None
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            worker = worker or make_worker(setup)
            outcome = worker.do(task)
        except Exception as error:  # noqa: BLE001  # told, so that the leader can record it
            outcome = Fault(f"{type(error).__name__}: {error}")
        with suppress(BrokenPipeError):
            pipe.send(outcome)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Have processes that are started in this block compute with so many threads, unless a person has set them."""
    own = {name: str(count) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name not in os.environ}
    os.environ.update(own)
    try:
        yield
    finally:
        for name in own:
            os.environ.pop(name, None)
