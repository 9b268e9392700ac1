"""Writes short notes about unused files of a data set."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from maskedskipunet.data.datasets.items import VideoItem
from maskedskipunet.data.datasets.truth import is_label_file
from maskedskipunet.data.folders import Folders
from maskedskipunet.data.naming import natural_key


def notes(root: Path, paths: Iterable[Path], reason: str) -> list[str]:
    """Return a note for each of these paths."""
    ordered = sorted(paths, key=lambda path: natural_key(str(path)))
    return [f"{path.relative_to(root)}{'/' if path.is_dir() else ''} ({reason})" for path in ordered]


def passed_over(truth: Path | None, folders: Iterable[Path]) -> list[str]:
    """Return notes that one label set was taken and not another."""
    reason = f"not for frame labels, which are those of {truth.name}" if truth else ""
    return [f"{name}/ ({reason})" for name in sorted({folder.name for folder in folders})] if truth else []


def of_no_clip(files: Iterable[Path]) -> list[str]:
    """Return notes about ground truth that belongs to no clip, one for each folder."""
    counts = Counter(file.parent.name for file in files)
    return [f"{count} files in {name}/ (ground truth of no test clip)" for name, count in sorted(counts.items())]


def unused_labels(root: Path, items: Sequence[VideoItem], folders: Folders) -> list[str]:
    """Return notes of files that are named as labels and belong to no test video."""
    used = {item.labels.path for item in items if item.labels}
    beside = {file for parent in {item.path.parent for item in items} for file in folders.listing(parent).files}
    return notes(root, (file for file in beside - used if is_label_file(file)), "labels of no test video")


def unusable(root: Path, folders: Folders, depth: int = 3) -> list[str]:
    """Return notes of broken links, except of images (those are frames, and reading them tells), and of
    closed folders.
    """
    return _unusable(root, root, folders, depth)


def _unusable(root: Path, folder: Path, folders: Folders, depth: int) -> list[str]:
    listing = folders.listing(folder)
    if listing.is_closed:
        return notes(root, [folder], "cannot be listed")
    found = notes(root, listing.broken, "a broken link")
    deeper = listing.folders if depth > 1 else ()
    return found + [note for child in deeper for note in _unusable(root, child, folders, depth - 1)]
