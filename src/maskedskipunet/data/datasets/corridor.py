"""IITB Corridor: Train/000001/000001.avi and Test/000209/000209.avi, with an array of labels a test clip."""

import re
from collections.abc import Iterable
from pathlib import Path

from maskedskipunet.data.datasets.items import Dataset, items_of, stem_of
from maskedskipunet.data.datasets.notes import notes, of_no_clip, unusable
from maskedskipunet.data.datasets.truth import Truth, labelled_items
from maskedskipunet.data.folders import Folders
from maskedskipunet.data.footage_search import find_footage, notes_of
from maskedskipunet.data.labels import LabelSource

_ARCHIVE = re.compile(r"(?:train|test)_iitb[-_]corridor", re.IGNORECASE)
_TRUTHS = ("test_annotation", "test_annotations", "annotation", "annotations", "groundtruth", "ground_truth")
_CALLED = "frame labels in Test_Annotation/, an array a clip"


def recognise_corridor(root: Path, folders: Folders) -> Dataset | None:
    """Recognise IITB Corridor's layout, with one or both archives unpacked; return None if it is another."""
    archives = [folder for folder in folders.listing(root).folders if _ARCHIVE.fullmatch(folder.name)]
    homes = [root, *archives]
    parts = folders.named(homes, "train", "training", "test", "testing")
    clips = [path for part in parts for path in folders.listing(part).children]
    named_so = bool(clips) and all(re.fullmatch("[0-9]{6}", stem_of(path)) for path in clips)
    truths = folders.named(homes, *_TRUTHS)
    if not named_so or not (archives or truths or re.search("iitb|corridor", root.resolve().name, re.IGNORECASE)):
        return None
    found = {part: find_footage(part, folders) for part in parts}
    train, test = (
        [path for part in parts if part.name.casefold().startswith(split) for path in found[part].videos]
        for split in ("train", "test")
    )
    arrays = _arrays(truths, folders)
    shipped = {
        path: LabelSource(arrays[stem_of(path)], "npy", called=_CALLED) for path in test if stem_of(path) in arrays
    }
    items = labelled_items(test, root, folders, Truth(shipped=shipped))
    used = {source.path for source in shipped.values()}
    ignored = (
        *notes(root, folders.subfolders(homes) - {*homes, *parts, *truths}, "no part of IITB Corridor's layout"),
        *of_no_clip(set(arrays.values()) - used),
        *notes_of([excluded for part in parts for excluded in found[part].left_out], root),
        *unusable(root, folders),
    )
    return Dataset("corridor", root, items_of(train, root), items, ignored)


def _arrays(truths: Iterable[Path], folders: Folders) -> dict[str, Path]:
    """Return arrays of labels by the name of their clip, at any depth: Annotation/000209/000209.npy."""
    inside = [folder for truth in truths for folder in folders.within(truth, 2)]
    return {file.stem: file for file in folders.files(inside, ".npy")}
