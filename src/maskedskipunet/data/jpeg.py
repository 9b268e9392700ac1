"""Frames as JPEG in memory: a twentieth of their size, for what is kept in case it is wanted."""

from io import BytesIO

import numpy as np
import PIL.Image

from maskedskipunet.data.frames import Image

QUALITY = 90


def to_jpeg(image: Image) -> bytes:
    """Return a frame, uint8 (H, W, 3), RGB, as a JPEG file."""
    file = BytesIO()
    PIL.Image.fromarray(image).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def from_jpeg(content: bytes) -> Image:
    """Decode an image from to_jpeg, with small losses."""
    with PIL.Image.open(BytesIO(content), formats=("JPEG",)) as picture:
        return np.asarray(picture.convert("RGB"))
