"""Some pictures as one still picture."""

from collections.abc import Sequence

import numpy as np
from PIL import Image as Picture

from maskedskipunet.data.frames import Image
from maskedskipunet.errors import ShapeError
from maskedskipunet.view.comparison_drawing import DARK
from maskedskipunet.view.comparison_layout import Box


def film_strip(pictures: Sequence[Image], *, columns: int = 2, width_px: int = 1920, gap_px: int = 16) -> Image:
    """Return some pictures of one size as one still picture, row by row.

    pictures: uint8 (H, W, 3), at least one. columns: how many side by side. width_px: of the whole.
    Returns uint8 (h, width_px, 3). Raises ShapeError when there is none or their sizes differ.
    """
    shapes = {picture.shape for picture in pictures}
    if len(shapes) != 1 or columns < 1:
        raise ShapeError(f"a film strip of {len(pictures)} pictures of {len(shapes)} shapes in {columns} columns")
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    height, width, _ = shapes.pop()
    wide = (width_px - (columns - 1) * gap_px) // columns
    tall = max(round(wide * height / width), 1)
    strip = np.array(Picture.new("RGB", (width_px, rows * (tall + gap_px) - gap_px), DARK.paper))
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        cell = Box(row * (tall + gap_px), column * (wide + gap_px), tall, wide)
        resized = Picture.fromarray(picture).resize((wide, tall), Picture.Resampling.LANCZOS)
        cell.of(strip)[:] = np.asarray(resized)
    return strip
