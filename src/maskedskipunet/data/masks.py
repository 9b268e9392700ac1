"""Ground truth of pixels: which of a frame's pixels are anomalous."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.frames import SourceInfo
from maskedskipunet.data.images import probe_images, read_image
from maskedskipunet.data.layouts import VideoItem, frame_masks
from maskedskipunet.data.video import probe_video
from maskedskipunet.data.volumes import Volume, read_volume
from maskedskipunet.errors import FrameError, LabelError


def has_masks(item: VideoItem) -> bool:
    """Whether a clip has pixel-level ground truth."""
    return item.masks is not None


def read_masks(item: VideoItem) -> Iterator[NDArray[np.bool_]]:
    """One (H, W) mask a frame, in order, True where anomalous, as large as the frames; none where the clip has none.

    From a folder of mask images or from one file (see `read_volume`), a mask at a time.
    Raises LabelError, naming the file, when a mask cannot be read, when there are more or fewer than frames or one
    is of another size; DataError when the clip itself cannot be read.
    """
    if item.masks is None:
        return
    info = probe_video(item.path, "skip") if item.kind == "video" else probe_images(item.path, "skip")
    if item.masks.is_dir():
        files = frame_masks(item)
        _require_count(len(files), info, item.masks)
        for file in files:
            mask = _read_mask(file)
            _require_size(mask.shape, info, file)
            yield mask
    else:
        volume = read_volume(item.masks)
        require_fit(volume, info)
        yield from volume.masks()


def require_fit(volume: Volume, info: SourceInfo) -> None:
    """Raises LabelError when a clip has more or fewer frames than there are masks, or of another size."""
    _require_count(len(volume), info, volume.path)
    _require_size(volume.size_px, info, volume.path)


def _read_mask(file: Path) -> NDArray[np.bool_]:
    try:
        image = read_image(file)
    except FrameError as error:
        raise LabelError(error.what, error.where, "Copy it again") from error
    mask: NDArray[np.bool_] = image[..., 0] > 0
    return mask


def _require_count(found: int, info: SourceInfo, where: Path) -> None:
    if found != info.frame_count:
        fault = f"found {found} masks, expected {info.frame_count}, one a frame"
        raise LabelError(fault, str(where), "Complete the masks or the clip")


def _require_size(size_px: tuple[int, ...], info: SourceInfo, where: Path) -> None:
    if size_px != (info.height_px, info.width_px):
        fault = f"found masks of {size_px[1]}x{size_px[0]}, but the frames are {info.width_px}x{info.height_px}"
        raise LabelError(fault, str(where), "Bring masks and frames to one size")
