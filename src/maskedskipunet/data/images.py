"""Folders of images as a source of frames, by Pillow."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import PIL.Image

from maskedskipunet.data.frames import Frame, Image, OnBadFrame, SourceInfo
from maskedskipunet.data.naming import pictures_beside_frames, visible_children
from maskedskipunet.errors import ConfigError, DataError, FrameError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})

# Told by content, not by name; closed, so that no file reaches Pillow's riskier readers (EPS runs Ghostscript).
_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
_SKIP = "go on with --on-bad-frame skip"

log = logging.getLogger(__name__)


def is_image(path: Path) -> bool:
    """Whether a file's name says that it is an image of a kind we read."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def image_files(folder: Path) -> list[Path]:
    """The images directly in a folder, in natural order, hidden ones left out.

    A broken link stays in: it is a frame that is missing, and its place must not be closed up. Pictures that are no
    frames by their names (see `pictures_beside_frames`) are left out too.
    Raises DataError when the folder cannot be listed.
    """
    images = [child for child in visible_children(folder) if is_image(child) and not child.is_dir()]
    beside = pictures_beside_frames([image.name for image in images])
    return [image for image in images if image.name not in beside]


def read_image(path: Path) -> Image:
    """One image as uint8 (H, W, 3), RGB, its pixels in the order stored.

    Grey is repeated in the three channels; of 16 bits the upper 8 are kept; transparency is laid on black.
    Raises FrameError when the file is empty, cut off, no image, too large to be a frame, or of a
    kind without a known range (32-bit numbers).
    """
    with _opened(path) as picture:
        return _rgb(picture, path)


def probe_images(folder: Path, on_bad_frame: OnBadFrame = "stop") -> SourceInfo:
    """Count a folder's images and read their size from their headers.

    With `skip`, the size is that of the first good image, and others may be bad or of another size.
    Raises DataError when there are no images (with `skip`: no good one), and with `stop` FrameError
    for the first that cannot be opened or has another size than the first.
    """
    files = _some_image_files(folder)
    if on_bad_frame == "skip":
        height_px, width_px = _first_good_size(folder, files)
        return SourceInfo(len(files), height_px, width_px, None)
    first = _stored_size(files[0])
    for file in files[1:]:
        _require_size(file, _stored_size(file), first, files[0])
    return SourceInfo(len(files), first[0], first[1], None)


def read_images(folder: Path, on_bad_frame: OnBadFrame, image_fps: float) -> Iterator[Frame]:
    """The images of a folder as frames of a video, image_fps of them a second.

    An image that is bad or of another size than the first good one is an error, or with `skip` a
    Frame whose image is None.
    Raises DataError when there are no images, FrameError for a bad one, ConfigError for a rate that
    is not above 0.
    """
    require_rate(image_fps)
    first: tuple[Path, tuple[int, int]] | None = None
    for index, file in enumerate(_some_image_files(folder)):
        image: Image | None
        try:
            image = read_image(file)
            size = image.shape[0], image.shape[1]
            first = first or (file, size)
            _require_size(file, size, first[1], first[0])
        except FrameError as error:
            if on_bad_frame == "stop":
                raise
            log.warning("%s: frame %d was skipped: %s", file, index, error.what)
            image = None
        yield Frame(index, index / image_fps, image)


def require_rate(image_fps: float) -> None:
    """Raises ConfigError when images cannot be shown at image_fps frames a second."""
    if not 0 < image_fps < float("inf"):
        raise ConfigError(f"images cannot be shown at {image_fps} frames a second", "image_fps", "Use a rate above 0")


def _some_image_files(folder: Path) -> list[Path]:
    files = image_files(folder)
    if not files:
        kinds = ", ".join(sorted(IMAGE_SUFFIXES))
        raise DataError(f"the folder holds no images ({kinds})", str(folder), "Put images into it or leave it out")
    return files


def _first_good_size(folder: Path, files: list[Path]) -> tuple[int, int]:
    """Decodes where headers would do, so that it settles on the same image as read_images."""
    for file in files:
        try:
            image = read_image(file)
        except FrameError:
            continue
        return image.shape[0], image.shape[1]
    raise DataError(f"none of the {len(files)} images can be read", str(folder), "Copy them again or leave them out")


def _stored_size(path: Path) -> tuple[int, int]:
    with _opened(path) as picture:
        return picture.height, picture.width


def _require_size(path: Path, size: tuple[int, int], first: tuple[int, int], first_path: Path) -> None:
    if size != first:
        raise FrameError(
            f"the image is {size[1]}x{size[0]}, but {first_path.name} is {first[1]}x{first[0]}",
            str(path),
            f"Bring all images of the folder to one size, or {_SKIP}",
        )


@contextmanager
def _opened(path: Path) -> Iterator[PIL.Image.Image]:
    """An image with its header read; whatever goes wrong while it is open is a FrameError."""
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


def _rgb(picture: PIL.Image.Image, path: Path) -> Image:
    if picture.mode.startswith("I;16"):
        grey = (np.asarray(picture) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if picture.mode in ("I", "F"):  # stretching each image to its own extremes would make a video flicker
        raise FrameError("the image holds 32-bit numbers, whose range is unknown", str(path), "Save it with 8 bits")
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = PIL.Image.alpha_composite(PIL.Image.new("RGBA", layer.size, (0, 0, 0, 255)), layer)
    return np.array(picture.convert("RGB"))
