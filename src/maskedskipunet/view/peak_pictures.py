"""Small pictures of an event's peak: where it is anomalous, and what the network made of it."""

from dataclasses import dataclass
from functools import cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from maskedskipunet.data.jpeg import to_jpeg
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.view.heatmap import FADING, colour_map

LONGEST_PX = 320  # of either picture, whatever the camera's size
STEPS = 64  # of a heat map's levels: more cannot be told apart, and take twice the room
SHOWN_IN_FULL = 0.999  # the share of a map's pixels that its scale covers


@dataclass(frozen=True, slots=True)
class PeakPictures:
    """heat_map: a PNG file. reconstruction: a JPEG file; None if no network looked at the frame."""

    heat_map: bytes
    reconstruction: bytes | None = None


def peak_pictures(scored: FrameScore, top_score: float, *, height_px: int, width_px: int) -> PeakPictures | None:
    """Return pictures of what a model saw in a frame; None if its map was not asked for, or is empty.

    top_score: of the event whose peak it is. height_px, width_px: of its source.
    """
    size_px = {"height_px": height_px, "width_px": width_px}
    heat_map = None if scored.map is None else heat_map_png(scored.map, top_score, **size_px)
    if heat_map is None:
        return None
    rebuilt = None if scored.reconstruction is None else reconstruction_jpeg(scored.reconstruction, **size_px)
    return PeakPictures(heat_map, rebuilt)


def heat_map_png(score_map: NDArray[np.floating], top_score: float, *, height_px: int, width_px: int) -> bytes | None:
    """Return a score map as a PNG file in the shape of its source, transparent where it is 0.

    score_map: (h, w), at the network's size. top_score: the score of the frame, which is shown no brighter than in
    full. height_px, width_px: of the source; the picture is reduced to LONGEST_PX. Returns None for a map of zeros.
    """
    values = np.nan_to_num(score_map.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    scale = max(float(np.quantile(values, SHOWN_IN_FULL)), top_score)
    if not (np.isfinite(scale) and scale > 0 and values.max() > 0):
        return None
    levels = np.rint(np.clip(values / scale, 0.0, 1.0) * 255).astype(np.uint8)
    picture = Picture.fromarray(levels).resize(_size(height_px, width_px), Picture.Resampling.BILINEAR)
    stepped = picture.point([level * (STEPS - 1) // 255 for level in range(256)])
    colours, opacity = _palette()
    stepped.putpalette(colours)
    file = BytesIO()
    stepped.save(file, "PNG", transparency=opacity, optimize=True)
    return file.getvalue()


def reconstruction_jpeg(reconstruction: NDArray[np.uint8], *, height_px: int, width_px: int) -> bytes:
    """Return what the network made of a frame, uint8 (C, H, W), as a JPEG file in the shape of its source."""
    image = np.broadcast_to(reconstruction.transpose(1, 2, 0), (*reconstruction.shape[1:], 3))
    picture = Picture.fromarray(np.ascontiguousarray(image))
    return to_jpeg(np.asarray(picture.resize(_size(height_px, width_px), Picture.Resampling.BICUBIC)))


def _size(height_px: int, width_px: int) -> tuple[int, int]:
    """Return width and height, reduced or enlarged so that the longer is LONGEST_PX.

    >>> _size(1080, 1920), _size(32, 48), _size(1, 9999)
    ((320, 180), (320, 213), (320, 1))
    """
    scale = LONGEST_PX / max(height_px, width_px)
    return max(1, round(scale * width_px)), max(1, round(scale * height_px))


@cache
def _palette() -> tuple[bytes, bytes]:
    """Return the colours of the steps, and how much of what lies under the map each of them hides."""
    shares = np.arange(STEPS) / (STEPS - 1)
    colours = colour_map(shares[None])[0]
    return colours.tobytes(), bytes(255 - FADING[round(255 * share)] for share in shares)
