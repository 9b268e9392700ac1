"""The runners: where the workers of an archive run. The segments, the files and the scores are the same everywhere."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maskedskipunet.archive.driver import Driver, DriverOptions
from maskedskipunet.archive.local_pool import LocalPool
from maskedskipunet.archive.ray_pool import RayPool
from maskedskipunet.archive.target import Target
from maskedskipunet.archive.tasks import ArchiveSource
from maskedskipunet.archive.worker import WorkerSetup
from maskedskipunet.errors import ConfigError
from maskedskipunet.progress import Advance

GIGA = 1_000_000_000
SLURM_MARGIN = 1.25  # of the memory that a job asks for, for the process that leads its worker
SLURM_HOURS_VARIABLE = "MASKEDSKIPUNET_SLURM_HOURS"
SLURM_PARTITION_VARIABLE = "MASKEDSKIPUNET_SLURM_PARTITION"
CLUSTER_VARIABLE = "MASKEDSKIPUNET_SLURM_CLUSTER"  # submitit's name of it: slurm, or local or debug to try it


@dataclass(frozen=True, kw_only=True)
class Work:
    """All that is to be done, on which machine ever. workers: their number."""

    target: Target
    sources: Sequence[ArchiveSource]
    setup: WorkerSetup
    options: DriverOptions
    workers: int


Runner = Callable[[Work, Advance], None]
"""Does all work that no other process does, and returns when it is done: (what to do, is called for each video)."""


def run_local(work: Work, advance: Advance) -> None:
    """Score with processes of this machine."""
    Driver(work.target, LocalPool(work.setup, work.workers), work.options, advance).run(work.sources)


def run_ray(work: Work, advance: Advance) -> None:
    """Score with actors of a Ray cluster."""
    Driver(work.target, RayPool(work.setup, work.workers), work.options, advance).run(work.sources)


def run_slurm(work: Work, advance: Advance) -> None:
    """Score with an array of Slurm jobs, each of which leads one worker; they share the segments by their claims."""
    try:
        import submitit
    except ImportError as error:
        cure = "Install it with `pip install 'maskedskipunet[slurm]'`, in a clone with `uv sync --extra slurm`"
        raise ConfigError("submitit is not installed (the extra `slurm`)", "--runner slurm", cure) from error
    executor = submitit.AutoExecutor(work.target.folder / "slurm", cluster=os.environ.get(CLUSTER_VARIABLE))
    executor.update_parameters(**_slurm_parameters(work))
    alone = Work(**{**vars(work), "workers": 1})
    with executor.batch():
        jobs = [executor.submit(_slurm_job, alone) for _ in range(work.workers)]
    faults = []
    for job in jobs:
        try:
            job.result()
        except Exception as error:  # noqa: BLE001  # the others go on, and what it left is done below
            faults.append(str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__)
    if len(faults) == len(jobs):
        raise ConfigError(f"all Slurm jobs failed ({faults[0]:.200})", "--runner slurm", f"See {executor.folder}")
    advance(len(work.sources))


def _slurm_parameters(work: Work) -> dict[str, Any]:
    setup = work.setup
    parameters: dict[str, Any] = {
        "name": "maskedskipunet",
        "timeout_min": round(60 * float(os.environ.get(SLURM_HOURS_VARIABLE, "24"))),
        "cpus_per_task": setup.threads,
        "slurm_array_parallelism": work.workers,
    }
    if setup.memory_bytes is not None:
        parameters["mem_gb"] = SLURM_MARGIN * setup.memory_bytes / GIGA
    if setup.device == "cuda":
        parameters["gpus_per_node"] = 1
    if partition := os.environ.get(SLURM_PARTITION_VARIABLE):
        parameters["slurm_partition"] = partition
    return parameters


def _slurm_job(work: Work) -> None:
    run_local(work, lambda done: None)


RUNNERS: Mapping[str, Runner] = {"local": run_local, "ray": run_ray, "slurm": run_slurm}
