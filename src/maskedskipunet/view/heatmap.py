"""Error maps as pictures: their colours, and a map glowing over the frame it belongs to."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageChops

from maskedskipunet.data.frames import Image
from maskedskipunet.errors import ConfigError, ShapeError
from maskedskipunet.view.matplotlib_defaults import load_matplotlib

BRIGHTNESS = 0.5
"""What is left of a picture's brightness under a map: dim enough that the map's colours are the brightest thing."""


HATCH_PX, HATCH_LINE_PX = 8, 3

FADING = [round(255 * (1 - (level / 255) ** 1.5)) for level in range(256)]
"""How much of the picture is seen through the map at each of its levels, 255 all of it.

The power keeps a picture readable where its errors are small, and is about the lowest at which the map's colours
gain at every level at least what a white place loses: with a straight line, small errors there look darker than none.
"""


def colour_map(values: NDArray[np.floating[Any]]) -> Image:
    """Return colours of a perceptually uniform map (inferno), from black over red to pale yellow.

    values: (H, W), 0 to 1; what lies outside is clipped, NaN counts as 0.
    Returns uint8 (H, W, 3).

    >>> colour_map(np.array([[0.0, 1.0]])).tolist()
    [[[0, 0, 4], [252, 255, 164]]]
    """
    return _table()[_levels(values)]


def overlay(image: Image, errors: NDArray[np.floating[Any]], scale: float) -> Image:
    """Return an error map, resized bilinearly, glowing over a dimmed grey version of its frame.

    image: uint8 (H, W, 3). errors: (h, w), any size; NaN counts as 0. scale: the error that is shown in full.
    Returns uint8 (H, W, 3). The map's opacity grows with the error: at 0 the grey picture is left as it is, at
    `scale` the map hides it. Over any picture a larger error is brighter.
    Raises ShapeError for an array of another rank, ConfigError for a scale that is not above 0.
    """
    if image.ndim != 3 or image.shape[2] != 3 or errors.ndim != 2 or not errors.size:
        raise ShapeError(f"an error map of shape {errors.shape} over a picture of shape {image.shape}")
    if not (np.isfinite(scale) and scale > 0):
        raise ConfigError(f"an error scale of {scale}", "scale", "Use a number above 0, such as a high percentile")
    height_px, width_px = image.shape[:2]
    levels = Picture.fromarray(_levels(errors / scale))
    if levels.size != (width_px, height_px):
        levels = levels.resize((width_px, height_px), Picture.Resampling.BILINEAR)
    grey = Picture.fromarray(image).convert("L").point([round(BRIGHTNESS * value) for value in range(256)])
    seen = ImageChops.multiply(grey, levels.point(FADING))
    glow = Picture.fromarray(_glow()[np.asarray(levels)])
    return np.asarray(ImageChops.add(Picture.merge("RGB", (seen, seen, seen)), glow))


def resized_map(score_map: NDArray[np.floating[Any]], *, height_px: int, width_px: int) -> NDArray[np.float32]:
    """Return a score map, (h, w), at another size, (height_px, width_px), bilinearly.

    Raises ShapeError for what is no map.
    """
    if score_map.ndim != 2 or not score_map.size:
        raise ShapeError(f"a score map of shape {score_map.shape}", cure="Use (height, width)")
    picture = Picture.fromarray(score_map.astype(np.float32))
    return np.array(picture.resize((width_px, height_px), Picture.Resampling.BILINEAR), np.float32)


def dimmed(image: Image, ignored: NDArray[np.bool_] | None) -> Image:
    """Return a picture with its ignored part hatched, so that nobody looks for errors there.

    >>> dimmed(np.full((1, 9, 3), 200, np.uint8), np.ones((1, 9), np.bool_))[0, :, 0].tolist()
    [100, 100, 200, 200, 200, 200, 200, 100, 100]
    """
    if ignored is None:
        return image
    rows, columns = np.ogrid[: ignored.shape[0], : ignored.shape[1]]
    lines = ignored & ((rows + columns + 1) % HATCH_PX < HATCH_LINE_PX)
    return np.where(lines[..., None], image // 2, image)


def _levels(values: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    levels: NDArray[np.uint8] = np.rint(np.clip(np.nan_to_num(values, nan=0.0), 0.0, 1.0) * 255).astype(np.uint8)
    return levels


@cache
def _table() -> NDArray[np.uint8]:
    load_matplotlib()
    from matplotlib import colormaps

    table: NDArray[np.uint8] = np.rint(colormaps["inferno"](np.arange(256))[:, :3] * 255).astype(np.uint8)
    table.setflags(write=False)
    return table


@cache
def _glow() -> NDArray[np.uint8]:
    """Return the map's colours as light that is added to the picture; nothing at all at 0."""
    glow: NDArray[np.uint8] = _table() - np.minimum(_table(), _table()[0])
    glow.setflags(write=False)
    return glow
