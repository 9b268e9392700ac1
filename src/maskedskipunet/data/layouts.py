"""Recognises the layouts of data sets, and finds their videos."""

from pathlib import Path

from maskedskipunet.data.datasets.items import Dataset, Layout, VideoItem, label_set
from maskedskipunet.data.datasets.table import recognise
from maskedskipunet.data.datasets.truth import labels_beside
from maskedskipunet.data.mask_images import mask_files

__all__ = ["Dataset", "Layout", "VideoItem", "frame_masks", "label_set", "labels_beside", "recognise"]


def frame_masks(item: VideoItem) -> list[Path]:
    """Return the mask images of a clip, in the order of the numbers in their names; none if its masks are no folder.

    Raises DataError when the folder cannot be listed.
    """
    return [] if item.masks is None or item.masks.is_file() else mask_files(item.masks)
