"""Pixel-level figures: score maps compared with masks.

A map's pixel stands for the source's pixels whose centres lie in it. Maps have 16 bits, so a count a value holds a
whole data set's pixels, and the figures are exact for maps as stored.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.errors import ShapeError
from maskedskipunet.evaluation.maps import LEVELS, Map, enlarged
from maskedskipunet.evaluation.ranking import Ranking, area_under_roc, equal_error_rate

DETECTED_SHARE = (2, 5)  # the 40 % of UCSD's authors


class PixelCounts:
    """Counts pixels and judges frames as maps and masks come; memory does not depend on how many there are."""

    def __init__(self) -> None:
        self.anomalous = np.zeros(LEVELS, np.int64)
        self.normal = np.zeros(LEVELS, np.int64)
        self._labels: list[int] = []
        self._scores: list[int] = []

    def add(self, score_map: Map, mask: NDArray[np.bool_]) -> None:
        """Add one frame. mask: (H, W) of the source, True where anomalous."""
        if mask.ndim != 2 or not mask.size:
            raise ShapeError(f"a mask of shape {mask.shape}", cure="Use (H, W)")
        shown = enlarged(score_map, *mask.shape)
        anomalous = np.bincount(shown[mask], minlength=LEVELS)
        self.anomalous += anomalous
        self.normal += np.bincount(shown.ravel(), minlength=LEVELS) - anomalous
        self._labels.append(int(mask.any()))
        self._scores.append(detection_score(shown, mask))

    def figures(self) -> dict[str, Any]:
        """Return a key a protocol, ready for JSON; None if there is one class only.

        pixel_auc: over all pixels of all frames with a map. pixel_40_auc, pixel_40_eer: over frames by the 40 %
        criterion.
        """
        pixels = area_under_roc(self.anomalous[None].astype(np.float64), self.normal[None].astype(np.float64))[0]
        frames = Ranking(np.array(self._labels, np.uint8), np.array(self._scores, np.float64))
        return {
            "pixel_auc": None if np.isnan(pixels) else float(pixels),
            "pixel_40_auc": frames.figure(area_under_roc),
            "pixel_40_eer": frames.figure(equal_error_rate),
            "frames_with_map": len(self._labels),
            "frames_with_anomalous_pixels": sum(self._labels),
        }


def detection_score(shown: Map, mask: NDArray[np.bool_]) -> int:
    """Return the highest threshold at which a frame counts as positive by the 40 % criterion.

    An anomalous frame does once at least 40 % of its anomalous pixels reach the threshold (a hit), a normal frame once
    any pixel does (a false alarm).
    """
    anomalous = shown[mask]
    if not anomalous.size:
        return int(shown.max())
    share, of = DETECTED_SHARE
    needed = -(-share * anomalous.size // of)
    return int(np.partition(anomalous, anomalous.size - needed)[anomalous.size - needed])
