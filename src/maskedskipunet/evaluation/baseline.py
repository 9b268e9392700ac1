"""A baseline: frame differencing, scored like the network."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

PATCH_PX = 16


def largest_patch_mean(errors: NDArray[np.floating]) -> float:
    """Return the largest mean of a 16x16 patch, on the patch grid and on the grid shifted by 8 inside the frame.

    errors: (H, W), multiples of 16. The same rule as the network's frame score, in numpy.
    """
    half = PATCH_PX // 2
    grids = (errors, errors[half:-half, half:-half])
    return max(float(_patch_means(grid).max()) for grid in grids if grid.size)


def frame_differences(images: Iterable[NDArray[np.uint8]]) -> Iterator[float]:
    """Return, for each image, the largest patch mean of its distance to the one before; NaN for the first.

    images: uint8 (C, H, W). The distance is the L2 norm over channels, in [0, sqrt(C)].
    """
    before: NDArray[np.float64] | None = None
    for image in images:
        present = image.astype(np.float64) / 255
        yield np.nan if before is None else largest_patch_mean(np.linalg.norm(present - before, axis=0))
        before = present


def _patch_means(errors: NDArray[np.floating]) -> NDArray[np.floating]:
    height, width = errors.shape
    patches = errors.reshape(height // PATCH_PX, PATCH_PX, width // PATCH_PX, PATCH_PX)
    means: NDArray[np.floating] = patches.mean(axis=(1, 3))
    return means
