"""One frame of a video, and what reading one may do when it is bad."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # (H, W, 3), RGB, 0 to 255

OnBadFrame = Literal["skip", "stop"]
"""`stop` refuses a source at its first bad frame; `skip` goes on and leaves a hole there."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One image of a video.

    index: its place in the source, from 0. time_s: seconds since the source's first frame.
    image: uint8 (H, W, 3), RGB; None if the frame could not be decoded and was skipped, or is missing among
    images: it keeps its index, so that scores and labels stay aligned, and no clip spans it.
    """

    index: int
    time_s: float
    image: Image | None


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Information about a source, available before its frames are decoded.

    frame_count: frames that can be read, of images those that are missing among them too. height_px, width_px: size
    of its frames. frame_rate: frames a second, None if the source states none (folders of images).
    missing: (first, last) index of frames that have no image. unplaced: why frame numbers that others state cannot be
    placed here, a clause; empty if they can. notes: what a person should know of the source, a line each.
    """

    frame_count: int
    height_px: int
    width_px: int
    frame_rate: float | None
    missing: tuple[tuple[int, int], ...] = ()
    unplaced: str = ""
    notes: tuple[str, ...] = ()
