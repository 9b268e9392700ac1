"""Small pictures made large enough to see something in."""

import numpy as np
from PIL import Image as Picture

from maskedskipunet.data.frames import Image
from maskedskipunet.detection.boxes import Box

READABLE_PX = 360  # of height; what is lower is enlarged as long as it stays below
LARGEST_SCALE = 16


def readable_scale(height_px: int) -> int:
    """Return the whole number by which pictures of a height are enlarged to be shown.

    >>> readable_scale(64), readable_scale(240), readable_scale(1080)
    (5, 1, 1)
    """
    return min(max(1, READABLE_PX // height_px), LARGEST_SCALE)


def enlarged(image: Image, scale: int) -> Image:
    """Return a picture, uint8 (H, W, 3), at a whole multiple of its size; the same one at scale 1."""
    if scale == 1:
        return image
    height_px, width_px = image.shape[:2]
    size = (scale * width_px, scale * height_px)
    return np.asarray(Picture.fromarray(image).resize(size, Picture.Resampling.BICUBIC))


def resized(image: Image, height_px: int, width_px: int) -> Image:
    """Return a picture, uint8 (H, W, 3), at another size; unchanged if it has that size."""
    if image.shape[:2] == (height_px, width_px):
        return image
    return np.asarray(Picture.fromarray(image).resize((width_px, height_px), Picture.Resampling.BICUBIC))


def enlarged_box(box: Box, scale: int) -> Box:
    """Return the position of a box in the enlarged picture."""
    x, y, width, height = box
    return scale * x, scale * y, scale * width, scale * height
