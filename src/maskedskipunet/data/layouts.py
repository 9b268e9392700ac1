"""What a path holds: the layouts of data sets we recognise, and the videos in them."""

import re
from pathlib import Path

from maskedskipunet.data.datasets.items import Dataset, Layout, VideoItem, label_set
from maskedskipunet.data.datasets.table import recognise
from maskedskipunet.data.datasets.truth import labels_beside
from maskedskipunet.data.naming import natural_key, visible_children

__all__ = ["Dataset", "Layout", "VideoItem", "frame_masks", "label_set", "labels_beside", "recognise"]


def frame_masks(item: VideoItem) -> list[Path]:
    """The mask images of a clip, in the order of the numbers in their names; none where its masks are no folder.

    Some folders say 001.bmp, some frame001.bmp, so a name's letters are not looked at.
    Raises DataError when the folder cannot be listed.
    """
    if item.masks is None or item.masks.is_file():
        return []
    masks = [child for child in visible_children(item.masks) if child.suffix.lower() in (".bmp", ".png")]
    return sorted(masks, key=_mask_number)


def _mask_number(mask: Path) -> tuple[float, tuple[object, ...]]:
    numbers = re.findall(r"[0-9]+", mask.stem)
    return float(numbers[-1]) if numbers else float("inf"), natural_key(mask.name)
