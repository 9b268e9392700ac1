"""Which form each part of a network gets: measured on the machine it will run on, and remembered there.

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
from maskedskipunet.files import whole_file
from maskedskipunet.inference.ceiling import matrix_flops_per_s
from maskedskipunet.machine import instruction_set, processor

TIMINGS_NAME = "timings.json"
REPEATS = 2
FAR = 2.0
NEAR = 3.0  # what is measured as so many times the best's seconds may still be the best, disturbed

T = TypeVar("T")


@dataclass(frozen=True)
class Form(Generic[T]):
    """One way to compute a part.

    name: tells it from the part's other forms. size_bytes: what it holds beyond the weights. make: makes the part.
    least_flops: operations that a run cannot do without, so that what cannot win need not be run.
    """

    name: str
    size_bytes: int
    make: Callable[[], T]
    least_flops: float = 0.0


@dataclass(frozen=True)
class Part(Generic[T]):
    """One part of a network.

    name: the same for all parts that cost the same. run: computes a typical batch. frames: of such a batch.
    """

    name: str
    forms: Sequence[Form[T]]
    run: Callable[[T], object]
    frames: int = 1


def choose_forms(parts: Sequence[Part[T]], room_bytes: int) -> list[Form[T]]:
    """The fastest form of each part that together fit into the room, or the smallest where none do."""
    known = _Timings()
    costs = [known.of(part, room_bytes) for part in parts]
    if known.fresh:  # once more, later: others may have used the machine meanwhile, for seconds
        costs = [known.again(part, cost) for part, cost in zip(parts, costs, strict=True)]
        known.keep()
    return _fastest_within(parts, costs, room_bytes)


def _fastest_within(parts: Sequence[Part[T]], costs: Sequence[Mapping[str, float]], room_bytes: int) -> list[Form[T]]:
    """Of all ways to choose a form for each part the one that takes the least time in the room."""
    ways: list[tuple[int, float, list[Form[T]]]] = [(0, 0.0, [])]  # bytes, seconds a frame; less time the more bytes
    for part, cost in zip(parts, costs, strict=True):
        longer = [
            (size_bytes + form.size_bytes, seconds + cost[form.name] / part.frames, [*chosen, form])
            for size_bytes, seconds, chosen in ways
            for form in part.forms
        ]
        ways = []
        for way in sorted(longer, key=lambda way: way[:2]):
            if not ways or (way[1] < ways[-1][1] and way[0] <= room_bytes):
                ways.append(way)
    return ways[-1][2]


class _Timings:
    """Seconds a batch by machine, part and form, in the user's cache."""

    def __init__(self) -> None:
        self.path = cache_folder() / TIMINGS_NAME
        threads = f"{torch.get_num_threads()} threads"
        self.machine = f"{processor()}, {instruction_set()}, {threads}, torch {torch.__version__}"
        self.all = _read(self.path)
        self.own = self.all.setdefault(self.machine, {})
        self.fresh: set[str] = set()

    def of(self, part: Part[T], room_bytes: int) -> dict[str, float]:
        """Seconds of each form, by its name; what is not known is measured, the most promising first.

        A form that cannot win gets what it would take at the best one's rate; one that never fits, infinity.
        """
        costs: dict[str, float] = {}
        best_s, best_flops = inf, 0.0
        for form in sorted(part.forms, key=lambda form: form.least_flops):
            key = f"{part.name}: {form.name}"
            if key in self.own:
                costs[form.name] = self.own[key]
            elif form.size_bytes > room_bytes and form.size_bytes > min(other.size_bytes for other in part.forms):
                costs[form.name] = inf
            elif best_flops and form.least_flops / self.flops_per_s > best_s:
                costs[form.name] = best_s * form.least_flops / best_flops
            else:
                costs[form.name] = self.own[key] = _measure(part.run, form.make(), best_s)
                self.fresh.add(key)
            if costs[form.name] < best_s:
                best_s, best_flops = costs[form.name], form.least_flops
        return costs

    def again(self, part: Part[T], costs: Mapping[str, float]) -> dict[str, float]:
        """The same, the better of two measurements where they were made just now."""
        better, best_s = dict(costs), min(costs.values())
        for form in part.forms:
            key = f"{part.name}: {form.name}"
            if key in self.fresh and costs[form.name] <= NEAR * best_s:
                self.own[key] = better[form.name] = min(
                    costs[form.name], _measure(part.run, form.make(), best_s, repeats=1)
                )
        return better

    @cached_property
    def flops_per_s(self) -> float:
        return matrix_flops_per_s()

    def keep(self) -> None:
        """Remembering is a convenience: where it cannot be written, the next time measures anew."""
        with suppress(OSError), whole_file(self.path) as file:
            file.write_text(json.dumps(self.all, indent=1))


def _measure(run: Callable[[T], object], made: T, best_s: float, repeats: int = REPEATS) -> float:
    """Seconds of a run; the first, which is slower than those after it, counts where it is far from the best anyway."""
    first_s = _seconds(run, made)
    return first_s if first_s > FAR * best_s else min(_seconds(run, made) for _ in range(repeats))


def _seconds(run: Callable[[T], object], made: T) -> float:
    began_s = time.perf_counter()
    run(made)
    return time.perf_counter() - began_s


def _read(path: Path) -> dict[str, dict[str, float]]:
    try:
        said = json.loads(path.read_text())
        return {
            machine: {key: float(value) for key, value in timings.items()} if isinstance(timings, Mapping) else {}
            for machine, timings in said.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
