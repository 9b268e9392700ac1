"""A frame as networks and cues see it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.frames import Frame
from maskedskipunet.data.ignoring import painted

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SizedFrame:
    """A frame and its pixels as the network sees them.

    frame: its own image is there only where something wants it. pixels: uint8 (C, H, W), grey where it is ignored;
    None for a bad frame, or one that no clip is wanted of. is_target: whether the clip centred on it is wanted.
    ignored: (H, W), where nothing is looked at; None for nowhere.
    """

    frame: Frame
    pixels: Pixels | None
    is_target: bool = True
    ignored: Mask | None = None

    @classmethod
    def ignoring(cls, frame: Frame, pixels: Pixels, ignored: Mask | None, *, is_target: bool = True) -> "SizedFrame":
        """Return a frame with ignored pixels grey."""
        return cls(frame, pixels if ignored is None else painted(pixels, ignored), is_target, ignored)
