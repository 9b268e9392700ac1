"""Parts of the picture to ignore, from what a person names to what a model keeps."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from maskedskipunet.data.mask_images import marked, mask_pixels
from maskedskipunet.data.sources import Source
from maskedskipunet.detection.regions import Region, covering_boxes, is_shape, region_mask
from maskedskipunet.errors import ConfigError, LabelError
from maskedskipunet.inference.ignoring import IgnoredParts
from maskedskipunet.model.config import InputFormat


def also_ignoring(how: InputFormat, shapes: Sequence[str], where: str) -> InputFormat:
    """What a network looks at, without these parts too.

    shapes: boxes, polygons or paths of mask images. where: the option or setting that names them, for errors.
    Raises ConfigError for what is no shape, and where nothing is left to look at.
    """
    if not shapes:
        return how
    known = [str(region) for shape in shapes for region in _regions(shape, where)]
    wider = replace(how, ignore=tuple(dict.fromkeys((*how.ignore, *known))))
    relative = [region for region in (Region.read(shape, where) for shape in wider.ignore) if region.in_percent]
    size_px = how.height_px, how.width_px
    if region_mask(relative, *size_px).all():
        raise ConfigError("all of the picture is ignored, nothing is left to look at", where, "Ignore less")
    return wider


def for_keeping(how: InputFormat, sources: Iterable[Source], where: str) -> InputFormat:
    """The same with all shapes in percent, as a model keeps them.

    sources: footage whose pixels shapes are in. Raises ConfigError where pixels mean several things, a shape lies
    outside, or nothing is left to look at; DataError for footage that cannot be read.
    """
    regions = [Region.read(shape, where) for shape in how.ignore]
    if all(region.in_percent for region in regions):
        return how
    sizes = sorted({(info.height_px, info.width_px) for info in (source.probe() for source in sources)})
    if len(sizes) > 1:
        told = " and ".join(f"{width_px}x{height_px}" for height_px, width_px in sizes[:2])
        raise ConfigError(f"pixels have no one meaning in frames of {told}", where, "Write the shapes in percent")
    for size_px in sizes:
        IgnoredParts(how.ignore, how.height_px, how.width_px).mask(*size_px)
        regions = [region.of_frames(*size_px) for region in regions]
    return replace(how, ignore=tuple(str(region) for region in regions))


def _regions(shape: str, where: str) -> list[Region]:
    if is_shape(shape):
        return [Region.read(shape, where)]
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
