"""Ground truth of test videos: one file for all, what a data set ships clip by clip, or a file beside each."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from maskedskipunet.data.datasets.archive import read_archive
from maskedskipunet.data.datasets.items import VideoItem, items_of, number_of, own_name, stem_of
from maskedskipunet.data.folders import Folders
from maskedskipunet.data.images import frame_files
from maskedskipunet.data.labels import (
    LABEL_KINDS,
    LabelKind,
    LabelSource,
    Ranges,
    holds_gt,
    joined_ranges,
    mat_ranges,
    ucsd_ranges,
)
from maskedskipunet.data.video.decoding import probe_video
from maskedskipunet.data.video.video_files import VIDEO_SUFFIXES
from maskedskipunet.errors import LabelError

ENDING = "_labels"
_NAMES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Truth:
    """The ground truth of test videos, by their paths. file: one that states the labels of all of them."""

    file: Path | None = None
    shipped: Mapping[Path, LabelSource] = field(default_factory=dict)
    masks: Mapping[Path, Path] = field(default_factory=dict)
    boxes: Mapping[Path, Path] = field(default_factory=dict)


def labelled_items(
    paths: Sequence[Path],
    root: Path,
    folders: Folders,
    truth: Truth | None = None,
    cameras: Sequence[str | None] | None = None,
) -> tuple[VideoItem, ...]:
    """Return items with their labels: from one file for all clips, from shipped labels, or from a file beside each."""
    truth = truth or Truth()
    if truth.file is not None:
        sources: Sequence[LabelSource | None] = _stated_by_one(truth.file, paths)
    elif truth.shipped:
        sources = [truth.shipped.get(path) for path in paths]
    else:
        sources = _labels_beside(paths, folders)
    return tuple(
        replace(item, labels=source, masks=truth.masks.get(item.path), boxes=truth.boxes.get(item.path))
        for item, source in zip(items_of(paths, root, cameras), sources, strict=True)
    )


def labels_beside(video: Path) -> LabelSource | None:
    """Return the label file beside a video (`NAME_labels.csv`, `.npy` or `.txt`), unread; None if there is none.

    Raises LabelError if several files state them.
    """
    folders = Folders()
    listing = folders.listing(video.parent)
    others = [*listing.folders, *(file for file in listing.files if file.suffix.lower() in VIDEO_SUFFIXES)]
    return _labels_beside([*(child for child in others if child.name != video.name), video], folders)[-1]


def truths_of_all(folders: Folders, search_folders: Iterable[Path]) -> list[Path]:
    """Return files that state the labels of all clips.

    A .mat with `gt`, the frame_labels_NAME.npy that goes round, or a .npz named gt with an array a clip.
    """
    files = folders.files(search_folders, ".mat", ".npy", ".npz")
    return [file for file in files if (_is_matrix(file) and holds_gt(file)) or _is_joined(file) or is_archive(file)]


def matrices_without_gt(folders: Folders, search_folders: Iterable[Path]) -> set[Path]:
    """Return MATLAB files that state no labels."""
    return {file for file in folders.files(search_folders, ".mat") if not holds_gt(file)}


def is_archive(file: Path) -> bool:
    """Return whether a file has the name of labels with an array for each clip: gt.npz, NWPU_Campus_gt.npz."""
    return re.fullmatch(r"(?:.*_)?gt\.npz", file.name, re.IGNORECASE) is not None


def one_truth(found: Sequence[Path]) -> Path | None:
    """Return the only file or folder of ground truth, None if there is none; raises LabelError for several."""
    if len(found) > 1:
        names = " and ".join(str(path) for path in found)
        raise LabelError(f"two files state the same ground truth, {names}", str(found[0].parent), "Keep one of them")
    return found[0] if found else None


def partial_note(truth: Path | None, items: Sequence[VideoItem]) -> list[str]:
    """Return a note that ground truth states more clips than there are."""
    numbered = [item for item in items if item.labels and item.labels.path == truth and item.labels.of_clips]
    if not numbered or truth is None:
        return []
    stated = numbered[0].labels.of_clips if numbered[0].labels else None
    if stated is None or stated <= len(items):
        return []
    listed = ", ".join(item.name for item in items[:_NAMES_SHOWN]) + (" …" if len(items) > _NAMES_SHOWN else "")
    return [f"the labels of {stated - len(items)} of {stated} clips in {truth.name} (here are {listed} alone)"]


def is_label_file(path: Path) -> bool:
    """Return whether a file has the name of labels of a video beside it."""
    return path.stem.casefold().endswith(ENDING) and path.suffix.lower() in LABEL_KINDS


def _is_matrix(path: Path) -> bool:
    return path.suffix.lower() == ".mat"


def _is_joined(path: Path) -> bool:
    return re.fullmatch(r"frame_labels.*\.npy", path.name, re.IGNORECASE) is not None


def _stated_by_one(truth: Path, paths: Sequence[Path]) -> list[LabelSource | None]:
    suffix = truth.suffix.lower()
    if suffix == ".npz":
        return _stated_by_names(truth, paths)
    if suffix == ".npy":
        stated = joined_ranges(truth, [_frame_count(path) for path in paths])
        return [LabelSource(truth, "npy", ranges, clip) for clip, ranges in enumerate(stated, start=1)]
    kind: LabelKind = "mat" if suffix == ".mat" else "ucsd"
    stated = mat_ranges(truth) if kind == "mat" else ucsd_ranges(truth)
    clips = _numbers_of(paths, stated, truth)
    return [LabelSource(truth, kind, stated[clip - 1], clip, of_clips=len(stated)) for clip in clips]


def _numbers_of(paths: Sequence[Path], stated: Sequence[Ranges], truth: Path) -> Sequence[int]:
    """Return which of the clips that a file states each video is, from 1: by order, or by its number where some are
    missing.

    Raises LabelError if there are more videos than clips, or fewer without matching numbers.
    """
    numbers = [number_of(path) for path in paths]
    known = [number for number in numbers if number is not None and 1 <= number <= len(stated)]
    if len(stated) == len(paths):
        return known if len(set(known)) == len(paths) else range(1, len(stated) + 1)
    if len(paths) < len(stated) and len(set(known)) == len(paths):
        return known
    raise LabelError(
        f"the ground truth states {len(stated)} clips, but there are {len(paths)} test clips",
        str(truth),
        "Complete the test clips, or remove the file to go on without labels",
    )


def _stated_by_names(truth: Path, paths: Sequence[Path]) -> list[LabelSource | None]:
    """Return labels from a .npz with an array for each clip, under the clip's name; None for a clip without one."""
    labels = {name.casefold(): source for name, source in read_archive(truth).items()}
    stems = [stem_of(path).casefold() for path in paths]
    if len(paths) == len(labels) == 1:
        return [*labels.values()]
    if paths and not any(stem in labels for stem in stems):
        fault = f"none of its {len(labels)} arrays is named as a test clip, such as {stem_of(paths[0])}"
        raise LabelError(fault, str(truth), "Use the file that was made for these clips, or remove it")
    return [labels.get(stem) for stem in stems]


def _frame_count(path: Path) -> int:
    return frame_files(path).count if path.is_dir() else probe_video(path, "skip").frame_count


def _labels_beside(paths: Sequence[Path], folders: Folders) -> list[LabelSource | None]:
    """Return the label file beside each video; each folder is listed once."""
    stems = Counter((path.parent, stem_of(path)) for path in paths)
    beside = {
        parent: {file.name.casefold(): file for file in folders.listing(parent).files if is_label_file(file)}
        for parent in {path.parent for path in paths}
    }
    return [_label_beside(path, beside[path.parent], stems[path.parent, stem_of(path)] == 1) for path in paths]


def _label_beside(path: Path, files: Mapping[str, Path], stem_is_its_own: bool) -> LabelSource | None:
    names = dict.fromkeys([own_name(path), *([stem_of(path)] if stem_is_its_own else [])])
    wanted_names = [f"{name}{ENDING}{suffix}".casefold() for name in names for suffix in LABEL_KINDS]
    truth = one_truth([files[name] for name in wanted_names if name in files])
    return LabelSource(truth, LABEL_KINDS[truth.suffix.lower()]) if truth else None
