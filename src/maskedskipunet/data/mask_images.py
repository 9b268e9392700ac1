"""Masks as images: which pixels of them are background, and which are not."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from maskedskipunet.data.deep_images import deep_values, is_deep
from maskedskipunet.data.images import image_files, opened_image
from maskedskipunet.data.naming import natural_key
from maskedskipunet.errors import FrameError, LabelError

Pixels = NDArray[Any]
"""Pixels of a mask: (H, W) of numbers, or (H, W, 3) of colours in 0 to 255."""

_MOST = 0.75  # of the pixels: a colour other than black that has more is background, since anomalies are smaller
_SIDE_COUNTED = 24  # pixels a row or column, about: enough to tell what most pixels are
_LOSSY = ("JPEG", "WEBP")
_LOSS = 64  # of 255: what compression may add to black or take from white


@dataclass(frozen=True, slots=True)
class MaskImages(Sequence[Pixels]):
    """The images of masks of one clip as a sequence of pixels, each read when it is asked for."""

    files: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, index: int) -> Pixels: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Pixels]: ...
    def __getitem__(self, index: int | slice) -> Pixels | Sequence[Pixels]:
        return MaskImages(self.files[index]) if isinstance(index, slice) else mask_pixels(self.files[index])


def mask_files(folder: Path) -> list[Path]:
    """Return the mask images in a folder, in the order of the last numbers in their names.

    Some folders say 001.bmp, some frame001.bmp, so a name's letters are not looked at.
    Raises DataError when the folder cannot be listed.
    """
    return sorted(image_files(folder), key=_mask_number)


def mask_pixels(file: Path) -> Pixels:
    """Return the pixels of one mask, grey or colour, without rounding to 8 bits.

    What lossy compression leaves near black and near white is black and white. Raises LabelError when the image
    cannot be read.
    """
    try:
        with opened_image(file) as picture:
            if is_deep(picture):
                return deep_values(file, picture)
            return _shallow_pixels(picture)
    except FrameError as error:
        raise LabelError(error.what, error.where, "Copy it again") from error


def background_of(planes: Sequence[Pixels] | Pixels, labels: NDArray[np.uint8] | None = None) -> Pixels:
    """Return the colour of pixels that are not anomalous, for all masks of a clip: black, but where masks are inverted.

    labels: of the frames, where others state them. Black is the background of a clip that has one mask all black;
    else the colour that fills the masks of frames labelled normal, else the colour of nearly all pixels, of masks
    that have several.
    """
    pixels: Counter[tuple[Any, ...]] = Counter()
    normal: Counter[tuple[Any, ...]] = Counter()
    for number, plane in enumerate(planes):
        if (plane != plane[0, 0]).any():
            pixels.update(_some_colours(plane))
        elif not plane[0, 0].any():
            return np.zeros(1)
        elif labels is not None and len(labels) == len(planes) and not labels[number]:
            normal[tuple(np.atleast_1d(plane[0, 0]).tolist())] += 1
    if not normal and not any(count > _MOST * pixels.total() for count in pixels.values()):
        return np.zeros(1)
    return np.array((normal or pixels).most_common(1)[0][0])


def marked(pixels: Pixels, background: Pixels) -> NDArray[np.bool_]:
    """Return (H, W), True if a pixel is not background."""
    channels = pixels[..., None] if pixels.ndim == 2 else pixels
    alike = background if len(background) in (1, channels.shape[2]) else background[:1]
    # Where black is background, a number below 0 says that a pixel is not to be judged.
    differs = channels != alike if background.any() else channels > 0
    mask: NDArray[np.bool_] = np.any(differs, axis=2)
    return mask


def masks_of(planes: Sequence[Pixels] | Pixels, labels: NDArray[np.uint8] | None = None) -> Iterator[NDArray[np.bool_]]:
    """Yield the masks of a clip, in order: (H, W), True where anomalous (see `background_of`)."""
    background = background_of(planes, labels)
    for plane in planes:
        yield marked(np.asarray(plane), background)


def _shallow_pixels(picture: PIL.Image.Image) -> Pixels:
    if picture.mode in ("I", "F", "L", "1"):
        return _without_loss(np.array(picture), picture)
    if picture.mode == "P":
        numbers = np.array(picture)
        used = np.unique(numbers)
        colours = np.array(picture.convert("RGBA" if picture.has_transparency_data else "RGB"))
        of_used = {tuple(colours[tuple(np.argwhere(numbers == number)[0])].tolist()) for number in used}
        if len(of_used) < len(used):  # a palette that shows several numbers alike: the numbers are meant
            return numbers
    if picture.has_transparency_data:
        colours = np.array(picture.convert("RGBA"))
        shown, opaque = colours[..., :3], colours[..., 3:]
        return shown * (opaque > 0) if shown.any() else np.repeat(opaque * (opaque.min() == 0), 3, axis=2)
    return _without_loss(np.array(picture.convert("RGB")), picture)


def _without_loss(pixels: Pixels, picture: PIL.Image.Image) -> Pixels:
    if picture.format not in _LOSSY:
        return pixels
    return np.where(pixels < _LOSS, 0, np.where(pixels > 255 - _LOSS, 255, pixels))


def _some_colours(plane: Pixels) -> Counter[tuple[Any, ...]]:
    """Count the colours of a mask; of a large mask, evenly spread pixels are counted."""
    step = max(1, min(plane.shape[:2]) // _SIDE_COUNTED)
    counted = plane[::step, ::step]
    return Counter(map(tuple, counted.reshape(-1, 1 if plane.ndim == 2 else plane.shape[2]).tolist()))


def _mask_number(mask: Path) -> tuple[float, tuple[object, ...]]:
    digits = "".join(character if character.isdigit() else " " for character in mask.stem).split()
    return float(digits[-1]) if digits else float("inf"), natural_key(mask.name)
