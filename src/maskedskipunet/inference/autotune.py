"""Autotuning: each operation of a network is computed in the way that was measured as the fastest on this machine.

How fast an algorithm is depends on the processor by up to a hundred times (a library may have no fast kernel for a size
on one instruction set), so nothing short of running it tells.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Generic, TypeVar

import torch

from maskedskipunet.data.cache import cache_folder
from maskedskipunet.files import atomic_write
from maskedskipunet.inference.ceiling import matrix_flops_per_s
from maskedskipunet.machine import instruction_set, processor

TIMINGS_NAME = "timings.json"
REPEATS = 2
FAR = 2.0
NEAR = 3.0  # what is measured as so many times the best's seconds may still be the best, disturbed

T = TypeVar("T")


@dataclass(frozen=True)
class Candidate(Generic[T]):
    """One way to compute an operation.

    name: unique among the operation's candidates. size_bytes: its memory beyond the weights. make: creates it.
    least_flops: a lower bound of the floating-point operations of a run, so that hopeless candidates are not run.
    """

    name: str
    size_bytes: int
    make: Callable[[], T]
    least_flops: float = 0.0


@dataclass(frozen=True)
class Operation(Generic[T]):
    """An operation of a network that can be computed in several ways.

    name: the same for all operations of equal cost. run: computes a typical batch. frames: the number of frames in it.
    """

    name: str
    candidates: Sequence[Candidate[T]]
    run: Callable[[T], object]
    frames: int = 1


def autotune_operations(operations: Sequence[Operation[T]], memory_bytes: int) -> list[Candidate[T]]:
    """Return the fastest candidates, one for each operation, that together fit into the memory; the smallest if none
    do.
    """
    timings = _Timings()
    costs = [timings.of(operation, memory_bytes) for operation in operations]
    if timings.fresh:  # once more, later: others may have used the machine meanwhile, for seconds
        costs = [timings.again(operation, cost) for operation, cost in zip(operations, costs, strict=True)]
        timings.keep()
    return _fastest_within(operations, costs, memory_bytes)


def _fastest_within(
    operations: Sequence[Operation[T]], costs: Sequence[Mapping[str, float]], memory_bytes: int
) -> list[Candidate[T]]:
    """Return the choice of a candidate for each operation that takes the least time and fits into the room."""
    # Bytes, seconds a frame and the candidates chosen: the more bytes, the less time.
    plans: list[tuple[int, float, list[Candidate[T]]]] = [(0, 0.0, [])]
    for operation, cost in zip(operations, costs, strict=True):
        longer = [
            (size_bytes + candidate.size_bytes, seconds + cost[candidate.name] / operation.frames, [*chosen, candidate])
            for size_bytes, seconds, chosen in plans
            for candidate in operation.candidates
        ]
        plans = []
        for plan in sorted(longer, key=lambda plan: plan[:2]):
            if not plans or (plan[1] < plans[-1][1] and plan[0] <= memory_bytes):
                plans.append(plan)
    return plans[-1][2]


class _Timings:
    """Seconds a batch by machine, operation and candidate, kept in the user's cache."""

    def __init__(self) -> None:
        self.path = cache_folder() / TIMINGS_NAME
        threads = f"{torch.get_num_threads()} threads"
        self.machine = f"{processor()}, {instruction_set()}, {threads}, torch {torch.__version__}"
        self.all = _read(self.path)
        self.own = self.all.setdefault(self.machine, {})
        self.fresh: set[str] = set()

    def of(self, operation: Operation[T], memory_bytes: int) -> dict[str, float]:
        """Return the seconds of each candidate, by its name; unknown ones are measured, the most promising first.

        A hopeless candidate gets its lower bound at the best one's rate; one that never fits gets infinity.
        """
        costs: dict[str, float] = {}
        best_s, best_flops = inf, 0.0
        for candidate in sorted(operation.candidates, key=lambda candidate: candidate.least_flops):
            key = f"{operation.name}: {candidate.name}"
            if key in self.own:
                costs[candidate.name] = self.own[key]
            elif candidate.size_bytes > memory_bytes and candidate.size_bytes > min(
                other.size_bytes for other in operation.candidates
            ):
                costs[candidate.name] = inf
            elif best_flops and candidate.least_flops / self.flops_per_s > best_s:
                costs[candidate.name] = best_s * candidate.least_flops / best_flops
            else:
                costs[candidate.name] = self.own[key] = _measure(operation.run, candidate.make(), best_s)
                self.fresh.add(key)
            if costs[candidate.name] < best_s:
                best_s, best_flops = costs[candidate.name], candidate.least_flops
        return costs

    def again(self, operation: Operation[T], costs: Mapping[str, float]) -> dict[str, float]:
        """Return seconds of each candidate; of those that were measured just now the better of two measurements."""
        better, best_s = dict(costs), min(costs.values())
        for candidate in operation.candidates:
            key = f"{operation.name}: {candidate.name}"
            if key in self.fresh and costs[candidate.name] <= NEAR * best_s:
                self.own[key] = better[candidate.name] = min(
                    costs[candidate.name], _measure(operation.run, candidate.make(), best_s, repeats=1)
                )
        return better

    @cached_property
    def flops_per_s(self) -> float:
        return matrix_flops_per_s()

    def keep(self) -> None:
        """Store the timings if possible; otherwise the next run measures again."""
        with suppress(OSError), atomic_write(self.path) as file:
            file.write_text(json.dumps(self.all, indent=1))


def _measure(run: Callable[[T], object], made: T, best_s: float, repeats: int = REPEATS) -> float:
    """Return the seconds of a run; the slower first run counts only if it is far from the best anyway."""
    first_s = _seconds(run, made)
    return first_s if first_s > FAR * best_s else min(_seconds(run, made) for _ in range(repeats))


def _seconds(run: Callable[[T], object], made: T) -> float:
    began_s = time.perf_counter()
    run(made)
    return time.perf_counter() - began_s


def _read(path: Path) -> dict[str, dict[str, float]]:
    try:
        content = json.loads(path.read_text())
        return {
            machine: {key: float(value) for key, value in timings.items()} if isinstance(timings, Mapping) else {}
            for machine, timings in content.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
