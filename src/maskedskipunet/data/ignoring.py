"""Replaces ignored pixels by a uniform grey."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

GREY = 128


def painted(pixels: NDArray[np.uint8], ignored: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return a copy of frames at the network's size with ignored pixels grey.

    pixels: uint8 (…, H, W). ignored: (H, W).
    """
    return np.where(ignored, np.uint8(GREY), pixels)


def resized_mask(ignored: NDArray[np.bool_], *, height_px: int, width_px: int) -> NDArray[np.bool_]:
    """Return the pixels of a resized frame that any ignored pixel contributes to.

    ignored: (H, W), of the source's size. Returns (height_px, width_px). Frames are resized by the same filter (see
    `network_frame`), so that what lies in an ignored pixel reaches none of the others.
    """
    if ignored.shape == (height_px, width_px):
        return ignored
    parts = PillowImage.fromarray(ignored.astype(np.float32))
    resized = parts.resize((width_px, height_px), PillowImage.Resampling.BILINEAR)
    return np.asarray(resized) > 0
