"""Describes the hardware that determines speed."""

import ctypes
import os
import platform
import re
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # names of malloc.h
MAX_BYTES = 2**31 - 1
SPIN_COUNT = 10_000  # a fraction of a millisecond; far fewer cost speed where the cores are free


def processor() -> str:
    """Return the processor's name."""
    return _cpu_fact("model name") or platform.processor() or platform.machine()


def instruction_set() -> str:
    """Return the widest vector instructions of the processor that the system reports."""
    flags = set(_cpu_fact("flags").split())
    for name, flag in (("AVX-512", "avx512f"), ("AVX2", "avx2"), ("AVX", "avx")):
        if flag in flags:
            return name
    return platform.machine()


def cores() -> int | None:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def memory_bytes() -> int | None:
    """Return the machine's memory; None if the system does not report it."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def memory_gb() -> float | None:
    """Return the machine's memory in units of 2^30 bytes."""
    count = memory_bytes()
    return None if count is None else round(count / 2**30, 1)


@cache  # asked for each video that is written
def _cpu_fact(name: str) -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""
    found = re.search(rf"^{name}\s*:\s*(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else ""


def give_back_memory() -> None:
    """Give the system what this process has freed and kept, after work that needed much more than what comes.

    Does nothing if the C library is another than GNU's.
    """
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def keep_memory() -> None:
    """Let this process keep the memory it frees, for its next use of it.

    By default the C library gives large blocks back at once, and each new one costs a fault a page: a third of a
    training step on the CPU. For whole programs, such as a command; a library does not decide this for its user. Does
    nothing if the C library is another than GNU's.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, MAX_BYTES)


def share_cores() -> None:
    """Let threads of this process that wait for one another sleep sooner, so that others get on meanwhile.

    GNU OpenMP, which torch computes with, has them spin for milliseconds after each operation. On a machine whose cores
    others use too that holds up the very threads that are waited for (figures: docs/results/spinning_*.json). For
    whole programs, and only before torch is loaded; what a person has set for OpenMP stands.
    """
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = str(SPIN_COUNT)


def hide_in_process_list(secrets: Sequence[str]) -> bool:
    """Write stars over parts of this process's own command line, which every user of the machine can read.

    Returns whether none of them is left there. Only Linux exposes the command line in memory.
    """
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = int(fields[45]), int(fields[46])  # arg_start and arg_end of proc(5), counted from the state
        line = ctypes.string_at(start, end - start) if 0 < start < end else b""
        hidden = line
        for secret in secrets:
            code = os.fsencode(secret)
            hidden = hidden.replace(code, b"*" * len(code))
        if hidden != line:
            ctypes.memmove(start, hidden, len(hidden))
        shown = Path("/proc/self/cmdline").read_bytes()
    except (OSError, IndexError, ValueError):
        return False
    return not any(os.fsencode(secret) in shown for secret in secrets)
