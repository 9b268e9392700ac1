"""Images of 16 bits a channel: their numbers as stored, and how many of the bits are in use."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

FULL_BITS = 16
_USUAL_BITS = (8, 12)  # what cameras put into 16 bits; what is between is brought to the next one up
_NATIVE = "L" if sys.byteorder == "little" else "B"
_OTHER_BYTE = {"B": "L", "L": "B"}


def is_deep(picture: PIL.Image.Image) -> bool:
    """Return whether an image that is opened and not yet loaded holds 16 bits a channel."""
    return picture.mode.startswith("I;16") or _colour_order(picture) is not None


def deep_values(path: Path, picture: PIL.Image.Image) -> NDArray[np.uint16]:
    """Return the numbers of a deep image that is opened and not yet loaded: uint16, (H, W) or (H, W, C)."""
    order = _colour_order(picture)
    if order is None:
        return np.asarray(picture).astype(np.uint16)
    # Pillow has no 16-bit colours and keeps the upper byte alone: read in the other order, it keeps the lower one.
    with PIL.Image.open(path, formats=[str(picture.format)]) as again:
        again.tile = [tile._replace(args=_other_order(tile.args, order)) for tile in again.tile]
        lower = np.asarray(again).astype(np.uint16)
    values: NDArray[np.uint16] = np.left_shift(np.asarray(picture).astype(np.uint16), 8, dtype=np.uint16) | lower
    return values


def used_bits(largest: int) -> int:
    """Return the bits in use, 8, 12 or 16, for a largest value.

    >>> used_bits(4000)
    12
    """
    return next((bits for bits in _USUAL_BITS if largest < 1 << bits), FULL_BITS)


def eight_bits(values: NDArray[np.uint16], bits: int) -> NDArray[np.uint8]:
    """Return the upper 8 of so many bits in use; a number beyond them is white."""
    upper: NDArray[np.uint8] = np.minimum(values >> (bits - 8), 255).astype(np.uint8)
    return upper


def _colour_order(picture: PIL.Image.Image) -> str | None:
    """Return which byte comes first in 16-bit colours, B or L; None of other images."""
    tiles = getattr(picture, "tile", None)  # of images from files alone
    raw = _raw_mode(tiles[0].args) if tiles else ""
    if ";16" not in raw or picture.mode not in ("RGB", "RGBA"):
        return None
    return _NATIVE if raw[-1] == "N" else raw[-1]


def _raw_mode(args: Any) -> str:
    raw = args[0] if isinstance(args, tuple) and args else args
    return raw if isinstance(raw, str) else ""


def _other_order(args: Any, order: str) -> Any:
    raw = _raw_mode(args)[:-1] + _OTHER_BYTE.get(order, order)
    return (raw, *args[1:]) if isinstance(args, tuple) else raw
