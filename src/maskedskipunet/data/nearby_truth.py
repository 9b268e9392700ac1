"""Finds ground truth near test clips under common names, and uses it or notes it."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from maskedskipunet.data.arrays import array_file
from maskedskipunet.data.images import is_image
from maskedskipunet.data.label_files import LABEL_SUFFIXES, read_label_file
from maskedskipunet.data.labels import LabelKind, LabelSource
from maskedskipunet.data.naming import is_hidden, natural_key, visible_children
from maskedskipunet.data.truth_names import (
    OTHER_SUFFIXES,
    is_truth_folder,
    names_truth_of,
    number_of_clip,
    states_all_clips,
)
from maskedskipunet.errors import DataError, LabelError

_KINDS: dict[str, LabelKind] = {".csv": "csv", ".tsv": "csv", ".txt": "txt", ".npy": "npy", ".npz": "npz"}
_NOT_READ = "not read as ground truth"
_FILES_NAMED = 3  # of one folder, in notes

log = logging.getLogger(__name__)


@dataclass(slots=True)
class NearbyTruth:
    """Ground truth that was found, by the clip's path. notes: a line for what is there and cannot be used."""

    labels: dict[Path, LabelSource] = field(default_factory=dict)
    masks: dict[Path, Path] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    used: set[Path] = field(default_factory=set)


def find_nearby_truth(
    clips: Sequence[Path], root: Path, *, labelled: Iterable[Path], masked: Iterable[Path], used: Iterable[Path]
) -> NearbyTruth:
    """Return labels and masks of test clips, beside them, in them, or in folders such as labels/ and mask/ nearby.

    clips: videos or folders of images below root. labelled, masked: clips whose labels or masks are known; used:
    files and folders that are in use already. A clip with masks alone takes its labels from them.
    """
    search = _Search(clips, root, set(labelled), set(masked), set(used))
    for clip, path in search.candidates():
        search.take(clip, path)
    search.take_files_of_all()
    for clip in clips:
        if clip not in search.labelled and clip in search.found.masks:
            search.found.labels[clip] = LabelSource(search.found.masks[clip], "volume")
    search.note_the_rest()
    return search.found


def warn_of_unused_truth(notes: Iterable[str], where: Path) -> None:
    """Tell on the log of ground truth that is there and not used, by the notes of what a data set ignores."""
    for note in notes:
        if _NOT_READ in note:
            log.warning("%s: not used: %s", where, note)


class _Search:
    """Looks through the folders around clips, each listed once."""

    def __init__(
        self, clips: Sequence[Path], root: Path, labelled: set[Path], masked: set[Path], used: set[Path]
    ) -> None:
        self.clips, self.root, self.labelled, self.masked = clips, root, labelled, masked
        self._clips = frozenset(clips)
        self.found = NearbyTruth(used=used)
        self._children, self._inside = cache(_children), cache(_all_but_images)
        parents = {clip.parent for clip in clips} if root not in clips else set()
        above = {folder for parent in parents for folder in (parent, parent.parent) if folder.is_relative_to(root)}
        self._around = sorted({root, *above} if parents else set(), key=str)
        inside = [child for folder in self._around for child in self._children(folder)]
        self._truth_folders = [
            path for path in inside if path.is_dir() and path not in self._clips and is_truth_folder(path)
        ]

    def candidates(self) -> Iterable[tuple[Path, Path]]:
        """Yield clips with possible ground truth of each, the likeliest first."""
        by_parent: dict[Path, dict[str, Path]] = {}
        stems = Counter((clip.parent, _stem(clip).casefold()) for clip in self.clips)
        for clip in self.clips:
            named = by_parent.setdefault(clip.parent, {})
            named[clip.name.casefold()] = clip
            if stems[clip.parent, _stem(clip).casefold()] == 1:
                named[_stem(clip).casefold()] = clip
        for parent, named in by_parent.items():
            for path in self._children(parent):
                clip_name = names_truth_of(_stem(path), named)
                if clip_name is not None and path not in self._clips:
                    yield named[clip_name], path
        for clip in self.clips:
            if clip.is_dir():
                yield from ((clip, path) for path in self._inside(clip) if _is_truth_in(path, clip))
        for folder in self._truth_folders:
            yield from self._in_truth_folder(folder)

    def take(self, clip: Path, path: Path) -> None:
        """Use a file or folder as a clip's labels or masks, where it still has none."""
        if path in self.found.used or not (path.is_dir() or path.suffix.lower() in LABEL_SUFFIXES):
            return
        if path.is_dir() or _is_volume(path):
            if clip not in self.masked and (not path.is_dir() or any(map(is_image, self._children(path)))):
                self.found.masks[clip] = path
                self.masked.add(clip)
                self.found.used.add(path)
        elif clip not in self.labelled:
            self.found.labels[clip] = LabelSource(path, _KINDS[path.suffix.lower()])
            self.labelled.add(clip)
            self.found.used.add(path)

    def take_files_of_all(self) -> None:
        """Use files that state the labels of several clips under their names."""
        for file in self._files_of_all():
            bare = [clip for clip in self.clips if clip not in self.labelled]
            if not bare or file.suffix.lower() not in LABEL_SUFFIXES or file in self.found.used:
                continue
            try:
                stated = {_clip_name(name): name for name in read_label_file(file)}
            except LabelError:
                continue
            for clip in bare:
                name = stated.get("" if len(self.clips) == len(stated) == 1 and "" in stated else _clip_name(clip.name))
                if name is not None:
                    self.found.labels[clip] = LabelSource(file, _KINDS[file.suffix.lower()], video=name)
                    self.labelled.add(clip)
                    self.found.used.add(file)

    def note_the_rest(self) -> None:
        """Tell of what is named as ground truth and is not used, and how to name it."""
        if not self.clips:
            return
        named = {name.casefold() for clip in self.clips for name in (_stem(clip), clip.name)}
        rest = [path for _, path in self.candidates() if not _is_documented(path)]
        rest += [path for folder in self._truth_folders for path in self._children(folder)]
        rest += self._files_of_all()
        rest += [path for folder in self._around for path in self._children(folder) if _may_be_truth(path, named)]
        used = {*self.found.used, *(path.parent for path in self.found.used)}
        unused = [path for path in dict.fromkeys(rest) if path not in used and path not in self._clips]
        expected = f"write {_stem(self.clips[0])}_labels.csv, .npy or .txt beside the clip"
        reason = "ground truth that is not used, the clips have theirs from elsewhere"
        if any(clip not in self.labelled and clip not in self.found.labels for clip in self.clips):
            reason = f"{_NOT_READ}: {expected}"
        else:  # what is no labels by its suffix is a page about them
            kinds = (*LABEL_SUFFIXES, *OTHER_SUFFIXES)
            unused = [path for path in unused if path.is_dir() or path.suffix.lower() in kinds]
        self.found.notes += _notes(unused, self.root, reason)

    def _files_of_all(self) -> list[Path]:
        inside = [child for folder in self._around for child in self._children(folder)]
        return [path for path in dict.fromkeys(inside) if not path.is_dir() and states_all_clips(path)]

    def _in_truth_folder(self, folder: Path) -> Iterable[tuple[Path, Path]]:
        """Yield files and folders with a clip's name, or if there are none, with its number: 1.npy for 01.avi."""
        children = [path for path in self._children(folder) if path.is_dir() or path.suffix.lower() in LABEL_SUFFIXES]
        for name_of in (_by_name, _by_number):
            clips = _by_distinct_name(self.clips, name_of)
            found = [(clips[name], path) for path in children if (name := name_of(path)) in clips]
            if found and len({name_of(path) for path in children}) > len(children) // 2:
                yield from found
                return


def _by_name(path: Path) -> str | int | None:
    return _clip_name(path.name)


def _by_number(path: Path) -> str | int | None:
    return number_of_clip(_stem(path))


def _by_distinct_name(
    clips: Sequence[Path], name_of: Callable[[Path], str | int | None]
) -> dict[str | int | None, Path]:
    counts = Counter(map(name_of, clips))
    return {name: clip for clip in clips if (name := name_of(clip)) is not None and counts[name] == 1}


def _clip_name(name: str) -> str:
    """Return a clip's name from that of its ground truth: without suffix and the words that mark ground truth."""
    stem = name.casefold()
    for suffix in (*LABEL_SUFFIXES, ".avi", ".mp4", ".mkv", ".mov", ".mpg", ".mpeg", ".wmv"):
        stem = stem.removesuffix(suffix)
    for word in ("_labels", "_label", "_gt", "_mask", "_masks", "_annotations", "_annotation"):
        stem = stem.removesuffix(word)
    return stem


def _stem(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def _is_documented(path: Path) -> bool:
    """Return whether a name is the one we ask for: a file of that name without a clip has a note of its own."""
    return _stem(path).casefold().endswith("_labels") and path.suffix.lower() in (".csv", ".npy", ".txt")


def _is_truth_in(path: Path, clip: Path) -> bool:
    """Return whether something in a folder of images is its ground truth."""
    named = names_truth_of(_stem(path), (clip.name.casefold(),)) is not None
    return named or (is_truth_folder(path) if path.is_dir() else states_all_clips(path))


def _may_be_truth(path: Path, clips: Iterable[str]) -> bool:
    return path.suffix.lower() in OTHER_SUFFIXES and names_truth_of(_stem(path), clips) is not None


def _is_volume(path: Path) -> bool:
    """Return whether an array has more than one number a frame: masks."""
    if path.suffix.lower() != ".npy":
        return False
    try:
        with array_file(path):
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return False  # whoever reads it tells what is wrong
    return isinstance(array, np.ndarray) and array.ndim > 2


def _notes(paths: Sequence[Path], root: Path, reason: str) -> list[str]:
    """Return a note for each thing, and one for many in a folder."""
    notes = []
    for folder in sorted({path.parent for path in paths}, key=str):
        inside = sorted((path for path in paths if path.parent == folder), key=lambda path: natural_key(path.name))
        if len(inside) > _FILES_NAMED:
            notes.append(f"{len(inside)} files and folders in {folder.relative_to(root)}/ ({reason})")
        else:
            notes += [f"{path.relative_to(root)}{'/' if path.is_dir() else ''} ({reason})" for path in inside]
    return notes


def _children(folder: Path) -> list[Path]:
    try:
        return visible_children(folder)
    except DataError:
        return []


def _all_but_images(folder: Path) -> list[Path]:
    """Return the other files in a folder of images, without sorting thousands of images."""
    try:
        others = [child for child in folder.iterdir() if not is_image(child) and not is_hidden(child)]
    except OSError:
        return []
    return sorted(others, key=lambda child: natural_key(child.name))
