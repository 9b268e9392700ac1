"""Fuses the network's score and the scores of the cues into one score and one map."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.cues.cue import CueScore
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.tails import RAREST, Tails
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.detection.fusing import NORM, fused
from maskedskipunet.detection.reading import CUES, RECONSTRUCTION, CueReading

Floats = NDArray[np.float32]

HIGHEST = RAREST * len(CUES) ** (1 / NORM)  # the highest fused score


@dataclass(frozen=True)
class Fusion:
    """Fuses the surprises of the cues into one score, with `fused`.

    grid: the cues' places. reconstruction: tails of the network's own frame scores; None for a model without a network.
    The fused score is a surprise too: about -log10 of the share of normal frames as strange.
    """

    grid: PlaceGrid
    reconstruction: Tails | None

    def __call__(self, frame: FrameScore, cues: Mapping[str, CueScore]) -> FrameScore:
        """Return a frame with its fused score and map; without a score if the network has none for it."""
        if self.reconstruction is not None and frame.score is None:
            return frame
        judged = {name: cue for name, cue in cues.items() if cue.score is not None}
        scores = {name: float(cue.score) for name, cue in judged.items() if cue.score is not None}
        readings = {name: cue.reading for name, cue in judged.items() if cue.reading is not None}
        surprises = dict(scores)
        if self.reconstruction is not None and frame.score is not None:
            surprise = float(self.reconstruction.surprise(np.array([frame.score], np.float32))[0])
            surprises[RECONSTRUCTION], scores[RECONSTRUCTION] = surprise, frame.score
            readings[RECONSTRUCTION] = CueReading(surprise, self._reconstruction_box(frame.map))
        if not surprises:
            return frame
        score = float(fused([np.float32(surprise) for surprise in surprises.values()]))
        looks = next((cue.looks for cue in judged.values() if cue.looks is not None), None)
        return replace(frame, score=score, map=self._map(frame, judged), cues=scores, readings=readings, looks=looks)

    def _map(self, frame: FrameScore, judged: Mapping[str, CueScore]) -> Floats | None:
        if self.reconstruction is not None and frame.map is None:
            return None  # maps are not wanted
        layers = [
            self.grid.to_map(cue.places.reshape(self.grid.shape)) for cue in judged.values() if cue.places is not None
        ]
        if self.reconstruction is not None and frame.map is not None:
            layers.append(self._reconstruction_layer(frame.map))
        return fused(layers) if layers else None

    def _reconstruction_layer(self, errors: Floats) -> Floats:
        """Return surprise of the network's errors, averaged over patches as its frame score is, (H, W)."""
        assert self.reconstruction is not None
        patches = _patch_grid(self.grid)
        places = patches.mean_of(errors)
        return patches.to_map(self.reconstruction.surprise(places.reshape(-1, 1)).reshape(patches.shape))

    def _reconstruction_box(self, errors: Floats | None) -> tuple[float, float, float, float] | None:
        if errors is None:
            return None
        patches = _patch_grid(self.grid)
        return patches.share_box(int(patches.mean_of(errors).argmax()))


def _patch_grid(grid: PlaceGrid) -> PlaceGrid:
    """Return the grid of the published frame score: patches of 16 px."""
    return PlaceGrid(grid.height_px, grid.width_px, 16)
