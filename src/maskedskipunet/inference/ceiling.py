"""The rate at which this machine multiplies large matrices: nothing else that it computes is faster."""

import time

import torch


def matrix_flops_per_s(size: int = 1024, repeats: int = 5) -> float:
    """Return the rate this machine multiplies large matrices at, float32."""
    left = torch.rand(size, size, generator=torch.Generator())  # the caller's random state is left as it was
    left @ left
    best_s = min(_seconds(left) for _ in range(repeats))
    return float(2.0 * size**3 / best_s)


def _seconds(matrix: torch.Tensor) -> float:
    began_s = time.perf_counter()
    matrix @ matrix
    return time.perf_counter() - began_s
