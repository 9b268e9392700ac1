"""Parses descriptions of ignored regions, and makes masks of them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.ignoring import resized_mask
from maskedskipunet.data.mask_images import marked, mask_pixels
from maskedskipunet.data.sources import Source
from maskedskipunet.errors import ConfigError, DataError, LabelError
from maskedskipunet.input_format import InputFormat
from maskedskipunet.scoring.shapes import Region, covering_boxes, is_shape, region_mask

SIZES_KEPT = 4  # sizes of sources whose masks are kept: a stream seldom changes its size


class IgnoredRegions:
    """Regions of the picture that are not looked at, for sources of any size.

    regions: none where everything is looked at. height_px, width_px: of frames as the network sees them.
    """

    def __init__(self, regions: Sequence[Region], height_px: int, width_px: int) -> None:
        self.regions = tuple(regions)
        self._height_px, self._width_px = height_px, width_px
        self._masks: dict[tuple[int, int], NDArray[np.bool_]] = {}

    @classmethod
    def of(cls, input_format: InputFormat, where: str = "ignore") -> "IgnoredRegions":
        """Return the regions that an input format ignores. where: its origin, for errors. Raises ConfigError for a text
        that is no shape.
        """
        regions = [parsed(shape, where) for shape in input_format.ignore]
        return cls(regions, input_format.height_px, input_format.width_px)

    def mask(self, height_px: int, width_px: int) -> NDArray[np.bool_] | None:
        """Return the network's pixels that are ignored of a source of this size; None if nothing ever is.

        Raises DataError when nothing is left to look at, or a shape lies outside the source's frames.
        """
        if not self.regions:
            return None
        size = height_px, width_px
        mask = self._masks.get(size)
        if mask is None:
            mask = self._mask(*size)
            others = list(self._masks.items())[1 - SIZES_KEPT :]
            self._masks = {**dict(others), size: mask}  # in one step: sources share it, each in a thread of its own
        return mask

    def source_mask(self, height_px: int, width_px: int) -> NDArray[np.bool_] | None:
        """Return the source's own pixels that the shapes touch; None if nothing is ignored."""
        return region_mask(self.regions, height_px, width_px) if self.regions else None

    def _mask(self, height_px: int, width_px: int) -> NDArray[np.bool_]:
        whole = region_mask(self.regions, height_px, width_px)
        mask = resized_mask(whole, height_px=self._height_px, width_px=self._width_px)
        if mask.all():
            fault = f"all of its frames of {width_px}x{height_px} is ignored, nothing is left to look at"
            raise DataError(fault, "ignore", "Ignore less")
        return mask


def also_ignoring(input_format: InputFormat, shapes: Sequence[str], where: str) -> InputFormat:
    """Return an input format that ignores these shapes too.

    shapes: boxes, polygons or paths of mask images. where: the option or setting that names them, for errors. Raises
    ConfigError for a text that is no shape, and if the whole frame is ignored.
    """
    if not shapes:
        return input_format
    named = [str(region) for shape in shapes for region in _named_regions(shape, where)]
    wider = replace(input_format, ignore=tuple(dict.fromkeys((*input_format.ignore, *named))))
    relative = [region for region in IgnoredRegions.of(wider, where).regions if region.in_percent]
    if region_mask(relative, input_format.height_px, input_format.width_px).all():
        raise ConfigError("all of the picture is ignored, nothing is left to look at", where, "Ignore less")
    return wider


def in_percent(input_format: InputFormat, sources: Iterable[Source], where: str) -> InputFormat:
    """Return an input format with its shapes in percent, the form that a model stores.

    sources: footage that pixel coordinates refer to. Raises ConfigError if they are ambiguous, if a shape lies outside,
    or if the whole frame is ignored; DataError for footage that cannot be read.
    """
    ignored = IgnoredRegions.of(input_format, where)
    regions = ignored.regions
    if all(region.in_percent for region in regions):
        return input_format
    sizes = sorted({(info.height_px, info.width_px) for info in (source.probe() for source in sources)})
    if len(sizes) > 1:
        named = " and ".join(f"{width_px}x{height_px}" for height_px, width_px in sizes[:2])
        raise ConfigError(f"pixels have no one meaning in frames of {named}", where, "Write the shapes in percent")
    for size_px in sizes:
        ignored.mask(*size_px)
        regions = tuple(region.of_frames(*size_px) for region in regions)
    return replace(input_format, ignore=tuple(str(region) for region in regions))


def parsed(shape: str, where: str) -> Region:
    """Return the region that a text describes, in the form of `Region.read`. Raises ConfigError for a text that is no
    shape.
    """
    try:
        return _parse(shape)
    except ConfigError as error:
        raise ConfigError(error.what, where, error.cure) from None


@lru_cache(maxsize=1024)
def _parse(shape: str) -> Region:
    return Region.read(shape, "ignore")


def _named_regions(shape: str, where: str) -> list[Region]:
    """Return the regions of a text: a shape, or the path of a mask image."""
    if is_shape(shape):
        return [parsed(shape, where)]
    path = Path(shape)
    cure = "Name a picture that is white, or anything but black, where nothing is to be looked at"
    if not path.is_file():
        raise ConfigError(f"{shape!r} is neither a shape nor a mask image that is there", where, cure)
    try:
        mask = marked(mask_pixels(path), np.zeros(1))
    except LabelError as error:
        raise ConfigError(f"{shape}: {error.what}", where, cure) from error
    if not mask.any():
        raise ConfigError(f"{shape} is all black, so that nothing would be ignored", where, cure)
    return covering_boxes(mask)
