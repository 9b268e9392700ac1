"""NWPU Campus: videos/Train/D001_01.avi and videos/Test/D001_02.avi, with gt.npz, an array of labels a test video."""

import re
from collections.abc import Sequence
from pathlib import Path

from maskedskipunet.data.datasets.items import Dataset, items_of, stem_of
from maskedskipunet.data.datasets.notes import notes, unusable, unused_labels
from maskedskipunet.data.datasets.truth import Truth, is_archive, labelled_items, one_truth
from maskedskipunet.data.folders import Folders
from maskedskipunet.data.footage_search import find_footage, notes_of

_CLIP = re.compile(r"D[0-9]{3}_[0-9]+", re.IGNORECASE)


def recognise_nwpu_campus(root: Path, folders: Folders) -> Dataset | None:
    """Recognise NWPU Campus's layout, videos or folders of frames; return None if clips have other names."""
    homes = [root, *folders.named([root], "videos", "frames", "nwpucampusdataset")]
    homes += folders.named(homes[1:], "videos", "frames")
    parts = folders.named(homes, "train", "training", "test", "testing")
    if not any(_CLIP.fullmatch(stem_of(path)) for part in parts for path in folders.listing(part).children):
        return None
    found = {part: find_footage(part, folders) for part in parts}
    train, test = (
        [path for part in parts if part.name.casefold().startswith(split) for path in found[part].videos]
        for split in ("train", "test")
    )
    search_folders = [*homes, *folders.named(homes, "groundtruth", "ground_truth", "gt"), *parts]
    truth = one_truth([file for file in folders.files(search_folders, ".npz") if is_archive(file)])
    items = labelled_items(test, root, folders, Truth(truth))
    left_out = [excluded for part in parts for excluded in found[part].left_out]
    own = {*homes, *parts, *_within((truth,) if truth else (), root)}
    ignored = (
        *notes(root, folders.subfolders(homes) - own, "no part of NWPU Campus's layout"),
        *notes_of(left_out, root),
        *unusable(root, folders),
        *unused_labels(root, items, folders),
    )
    return Dataset("nwpu_campus", root, items_of(train, root), items, ignored)


def _within(files: Sequence[Path], root: Path) -> set[Path]:
    """Return the folders between the root and these files."""
    return {parent for file in files for parent in file.parents if root in parent.parents}
