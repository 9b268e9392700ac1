"""The operations that an exported network is made of: one definition, computed by torch or written as a graph."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from torch import Tensor

V = TypeVar("V")
"""A value on its way through the network: a tensor, or the name of one in a graph."""


class Operations(Protocol[V]):
    """What an exported network may do: plain 2-D convolutions and little else, which every runtime knows.

    The first dimension of every value is open; the others are known.
    """

    def scaled(self, pixels: V) -> V:
        """uint8 in 0 to 255 -> float32 in [0, 1]."""
        ...

    def convolution(self, images: V, weight: Tensor, bias: Tensor, stride: int = 1) -> V:
        """(N, in, H, W) -> (N, out, H, W), "same" zero padding; with a stride of the kernel's size, no padding."""
        ...

    def relu(self, value: V) -> V: ...

    def sigmoid(self, value: V) -> V: ...

    def joined(self, values: Sequence[V], axis: int) -> V:
        """Concatenate."""
        ...

    def depth_to_space(self, images: V) -> V:
        """(N, 4C, H, W) -> (N, C, 2H, 2W), as torch's pixel_shuffle."""
        ...

    def reshaped(self, value: V, shape: Sequence[int]) -> V:
        """Reshape; the first of the shape is -1."""
        ...

    def permuted(self, value: V, order: Sequence[int]) -> V: ...

    def sliced(self, value: V, axis: int, start: int, stop: int) -> V: ...

    def padded(self, value: V, axis: int, count: int) -> V:
        """Add zeros before and after."""
        ...

    def painted(self, pixels: V, mask: Tensor, grey: int) -> V:
        """uint8 (N, H, W, C) with one value where the mask, bool (1, H, W, 1), is set."""
        ...

    def cleared(self, maps: V, mask: Tensor) -> V:
        """float32 (N, H, W) with zeros where the mask, bool (1, H, W), is set."""
        ...

    def distance(self, left: V, right: V, divisor: float) -> V:
        """The L2 norm over channels of the difference, divided: (N, C, H, W) -> (N, H, W)."""
        ...

    def patch_means(self, maps: V, size: int) -> V:
        """Means of neighbouring patches: (N, 1, H, W) -> (N, 1, H / size, W / size)."""
        ...

    def highest(self, images: V) -> V:
        """(N, 1, H, W) -> (N,)."""
        ...

    def larger(self, left: V, right: V) -> V: ...
