"""Frames as JPEG in memory: a twentieth of their size, for what is kept in case it is wanted."""

from io import BytesIO

import numpy as np
import PIL.Image

from maskedskipunet.data.frames import Image

QUALITY = 90
SMALL_QUALITY = 75  # of a picture that the next one follows within a second


def to_jpeg(image: Image) -> bytes:
    """Return a frame, uint8 (H, W, 3), RGB, as a JPEG file."""
    file = BytesIO()
    PIL.Image.fromarray(image).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def from_jpeg(content: bytes) -> Image:
    """Decode an image from to_jpeg, with small losses."""
    with PIL.Image.open(BytesIO(content), formats=("JPEG",)) as picture:
        return np.asarray(picture.convert("RGB"))


def smaller_jpeg(content: bytes, longest_px: int) -> bytes:
    """Return a JPEG file at a size of which neither side is longer than this; one that is small enough as it is."""
    with PIL.Image.open(BytesIO(content), formats=("JPEG",)) as picture:
        if max(picture.size) <= longest_px:
            return content
        picture.draft("RGB", (longest_px, longest_px))  # decodes at half, a quarter or an eighth of the size
        smaller = picture.convert("RGB")
        smaller.thumbnail((longest_px, longest_px))
        file = BytesIO()
        smaller.save(file, "JPEG", quality=SMALL_QUALITY)
    return file.getvalue()
