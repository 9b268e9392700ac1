"""Describes how each place of a picture looks, to compare it with everything normal that was seen there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.memory import Memory

Pixels = NDArray[np.uint8]

PATCH = 8  # pixels a side that a window is reduced to
COMPONENTS = 24  # numbers that describe a window
MEMORY_BYTES = 88_000_000  # of exemplars, as they lie in memory: some 95 with what belongs to them


@dataclass(frozen=True)
class Descriptor:
    """Describes each window of a picture by a few numbers: the principal components of its pixels at that place.

    mean: (P, D) and axes: (P, D, K) of windows reduced to PATCH x PATCH pixels, D = C * PATCH * PATCH.
    """

    grid: PlaceGrid
    mean: Tensor
    axes: Tensor

    @classmethod
    @torch.inference_mode()
    def fit(cls, frames: Pixels, grid: PlaceGrid) -> "Descriptor":
        """Fit the descriptor to a sample of normal frames, uint8 (N, C, H, W), that covers all hours."""
        parts = _parts(frames)
        mean = torch.stack([_patches(part, grid).sum(0) for part in parts]).sum(0) / len(frames)
        covariance = torch.zeros(*mean.shape, mean.shape[1])
        for part in parts:
            centred = (_patches(part, grid) - mean).transpose(0, 1)  # (P, N, D)
            covariance += centred.transpose(1, 2) @ centred / len(frames)
        # In double precision: single fails to converge where a place never changes.
        _, vectors = np.linalg.eigh(covariance.double().numpy())  # rising: the last are the largest
        axes = np.ascontiguousarray(vectors[:, :, : -COMPONENTS - 1 : -1], np.float32)
        return cls(grid, mean, torch.from_numpy(axes))

    @property
    def size(self) -> int:
        """The number of values that describe a window."""
        return int(self.axes.shape[2])

    @torch.inference_mode()
    def __call__(self, frames: Pixels) -> Tensor:
        """Return the descriptions of frames, (P, N, K). frames: uint8 (N, C, H, W)."""
        parts = [
            torch.bmm((_patches(part, self.grid) - self.mean).transpose(0, 1), self.axes) for part in _parts(frames)
        ]
        return torch.cat(parts, 1) if parts else torch.zeros(len(self.mean), 0, self.size)

    def arrays(self) -> dict[str, Tensor]:
        """Return the tensors to store."""
        return {"appearance.mean": self.mean, "appearance.axes": self.axes}

    @classmethod
    def from_arrays(cls, grid: PlaceGrid, arrays: Mapping[str, Any]) -> "Descriptor":
        """Return the descriptor whose `arrays` were stored. Raises KeyError or ValueError for damaged ones."""
        mean, axes = (torch.as_tensor(arrays[f"appearance.{name}"]) for name in ("mean", "axes"))
        if axes.ndim != 3 or mean.shape != axes.shape[:2] or len(mean) != grid.count:
            raise ValueError("the appearance of another grid")
        if not (torch.isfinite(mean).all() and torch.isfinite(axes).all()):
            raise ValueError("the appearance holds values that are no numbers")
        return cls(grid, mean, axes)


def new_memory(descriptor: Descriptor, radius: Tensor | None = None) -> Memory:
    """Return an empty memory for the vectors of a descriptor, as large as MEMORY_BYTES allows."""
    places = descriptor.grid.count
    return Memory(places, descriptor.size, max(64, MEMORY_BYTES // (4 * places * descriptor.size)), radius)


def _parts(frames: Pixels, together: int = 256) -> Sequence[Pixels]:
    return [frames[first : first + together] for first in range(0, len(frames), together)]


def _patches(frames: Pixels, grid: PlaceGrid) -> Tensor:
    """Return windows reduced to PATCH x PATCH pixels, (N, P, D), in [0, 1]. frames: uint8 (N, C, H, W)."""
    images = torch.from_numpy(np.array(frames)).float() / 255  # a copy: stored frames are read-only
    shrink = grid.window_px // PATCH
    small = F.avg_pool2d(images, shrink)
    return F.unfold(small, PATCH, stride=grid.stride_px // shrink).transpose(1, 2)
