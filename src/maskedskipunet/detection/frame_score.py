"""The score of one frame, with its map and the readings of cues."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.detection.reading import CueReading


@dataclass(frozen=True, slots=True)
class FrameScore:
    """The score of one frame: how anomalous it is.

    index, time_s: of the frame. score: higher is more anomalous; None if no clip is centred on it: at the beginning and
    the end, as far as half a clip reaches, and where a frame of its clip is bad. map: float32 (H, W), the score map at
    the network's size, and reconstruction: uint8 (C, H, W), both None if not asked for or where there is no score.
    cues: the score of each cue that judged the frame, by its name; empty if the network alone does. readings: of the
    cues, for the reason of an alarm, likewise. looks: (P,), the rarity of each place's appearance now, by the
    appearance cue; None if there is none.
    """

    index: int
    time_s: float
    score: float | None
    map: NDArray[np.float32] | None = None
    reconstruction: NDArray[np.uint8] | None = None
    cues: Mapping[str, float] = field(default_factory=dict)
    readings: Mapping[str, CueReading] = field(default_factory=dict)
    looks: NDArray[np.float32] | None = field(default=None, compare=False)

    @property
    def seen(self) -> NDArray[np.float32] | None:
        """The map that drift is measured on: how rare places look, or else the score map."""
        return self.map if self.looks is None else self.looks
