"""The places of a picture: square windows, half overlapping, each compared with normal footage by itself."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

SMALL_PX = 128  # pictures whose shorter side is no longer get windows of 16 px, larger ones of 32


@dataclass(frozen=True)
class PlaceGrid:
    """A grid of windows that covers a picture.

    height_px, width_px: of the picture, multiples of 16. window_px: the side of a window; the next begins half a window
    further.
    """

    height_px: int
    width_px: int
    window_px: int

    @classmethod
    def of_size(cls, height_px: int, width_px: int) -> "PlaceGrid":
        """Return the grid of a picture of this size.

        >>> PlaceGrid.of_size(64, 128).shape, PlaceGrid.of_size(256, 256).shape
        ((7, 15), (15, 15))
        """
        return cls(height_px, width_px, 16 if min(height_px, width_px) <= SMALL_PX else 32)

    @property
    def stride_px(self) -> int:
        """The distance from one window to the next."""
        return self.window_px // 2

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and columns of windows."""
        rows, columns = ((size - self.window_px) // self.stride_px + 1 for size in (self.height_px, self.width_px))
        return max(1, rows), max(1, columns)

    @property
    def count(self) -> int:
        """The number of windows."""
        rows, columns = self.shape
        return rows * columns

    def pooled(self, images: Tensor, scale: int = 1) -> Tensor:
        """Return the mean of each window, (N, C, rows, columns). images: (N, C, H / scale, W / scale)."""
        return F.avg_pool2d(images, self.window_px // scale, self.stride_px // scale)

    def mean_of(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mean of each window, (rows, columns). picture: (H, W)."""
        found: NDArray[np.float32] = self.pooled(torch.from_numpy(picture)[None, None])[0, 0].numpy()
        return found

    def without(self, ignored: NDArray[np.bool_] | None, measures: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return measures of places, (..., P), with 0 where a window touches ignored pixels.

        ignored: (H, W), True for ignored pixels; None if none are.
        """
        if ignored is None:
            return measures
        is_touched = self.mean_of(ignored.astype(np.float32)).reshape(-1) > 0
        return np.where(is_touched, np.float32(0), measures)

    def to_map(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return values of places, (rows, columns), as a smooth picture, (H, W)."""
        down, across = self._weights
        return (down @ values @ across.T).astype(np.float32, copy=False)

    @cached_property
    def _weights(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rows, columns = self.shape
        return self._interpolation(self.height_px, rows), self._interpolation(self.width_px, columns)

    def _interpolation(self, size_px: int, count: int) -> NDArray[np.float32]:
        """Return the weights of the windows' values at each pixel, (size_px, count).

        They are linear between the windows' centres.
        """
        position = (np.arange(size_px) + 0.5 - self.window_px / 2) / self.stride_px
        distance = np.abs(position.clip(0, count - 1)[:, None] - np.arange(count))
        return (1 - distance).clip(0).astype(np.float32)

    def centre_of(self, weights: NDArray[np.float32]) -> tuple[float, float]:
        """Return the weighted centre of places: across and down, in shares of the picture.

        weights: (P,), some above 0.

        >>> PlaceGrid.of_size(64, 128).centre_of(np.ones(105, np.float32))
        (0.5, 0.5)
        """
        rows, columns = self.shape
        by_place = weights.reshape(rows, columns) / weights.sum()
        across, down = by_place.sum(0) @ np.arange(columns), by_place.sum(1) @ np.arange(rows)
        half, stride = self.window_px / 2, self.stride_px
        return (
            round(float(across * stride + half) / self.width_px, 3),
            round(float(down * stride + half) / self.height_px, 3),
        )

    def window(self, place: int) -> tuple[slice, slice]:
        """Return the rows and columns of pixels of a window, by its number in row-major order."""
        row, column = divmod(place, self.shape[1])
        top, left = row * self.stride_px, column * self.stride_px
        return slice(top, top + self.window_px), slice(left, left + self.window_px)

    def share_box(self, place: int) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom of a window, in shares of the picture.

        place: the number of the window in row-major order.
        """
        down, across = self.window(place)
        left, right = across.start / self.width_px, across.stop / self.width_px
        return left, down.start / self.height_px, right, down.stop / self.height_px
