"""A bounded memory of normal moments, with exemplars at each place that stand for everything seen there."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

KEPT_WHEN_FULL = 0.5  # of the exemplars of a place that is thinned out
STEPS_WITHIN = 0.9  # share of steps between neighbouring moments that counts as noise
QUERY_ROWS = 256  # moments compared at once: more outgrow the caches


class Memory:
    """Exemplars of P places: vectors, each with the moment that it was taken from.

    capacity: exemplars a place at most. A vector becomes an exemplar where none lies within the place's radius, the
    farthest first; when a place is full its exemplars are thinned to those farthest apart and its radius grows
    (k-center greedy, the usual coreset of nearest-neighbour detectors). Exemplars have half precision, as they are
    stored, so that a memory that was read again says the same.
    """

    def __init__(self, places: int, size: int, capacity: int, radius: Tensor | None = None) -> None:
        self.exemplars = torch.zeros(places, 0, size)
        self.moments = torch.zeros(places, 0, dtype=torch.int32)
        self.counts = torch.zeros(places, dtype=torch.int64)
        self.radius = torch.zeros(places) if radius is None else radius.clone()
        self.capacity = capacity
        self._norms = torch.zeros(places, 0)

    @property
    def size_bytes(self) -> int:
        """The size of the exemplars in memory."""
        return sum(array.nbytes for array in (self.exemplars, self.moments, self._norms))

    @torch.inference_mode()
    def nearest(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Return the distance to the nearest exemplar of the same place, and its number there.

        vectors: (P, N, D). Returns two arrays (P, N). The distance is infinite if a place has no exemplar.
        """
        found = [self._nearest(part) for part in torch.split(vectors, QUERY_ROWS, dim=1)]
        if not found:
            empty = vectors.new_zeros(vectors.shape[:2])
            return empty, empty.long()
        distances, numbers = zip(*found, strict=True)
        return torch.cat(distances, 1), torch.cat(numbers, 1)

    def _nearest(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        places, count, _ = vectors.shape
        if not self.exemplars.shape[1]:
            return vectors.new_full((places, count), float("inf")), torch.zeros(places, count, dtype=torch.int64)
        # |v - e|^2 = |v|^2 - 2 v.e + |e|^2; a free slot has an infinite norm.
        partial = torch.baddbmm(self._norms[:, None], vectors, self.exemplars.transpose(1, 2), alpha=-2)
        number = partial.argmin(2)  # (P, N)
        nearest = self.exemplars[torch.arange(places)[:, None], number]
        # Measured anew: next to an exemplar the sum above is a difference of large numbers, and nothing but rounding.
        distance = (vectors - nearest).norm(dim=2)
        return distance.masked_fill(self.counts[:, None] == 0, float("inf")), number

    @torch.inference_mode()
    def add(self, vectors: Tensor, moments: Tensor) -> None:
        """Add moments. vectors: (P, N, D), one for each place. moments: int (N,), the numbers of the moments."""
        vectors = vectors.half().float()
        distance, _ = self.nearest(vectors)
        places = torch.arange(len(vectors))
        while len(moments):
            farthest, number = distance.max(1)  # (P,)
            wanted = places[farthest > self.radius]
            if not len(wanted):
                return
            self._thin_full(wanted)
            wanted = wanted[farthest[wanted] > self.radius[wanted]]
            taken = number[wanted]
            added = vectors[wanted, taken]  # (W, D)
            self._append(wanted, added, moments[taken])
            nearer = (vectors[wanted] - added[:, None]).norm(dim=2)
            distance[wanted] = torch.minimum(distance[wanted], nearer)
            distance[wanted, taken] = 0

    def _append(self, places: Tensor, vectors: Tensor, moments: Tensor) -> None:
        slots = self.counts[places]
        if len(slots) and int(slots.max()) >= self.exemplars.shape[1]:
            self._grow()
        self.exemplars[places, slots] = vectors
        self.moments[places, slots] = moments.int()
        self._norms[places, slots] = vectors.square().sum(1)
        self.counts[places] += 1

    def _grow(self) -> None:
        places, slots, size = self.exemplars.shape
        more = max(64, slots // 2)
        more = min(more, self.capacity - slots)
        self.exemplars = torch.cat([self.exemplars, torch.zeros(places, more, size)], 1)
        self.moments = torch.cat([self.moments, torch.zeros(places, more, dtype=torch.int32)], 1)
        self._norms = torch.cat([self._norms, torch.full((places, more), float("inf"))], 1)

    def _thin_full(self, places: Tensor) -> None:
        full = places[self.counts[places] >= self.capacity]
        if not len(full):
            return
        count = round(KEPT_WHEN_FULL * self.capacity)
        kept, radius = _farthest_apart(self.exemplars[full], count)
        rows = full[:, None]
        exemplars, moments = self.exemplars[rows, kept], self.moments[rows, kept]
        self._norms[full] = float("inf")
        self.exemplars[full, :count], self.moments[full, :count] = exemplars, moments
        self._norms[full, :count] = exemplars.square().sum(2)
        self.counts[full] = count
        self.radius[full] = torch.maximum(self.radius[full], radius)

    def copy(self) -> "Memory":
        """Return a copy that can be added to by itself."""
        found = Memory(len(self.counts), self.exemplars.shape[2], self.capacity, self.radius)
        found.exemplars, found.moments = self.exemplars.clone(), self.moments.clone()
        found.counts, found._norms = self.counts.clone(), self._norms.clone()
        return found

    def arrays(self, name: str = "memory") -> dict[str, Tensor]:
        """Return the tensors to store. name: the beginning of their names."""
        most = int(self.counts.max()) if len(self.counts) else 0
        return {
            f"{name}.exemplars": self.exemplars[:, :most].half(),
            f"{name}.moments": self.moments[:, :most],
            f"{name}.counts": self.counts,
            f"{name}.radius": self.radius,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any], capacity: int, name: str = "memory") -> "Memory":
        """Return the memory whose `arrays` were stored. Raises KeyError or ValueError for damaged ones."""
        exemplars, counts = (
            torch.as_tensor(arrays[f"{name}.exemplars"]).float(),
            torch.as_tensor(arrays[f"{name}.counts"]),
        )
        moments, radius = (torch.as_tensor(arrays[f"{name}.{part}"]) for part in ("moments", "radius"))
        shapes = moments.shape, counts.shape, radius.shape
        if exemplars.ndim != 3 or shapes != (exemplars.shape[:2], exemplars.shape[:1], exemplars.shape[:1]):
            raise ValueError("the memory's parts do not belong together")
        if not torch.isfinite(exemplars).all() or (counts < 0).any() or (counts > exemplars.shape[1]).any():
            raise ValueError("the memory holds values that are no numbers")
        places, slots, size = exemplars.shape
        memory = cls(places, size, max(capacity, slots), radius)
        memory.exemplars, memory.moments, memory.counts = exemplars, moments.int(), counts.long()
        free = torch.arange(slots)[None] >= counts[:, None]
        memory._norms = exemplars.square().sum(2).masked_fill(free, float("inf"))
        return memory


def _farthest_apart(vectors: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Choose vectors of (P, N, D) that lie far apart: the first, then always the farthest from those chosen.

    Returns their numbers, (P, count), and the greatest distance of any other vector to a chosen one, (P,).
    """
    places = torch.arange(len(vectors))
    kept = torch.zeros(len(vectors), count, dtype=torch.int64)
    norms = vectors.square().sum(2)
    distance = norms.new_full(norms.shape, float("inf"))  # squared
    for position in range(count):
        if position:
            kept[:, position] = distance.argmax(1)
        chosen = vectors[places, kept[:, position]]  # (P, D)
        to_chosen = norms - 2 * torch.bmm(vectors, chosen[:, :, None])[:, :, 0] + chosen.square().sum(1)[:, None]
        distance = torch.minimum(distance, to_chosen)
    return kept, distance.amax(1).clamp(min=0).sqrt()


def noise_radius(vectors: Tensor) -> Tensor:
    """Return the distance of neighbouring moments at each place when nothing happens, (P,).

    vectors: (P, N, D), of neighbouring moments in order. The distance is one that nine in ten steps stay within.
    """
    if vectors.shape[1] < 2:
        return torch.zeros(len(vectors))
    steps = (vectors[:, 1:] - vectors[:, :-1]).norm(dim=2)
    return torch.quantile(steps, STEPS_WITHIN, dim=1)
