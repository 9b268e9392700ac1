"""Which of a network's pixels are not looked at, for sources of any size."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.ignoring import resized_mask
from maskedskipunet.detection.regions import Region, region_mask
from maskedskipunet.errors import DataError


class IgnoredParts:
    """Shapes to ignore, as masks of the network's size.

    shapes: as `Region.read` takes them. height_px, width_px: of the network's frames. Raises ConfigError for what is
    no shape.
    """

    def __init__(self, shapes: Sequence[str], height_px: int, width_px: int) -> None:
        self._regions = [Region.read(shape, "ignore") for shape in shapes]
        self._height_px, self._width_px = height_px, width_px
        self._masks: dict[tuple[int, int], NDArray[np.bool_]] = {}

    def mask(self, height_px: int, width_px: int) -> NDArray[np.bool_] | None:
        """What is ignored of frames that come from a source of this size; None where nothing ever is.

        Raises DataError when nothing is left to look at, or a shape lies outside the source's frames.
        """
        if not self._regions:
            return None
        size = height_px, width_px
        if size not in self._masks:
            self._masks = {size: self._made(*size)}  # a stream that changes its size seldom changes it back
        return self._masks[size]

    def source_mask(self, height_px: int, width_px: int) -> NDArray[np.bool_] | None:
        """The same at the source's own size: what the shapes themselves touch."""
        return region_mask(self._regions, height_px, width_px) if self._regions else None

    def _made(self, height_px: int, width_px: int) -> NDArray[np.bool_]:
        whole = region_mask(self._regions, height_px, width_px)
        mask = resized_mask(whole, height_px=self._height_px, width_px=self._width_px)
        if mask.all():
            fault = f"all of its frames of {width_px}x{height_px} is ignored, nothing is left to look at"
            raise DataError(fault, "ignore", "Ignore less")
        return mask
