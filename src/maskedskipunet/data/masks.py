"""Ground truth of pixels: which of a frame's pixels are anomalous."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.frames import SourceInfo
from maskedskipunet.data.images import probe_images
from maskedskipunet.data.labels import labels_of
from maskedskipunet.data.layouts import VideoItem
from maskedskipunet.data.video.decoding import probe_video
from maskedskipunet.data.volumes import Volume, read_volume
from maskedskipunet.errors import LabelError


def has_masks(item: VideoItem) -> bool:
    """Return whether a clip has pixel-level ground truth."""
    return item.masks is not None


def read_masks(item: VideoItem) -> Iterator[NDArray[np.bool_]]:
    """Yield one (H, W) mask a frame, in order, True where anomalous, as large as the frames; none if the clip has
    none.

    From a folder of mask images or from one file (see `read_volume`), a mask at a time. A frame that is missing among
    images has an empty mask where there is none for it.
    Raises LabelError, naming the file, when a mask cannot be read, when there are more or fewer than frames or one
    is of another size; DataError when the clip itself cannot be read.
    """
    if item.masks is None:
        return
    info = probe_video(item.path, "skip") if item.kind == "video" else probe_images(item.path, "skip")
    volume = read_volume(item.masks)
    require_fit(volume, info)
    stated = None if item.labels is None or item.labels.path == item.masks else labels_of(item.labels, info)
    has_image = frames_with_image(info)
    if len(volume) == info.frame_count:
        has_image[:] = True
    masks = enumerate(volume.masks(None if stated is None else stated[has_image]))
    for has_mask in has_image:
        if not has_mask:
            yield np.zeros((info.height_px, info.width_px), bool)
            continue
        number, mask = next(masks)
        _require_size(mask.shape, info, volume.file_of(number))
        yield mask


def frames_with_image(info: SourceInfo) -> NDArray[np.bool_]:
    """Return (frames,), False if a frame is missing among images."""
    has_image = np.ones(info.frame_count, bool)
    for first, last in info.missing:
        has_image[first : last + 1] = False
    return has_image


def require_fit(volume: Volume, info: SourceInfo) -> None:
    """Raise LabelError when a clip has more or fewer frames than there are masks, or of another size.

    A mask for each image fits a clip with missing frames as well as one for each frame.
    """
    images = int(frames_with_image(info).sum())
    if len(volume) not in (info.frame_count, images):
        more = f" (or {images}, one an image)" if images != info.frame_count else ""
        fault = f"found {len(volume)} masks, expected {info.frame_count}, one a frame{more}"
        raise LabelError(fault, str(volume.path), "Complete the masks or the clip")
    _require_size(volume.size_px, info, volume.file_of(0))


def _require_size(size_px: tuple[int, ...], info: SourceInfo, where: Path) -> None:
    if size_px != (info.height_px, info.width_px):
        fault = f"found masks of {size_px[1]}x{size_px[0]}, but the frames are {info.width_px}x{info.height_px}"
        raise LabelError(fault, str(where), "Bring masks and frames to one size")
