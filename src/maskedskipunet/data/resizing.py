"""Frames at the size and with the channels that a network looks at."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from maskedskipunet.data.frames import Image


def network_frame(image: Image, *, height_px: int, width_px: int, channels: int) -> NDArray[np.uint8]:
    """Resize as the publication does: bilinear with antialiasing, on 8-bit RGB.

    image: uint8 (H, W, 3). Returns uint8 (channels, height_px, width_px): RGB, or its luma (ITU-R 601-2) for 1.
    """
    resized = resize_image(image, height_px=height_px, width_px=width_px)
    if channels == 1:
        return np.asarray(PillowImage.fromarray(resized).convert("L"))[None]
    return np.ascontiguousarray(resized.transpose(2, 0, 1))


def resize_image(image: Image, *, height_px: int, width_px: int) -> Image:
    """Resize uint8 (H, W, 3) to uint8 (height_px, width_px, 3), bilinear with antialiasing."""
    if image.shape[:2] == (height_px, width_px):
        return image
    resized = PillowImage.fromarray(image).resize((width_px, height_px), PillowImage.Resampling.BILINEAR)
    return np.asarray(resized)
