"""Folders of images as a source of frames, by Pillow."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import PIL.Image

from maskedskipunet.data.deep_images import FULL_BITS, deep_values, eight_bits, is_deep, used_bits
from maskedskipunet.data.frame_files import FrameFiles, number_frames
from maskedskipunet.data.frames import Frame, Image, OnBadFrame, SourceInfo
from maskedskipunet.data.naming import pictures_beside_frames, visible_children
from maskedskipunet.errors import ConfigError, DataError, FrameError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})

# Told by content, not by name; closed, so that no file reaches Pillow's riskier readers (EPS runs Ghostscript).
_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
_SKIP = "go on with --on-bad-frame skip"
_IMAGES_MEASURED = 32  # to find which of 16 bits a folder's images use

log = logging.getLogger(__name__)


def is_image(path: Path) -> bool:
    """Return whether a file has the name of a supported image."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def image_files(folder: Path) -> list[Path]:
    """Return the images directly in a folder, in natural order, hidden ones left out.

    A broken link stays in: it is a frame that is missing, and its place must not be closed up. Pictures that are no
    frames by their names (see `pictures_beside_frames`) are left out too.
    Raises DataError when the folder cannot be listed.
    """
    return _frames_and_pictures(folder)[0]


def _frames_and_pictures(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the images directly in a folder, and the pictures among them that are no frames."""
    images = [child for child in visible_children(folder) if is_image(child) and not child.is_dir()]
    beside = pictures_beside_frames([image.name for image in images])
    return [image for image in images if image.name not in beside], [image for image in images if image.name in beside]


def frame_files(folder: Path) -> FrameFiles:
    """Return the images directly in a folder, each with its frame (see `number_frames`).

    Raises DataError when the folder cannot be listed or holds no images.
    """
    files, pictures = _frames_and_pictures(folder)
    if not files:
        kinds = ", ".join(sorted(IMAGE_SUFFIXES))
        raise DataError(f"the folder holds no images ({kinds})", str(folder), "Put images into it or leave it out")
    return number_frames(files, pictures)


def read_image(path: Path, bits: int = FULL_BITS) -> Image:
    """Return one image as uint8 (H, W, 3), RGB, its pixels in the order stored.

    Grey is repeated in the three channels; transparency is laid on black. bits: how many of an image's 16 are in use,
    the upper 8 of which are kept.
    Raises FrameError when the file is empty, cut off, no image, too large to be a frame, or of a
    kind without a known range (32-bit numbers).
    """
    with opened_image(path) as picture:
        return _rgb(picture, path, bits)


def probe_images(folder: Path, on_bad_frame: OnBadFrame = "stop") -> SourceInfo:
    """Count a folder's images and read their size from their headers.

    With `skip`, the size is that of the first good image, and others may be bad or of another size.
    Raises DataError when there are no images (with `skip`: no good one), and with `stop` FrameError
    for the first that cannot be opened or has another size than the first.
    """
    found = frame_files(folder)
    if on_bad_frame == "skip":
        size = _first_good_size(folder, found.files)
    else:
        size = _stored_size(found.files[0])
        for file in found.files[1:]:
            _require_size(file, _stored_size(file), size, found.files[0])
    bits = _bits_in_use(found.files)
    notes = found.notes if bits == FULL_BITS else (*found.notes, f"the 16-bit images use {bits} bits, which are taken")
    return SourceInfo(found.count, size[0], size[1], None, found.missing, found.unplaced, notes)


def read_images(folder: Path, on_bad_frame: OnBadFrame, image_fps: float) -> Iterator[Frame]:
    """Yield the images of a folder as frames of a video, image_fps of them a second.

    An image that is bad or of another size than the first good one is an error, or with `skip` a
    Frame whose image is None, as one is that is missing by the numbers in the names.
    Raises DataError when there are no images, FrameError for a bad one, ConfigError for a rate that
    is not above 0.
    """
    require_rate(image_fps)
    found = frame_files(folder)
    bits = _bits_in_use(found.files)
    first: tuple[Path, tuple[int, int]] | None = None
    next_index = 0
    for index, file in zip(found.indices, found.files, strict=True):
        yield from (Frame(missing, missing / image_fps, None) for missing in range(next_index, index))
        next_index = index + 1
        image: Image | None
        try:
            image = read_image(file, bits)
            size = image.shape[0], image.shape[1]
            first = first or (file, size)
            _require_size(file, size, first[1], first[0])
        except FrameError as error:
            if on_bad_frame == "stop":
                raise
            log.warning("%s: frame %d was skipped: %s", file, index, error.what)
            image = None
        yield Frame(index, index / image_fps, image)


def numbered_image(folder: Path, index: int) -> Image | None:
    """Return one image of a folder, by the index that read_images gives it; None if there is none.

    Raises DataError when there are no images, FrameError for a bad one.
    """
    found = frame_files(folder)
    files = dict(zip(found.indices, found.files, strict=True))
    return read_image(files[index], _bits_in_use(found.files)) if index in files else None


def require_rate(image_fps: float) -> None:
    """Raise ConfigError when images cannot be shown at image_fps frames a second."""
    if not 0 < image_fps < float("inf"):
        raise ConfigError(f"images cannot be shown at {image_fps} frames a second", "image_fps", "Use a rate above 0")


def _bits_in_use(files: Sequence[Path]) -> int:
    """Return the number of used bits of 16-bit images, one for a whole folder, because a video must not flicker.

    Looks at some of the images, spread evenly; 16 for images of 8 bits.
    """
    largest = None
    for number in np.unique(np.linspace(0, len(files) - 1, _IMAGES_MEASURED, dtype=int)):
        with suppress(FrameError), opened_image(files[number]) as picture:  # a bad one is told of when it is read
            if not is_deep(picture):
                return FULL_BITS
            largest = max(largest or 0, int(deep_values(files[number], picture).max()))
    return used_bits(largest) if largest else FULL_BITS


def _first_good_size(folder: Path, files: Sequence[Path]) -> tuple[int, int]:
    """Decode where headers would do, so that it settles on the same image as read_images."""
    for file in files:
        try:
            image = read_image(file)
        except FrameError:
            continue
        return image.shape[0], image.shape[1]
    raise DataError(f"none of the {len(files)} images can be read", str(folder), "Copy them again or leave them out")


def _stored_size(path: Path) -> tuple[int, int]:
    with opened_image(path) as picture:
        return picture.height, picture.width


def _require_size(path: Path, size: tuple[int, int], first: tuple[int, int], first_path: Path) -> None:
    if size != first:
        raise FrameError(
            f"the image is {size[1]}x{size[0]}, but {first_path.name} is {first[1]}x{first[0]}",
            str(path),
            f"Bring all images of the folder to one size, or {_SKIP}",
        )


@contextmanager
def opened_image(path: Path) -> Iterator[PIL.Image.Image]:
    """Open an image and read its header; every error while it is open becomes a FrameError."""
    try:
        if path.stat().st_size == 0:
            raise _bad_image(path, "it is empty, zero bytes")
        with PIL.Image.open(path, formats=_FORMATS) as picture:
            if picture.width * picture.height > (PIL.Image.MAX_IMAGE_PIXELS or float("inf")):
                raise PIL.Image.DecompressionBombError  # Pillow only warns up to twice the limit
            yield picture
    except FrameError:
        raise
    except PIL.UnidentifiedImageError as error:
        raise _bad_image(path, "it is not an image") from error
    except (PIL.Image.DecompressionBombWarning, PIL.Image.DecompressionBombError) as error:
        raise _bad_image(path, f"it is larger than {PIL.Image.MAX_IMAGE_PIXELS} pixels") from error
    except Exception as error:  # on damaged data Pillow's readers raise nearly any kind (SyntaxError, KeyError, ...)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _bad_image(path, reason or type(error).__name__) from error


def _bad_image(path: Path, reason: str) -> FrameError:
    return FrameError(f"cannot read the image ({reason})", str(path), f"Copy it again, or {_SKIP}")


def _rgb(picture: PIL.Image.Image, path: Path, bits: int) -> Image:
    if picture.mode.startswith("I;16"):
        grey = eight_bits(deep_values(path, picture), bits)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if bits != FULL_BITS and is_deep(picture):
        return eight_bits(deep_values(path, picture)[..., :3], bits)
    if picture.mode in ("I", "F"):  # stretching each image to its own extremes would make a video flicker
        raise FrameError("the image holds 32-bit numbers, whose range is unknown", str(path), "Save it with 8 bits")
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = PIL.Image.alpha_composite(PIL.Image.new("RGBA", layer.size, (0, 0, 0, 255)), layer)
    return np.array(picture.convert("RGB"))
