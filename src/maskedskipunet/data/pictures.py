"""A frame as a picture file in memory, small enough to be kept or sent."""

import io

from PIL import Image as PillowImage

from maskedskipunet.data.frames import Image

QUALITY = 88


def jpeg(image: Image) -> bytes:
    """uint8 (H, W, 3) -> the bytes of a JPEG file of its size."""
    file = io.BytesIO()
    PillowImage.fromarray(image).save(file, "jpeg", quality=QUALITY)
    return file.getvalue()
