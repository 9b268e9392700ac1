"""Which form each part of a network gets: measured on the machine it will run on, and remembered there.

How fast an algorithm is depends on the processor by up to a hundred times (a library may have no fast kernel for a size
on one instruction set), so nothing short of running it tells.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch

from maskedskipunet.data.cache import cache_folder
from maskedskipunet.files import whole_file
from maskedskipunet.machine import instruction_set, processor

TIMINGS_NAME = "timings.json"
REPEATS = 2
FAR = 2.0

T = TypeVar("T")


@dataclass(frozen=True)
class Form(Generic[T]):
    """One way to compute a part. name: tells it from the part's other forms. size_bytes: what its weights take."""

    name: str
    size_bytes: int
    make: Callable[[], T]


@dataclass(frozen=True)
class Part(Generic[T]):
    """One part of a network. name: the same for all parts that cost the same. run: computes a typical batch."""

    name: str
    forms: Sequence[Form[T]]
    run: Callable[[T], object]


def choose_forms(parts: Sequence[Part[T]], room_bytes: int) -> list[Form[T]]:
    """The fastest form of each part that together fit into the room, or the smallest where none do."""
    known = _Timings()
    costs = [known.of(part) for part in parts]
    known.keep()
    chosen = [min(part.forms, key=lambda form: cost[form.name]) for part, cost in zip(parts, costs, strict=True)]
    while sum(form.size_bytes for form in chosen) > room_bytes:
        cheaper = [
            ((cost[other.name] - cost[form.name]) / (form.size_bytes - other.size_bytes), at, other)
            for at, (part, form, cost) in enumerate(zip(parts, chosen, costs, strict=True))
            for other in part.forms
            if other.size_bytes < form.size_bytes
        ]
        if not cheaper:
            break
        _, at, other = min(cheaper, key=lambda entry: entry[:2])  # the least time lost for the room that it gives
        chosen[at] = other
    return chosen


class _Timings:
    """Seconds a batch by machine, part and form, in the user's cache."""

    def __init__(self) -> None:
        self.path = cache_folder() / TIMINGS_NAME
        threads = f"{torch.get_num_threads()} threads"
        self.machine = f"{processor()}, {instruction_set()}, {threads}, torch {torch.__version__}"
        self.all = _read(self.path)
        self.own = self.all.setdefault(self.machine, {})
        self.changed = False

    def of(self, part: Part[T]) -> dict[str, float]:
        """Seconds of each form, by its name; what is not known is measured."""
        costs: dict[str, float] = {}
        for form in part.forms:
            key = f"{part.name}: {form.name}"
            if key not in self.own:
                self.own[key] = _measure(part.run, form.make(), min(costs.values(), default=float("inf")))
                self.changed = True
            costs[form.name] = self.own[key]
        return costs

    def keep(self) -> None:
        """Remembering is a convenience: where it cannot be written, the next time measures anew."""
        if self.changed:
            with suppress(OSError), whole_file(self.path) as file:
                file.write_text(json.dumps(self.all, indent=1))


def _measure(run: Callable[[T], object], made: T, best_s: float) -> float:
    """Seconds of a run; the first, which is slower than those after it, counts where it is far from the best anyway."""
    first_s = _seconds(run, made)
    return first_s if first_s > FAR * best_s else min(_seconds(run, made) for _ in range(REPEATS))


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
