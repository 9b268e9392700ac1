"""CUHK Avenue, as shipped: training_videos/01.avi and testing_videos/01.avi, with masks a file a video."""

import re
from collections.abc import Iterable
from pathlib import Path

from maskedskipunet.data.datasets.items import Dataset, items_of, number_of, own_name
from maskedskipunet.data.datasets.notes import notes, of_no_clip, passed_over, unusable, unused_labels
from maskedskipunet.data.datasets.truth import (
    Truth,
    labelled_items,
    matrices_without_gt,
    one_truth,
    partial_note,
    truths_of_all,
)
from maskedskipunet.data.folders import Folders
from maskedskipunet.data.footage_search import find_footage
from maskedskipunet.data.labels import LabelSource
from maskedskipunet.errors import DataError


def recognise_avenue(root: Path, folders: Folders) -> Dataset | None:
    """Recognise Avenue's layout at a folder or one below it; return None if it is another."""
    # Named by itself, the folder testing_videos is no normal footage.
    alone = own_name(root).casefold() == "testing_videos"
    home = root.resolve().parent if alone else _home(root, folders)
    if home is None:
        return None
    train_folders = [] if alone else folders.named([home], "training_videos")
    test_folders = [root] if alone else folders.named([home], "testing_videos")
    train = [video for folder in train_folders for video in find_footage(folder, folders).videos]
    test = [video for folder in test_folders for video in find_footage(folder, folders).videos]
    # The masks are another archive, which may lie unpacked beside that of the videos.
    beside = folders.named([home.resolve().parent], "ground_truth_demo")
    mask_folder = avenue_masks((root, home, *beside), folders)
    volumes = volumes_in(mask_folder, folders)
    masks = {video: volumes[number] for video in test if (number := number_of(video)) in volumes and number is not None}
    shipped = {video: LabelSource(path, "volume") for video, path in masks.items()}
    truth = one_truth(truths_of_all(folders, (root, home)))
    items = labelled_items(test, root, folders, Truth(truth, shipped, masks))
    own = {folder.resolve() for folder in (home, *train_folders, *test_folders, *with_parent(mask_folder))}
    inside = folders.subfolders({root} if alone else {root, home})
    others = {folder for folder in inside if folder.resolve() not in own}
    not_needed = {folder for folder in others if folder.name.casefold() in ("training_vol", "testing_vol")}
    ignored = (
        *notes(root, not_needed, "the videos once more as MATLAB volumes, not needed"),
        *notes(root, others - not_needed, "no part of Avenue's layout"),
        *notes(root, [] if alone else matrices_without_gt(folders, (root, home)), "no variable gt in it"),
        *passed_over(truth, {path.parent for path in masks.values()}),
        *of_no_clip(set(volumes.values()) - set(masks.values())),
        *partial_note(truth, items),
        *unusable(root, folders),
        *unused_labels(root, items, folders),
    )
    return Dataset("avenue", root, items_of(train, root), items, ignored)


def avenue_masks(search_folders: Iterable[Path], folders: Folders) -> Path | None:
    """Return the folder testing_label_mask/ in one of these, or in ground_truth_demo/ or testing_gt/ in one
    of these.
    """
    search_folders = tuple(search_folders)
    demos = folders.named(search_folders, "ground_truth_demo", "testing_gt")
    found = folders.named((*search_folders, *demos), "testing_label_mask")
    return one_truth(list({folder.resolve(): folder for folder in reversed(found)}.values()))


def volumes_in(folder: Path | None, folders: Folders) -> dict[int, Path]:
    """Return Avenue's files of masks by the number of their video: 1 for 1_label.mat, which belongs to 01.avi."""
    files = folders.listing(folder).files if folder else ()
    matches = [(re.fullmatch(r"([0-9]{1,9})_label\.mat", file.name, re.IGNORECASE), file) for file in files]
    return {int(match[1]): file for match, file in matches if match}


def with_parent(folder: Path | None) -> tuple[Path, ...]:
    """Return a folder and its parent; nothing for None."""
    return (folder, folder.parent) if folder else ()


def _home(root: Path, folders: Folders) -> Path | None:
    """Return the folder that holds testing_videos/ and training_videos/: the root or one in it."""
    search_folders = (root, *folders.listing(root).folders)
    homes = [folder for folder in search_folders if folders.named([folder], "training_videos", "testing_videos")]
    if len(homes) > 1:
        names = " and ".join(own_name(home) for home in homes)
        raise DataError(f"the folder holds several data sets, {names}", str(root), f"Name one, such as {homes[-1]}")
    return homes[0] if homes else None
