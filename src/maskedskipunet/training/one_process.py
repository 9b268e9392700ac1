"""Trains in one process, even under a scheduler or a launcher for several processes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

PREFIXES = (
    "SLURM_",  # Slurm
    "LSB_",  # LSF
    "JSM_",
    "OMPI_",  # Open MPI
    "PMI_",
    "PMIX_",
    "PBS_",
    "TORCHELASTIC_",  # torchrun
    "PL_",  # Lightning takes PL_TRAINER_MAX_EPOCHS and the like for arguments
)
NAMES = frozenset(
    {
        "RANK",
        "GLOBAL_RANK",
        "LOCAL_RANK",
        "NODE_RANK",
        "GROUP_RANK",
        "ROLE_RANK",
        "WORLD_SIZE",
        "LOCAL_WORLD_SIZE",
        "GROUP_WORLD_SIZE",
        "ROLE_WORLD_SIZE",
        "MASTER_ADDR",
        "MASTER_PORT",
    }
)


@contextmanager
def in_one_process() -> Iterator[None]:
    """Hide from this block what says that the process is one of many.

    Lightning would look for the others, wait for them, leave its logs to the first of them, or write a checkpoint of
    its own when the scheduler's time is over. What was hidden is there again afterwards.
    """
    hidden = {name: value for name, value in os.environ.items() if name in NAMES or name.startswith(PREFIXES)}
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)
