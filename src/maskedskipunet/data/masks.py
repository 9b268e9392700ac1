"""Ground truth of pixels: which of a frame's pixels are anomalous."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.images import read_image
from maskedskipunet.data.layouts import VideoItem, frame_masks


def read_masks(item: VideoItem) -> Iterator[NDArray[np.bool_]]:
    """One (H, W) mask a frame, in order, True where anomalous; none where the video has no masks.

    Raises DataError when a mask cannot be read.
    """
    for path in frame_masks(item):
        yield read_image(path)[..., 0] > 0
