"""Workers as actors of a Ray cluster; addresses go to them, scores come back, and frames never travel."""

import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from maskedskipunet.archive.tasks import Died, Outcome, Task
from maskedskipunet.archive.worker import Worker, WorkerSetup, resident_bytes
from maskedskipunet.errors import ConfigError
from maskedskipunet.files import readable_bytes

OBJECT_STORE_BYTES = 200_000_000  # scores are all that is in it: less than 1 MB a segment
LOOK_S = 0.1
ADDRESS_VARIABLE = "RAY_ADDRESS"
REPORTS_VARIABLE = "RAY_USAGE_STATS_ENABLED"  # unless it is 0, a cluster that is started tells Ray's makers of its use


class RayPool:
    """Workers on the nodes of a Ray cluster: the one that RAY_ADDRESS names, or else one of this machine alone.

    A worker takes `threads` cores of its node, or on `cuda` one GPU. More nodes give more room: Ray starts a waiting
    worker when its autoscaler has added one. Raises ConfigError if Ray is not installed.
    """

    def __init__(self, setup: WorkerSetup, workers: int) -> None:
        try:
            import ray
        except ImportError as error:
            cure = "Install it with `pip install 'maskedskipunet[ray]'`, in a clone with `uv sync --extra ray`"
            raise ConfigError("Ray is not installed (the extra `ray`)", "--runner ray", cure) from error
        self._ray, self._setup, self._count = ray, setup, workers
        self._started = not ray.is_initialized()
        if self._started and os.environ.get(ADDRESS_VARIABLE):
            ray.init(address="auto", log_to_driver=False, configure_logging=False)
        elif self._started:
            os.environ.setdefault(REPORTS_VARIABLE, "0")
            ray.init(object_store_memory=OBJECT_STORE_BYTES, include_dashboard=False, log_to_driver=False)
        wanted: dict[str, Any] = {"num_gpus": 1} if setup.device == "cuda" else {"num_cpus": setup.threads}
        self._actor: Any = ray.remote(**wanted, max_restarts=0, scheduling_strategy="SPREAD")(RayWorker)
        self._idle: list[Any] = []
        self._working: dict[Any, tuple[Any, Task]] = {}  # by what will hold the outcome

    @property
    def free(self) -> int:
        return self._count - self.busy

    @property
    def busy(self) -> int:
        return len(self._working)

    def submit(self, task: Task) -> None:
        actor = self._idle.pop() if self._idle else self._actor.remote(self._setup)
        self._working[actor.do.remote(task)] = (actor, task)

    def outcomes(self, timeout_s: float) -> Sequence[tuple[Task, Outcome]]:
        ready, _ = self._ray.wait([*self._working], timeout=timeout_s)
        found = []
        for reference in ready:
            actor, task = self._working.pop(reference)
            try:
                outcome = self._ray.get(reference)
                self._idle.append(actor)
            except self._ray.exceptions.RayError as error:
                outcome = self._died(error)
                with suppress(Exception):
                    self._ray.kill(actor)
            found.append((task, outcome))
        return found

    def close(self) -> None:
        for actor in [*self._idle, *(actor for actor, _ in self._working.values())]:
            with suppress(Exception):
                self._ray.kill(actor)
        self._idle.clear()
        self._working.clear()
        if self._started:
            self._ray.shutdown()

    def _died(self, error: BaseException) -> Died:
        text = " ".join(str(error).split())
        is_lost = "node" in text.lower() and "died" in text.lower() and "exit code" not in text.lower()
        if f"exit code {TOO_LARGE}" in text or f"exit_code={TOO_LARGE}" in text or f"code={TOO_LARGE}" in text:
            bound = readable_bytes(self._setup.memory_bytes or 0)
            return Died(f"its worker took more memory than the bound of {bound}")
        return Died(f"its worker died ({text:.300})", is_own_fault=not is_lost)


TOO_LARGE = 77  # exit code of a worker that exceeds its memory bound


class RayWorker:
    """An actor that does tasks and ends itself if it takes too much memory."""

    def __init__(self, setup: WorkerSetup) -> None:
        if not os.environ.get("OMP_NUM_THREADS"):
            os.environ["OMP_NUM_THREADS"] = str(setup.threads)
        self._worker = Worker(setup)
        if setup.memory_bytes is not None:
            threading.Thread(target=_watch_memory, args=(setup.memory_bytes,), daemon=True).start()

    def do(self, task: Task) -> Outcome:
        return self._worker.do(task)


def _watch_memory(memory_bytes: int) -> None:
    while True:
        time.sleep(LOOK_S)
        if resident_bytes() > memory_bytes:
            os._exit(TOO_LARGE)
