"""UCSD Ped1 and Ped2, as shipped: Train/Train001 and Test/Test001, with masks in Test001_gt and ranges in a .m file.

Street Scene has the same folders; there a clip's boxes and tracks lie in it, Test001/Test001_gt.txt.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from maskedskipunet.data.datasets.items import Dataset, Layout, items_of
from maskedskipunet.data.datasets.notes import notes, unusable, unused_labels
from maskedskipunet.data.datasets.street_scene import box_labels, boxes_of
from maskedskipunet.data.datasets.truth import Truth, labelled_items, one_truth, partial_note
from maskedskipunet.data.folders import Folders
from maskedskipunet.data.images import is_image


def recognise_ucsd(root: Path, folders: Folders) -> Dataset | None:
    """Recognise the layout of UCSD or Street Scene, or one half of it; return None if it is another."""
    train_folders = folders.named([root], "train")
    # Named by itself, the folder Test says what it is by its ground truth: its clips are not normal footage.
    test_folders = folders.named([root], "test") or ([root] if _holds_truth(root, folders) else [])
    train = [clip for folder in train_folders for clip in _clips(folder, "train", folders)]
    test = [clip for folder in test_folders for clip in _clips(folder, "test", folders)]
    if not any(holds_images(clip, folders) for clip in (*train, *test)):
        return None
    truth = one_truth([truth for folder in test_folders for truth in truth_files(folder, folders)])
    masks = {mask.name.casefold(): mask for mask in folders.subfolders(test_folders)}
    own_masks = {clip: masks[_mask_name(clip)] for clip in test if _mask_name(clip) in masks}
    boxes = {clip: found for clip in test if (found := boxes_of(clip, folders))}
    shipped = {} if truth else {clip: box_labels(file, clip) for clip, file in boxes.items()}
    items = labelled_items(test, root, folders, Truth(truth, shipped, own_masks, boxes))
    used = {root, *train_folders, *test_folders, *train, *test, *own_masks.values()}
    layout: Layout = "street_scene" if boxes and truth is None else "ucsd"
    name = "Street Scene" if layout == "street_scene" else "UCSD"
    unused = folders.subfolders({root, *train_folders, *test_folders}) - used
    ignored = (
        *notes(root, unused, f"no part of {name}'s layout"),
        *partial_note(truth, items),
        *unusable(root, folders),
        *unused_labels(root, items, folders),
    )
    return Dataset(layout, root, items_of(train, root), items, ignored)


def looks_like_ucsd(folder: Path, folders: Folders) -> bool:
    """Return whether a folder is the root of such a data set, or of its ground truth alone."""
    parts = [(part, split) for split in ("train", "test") for part in folders.named([folder], split)]
    return any(
        any(holds_images(clip, folders) for clip in _clips(part, split, folders)) or truth_files(part, folders)
        for part, split in parts
    )


def truth_files(folder: Path, folders: Folders) -> list[Path]:
    """Return UCSD's files with the ranges of all test clips."""
    return [file for file in folders.listing(folder).files if re.fullmatch(r"ucsd.*\.m", file.name, re.IGNORECASE)]


def holds_images(folder: Path, folders: Folders) -> bool:
    """Return whether any image lies directly in a folder."""
    return any(map(is_image, folders.listing(folder).files))


def _holds_truth(folder: Path, folders: Folders) -> bool:
    return bool(truth_files(folder, folders)) or any(
        boxes_of(clip, folders) for clip in _clips(folder, "test", folders)
    )


def _clips(folder: Path, split: str, folders: Folders) -> Sequence[Path]:
    children = folders.listing(folder).folders
    return [child for child in children if re.fullmatch(rf"{split}[ _-]?[0-9]+", child.name, re.IGNORECASE)]


def _mask_name(clip: Path) -> str:
    return f"{clip.name}_gt".casefold()
