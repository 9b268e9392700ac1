"""What a path holds: the layouts of data sets we recognise, and the videos in them."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from maskedskipunet.data.images import image_files, is_image
from maskedskipunet.data.labels import LABEL_KINDS, LabelKind, LabelSource, Ranges, holds_gt, mat_ranges, ucsd_ranges
from maskedskipunet.data.naming import is_hidden, natural_key, visible_children
from maskedskipunet.data.video import VIDEO_SUFFIXES
from maskedskipunet.errors import DataError, LabelError

Layout = Literal["ucsd", "frames", "folder"]

_TRAIN_NAMES = ("normal", "train", "training")
_TEST_NAMES = ("test", "testing")
_NO_PART = "not normal/, train/, training/, test/ or testing/"


@dataclass(frozen=True, slots=True)
class VideoItem:
    """One video of a data set: a file or a folder of images.

    name: unlike any other in its split. labels: its ground truth, not yet read. masks: the folder of
    its pixel-level ground truth.
    """

    name: str
    path: Path
    kind: Literal["video", "images"]
    labels: LabelSource | None
    masks: Path | None


@dataclass(frozen=True, slots=True)
class Dataset:
    """The videos a path holds, each split in natural order; train is all normal.

    ignored: a short note for each thing that was seen and is not used.
    """

    layout: Layout
    root: Path
    train: tuple[VideoItem, ...]
    test: tuple[VideoItem, ...]
    ignored: tuple[str, ...]


def recognise(path: Path) -> Dataset:
    """Find the videos a path holds and tell training from test by the names of folders.

    `ucsd`: Train/TrainNNN and Test/TestNNN as shipped. `frames`: training/frames/NN and
    testing/frames/NN. `folder`: one video, one folder of images, or any folder with normal videos in
    it or under normal/, train/ or training/, and test videos under test/ or testing/.
    No frame is read, only names and, where one file states the labels of all clips, that file.
    Raises DataError when the path holds nothing of the kind, LabelError when there is ground truth
    for another number of clips than there are.
    """
    if path.is_file():
        return _single_video(path)
    if not path.is_dir():
        fault = "a broken link" if path.is_symlink() else "neither a file nor a folder"
        raise DataError(
            fault if path.is_symlink() or path.exists() else "no such file or folder",
            str(path),
            "Name a video, a folder of images or a folder of videos",
        )
    children = visible_children(path)
    if not children:
        raise DataError("the folder is empty", str(path), "Put videos or folders of images into it")
    ucsd = [child for child in _folders(children) if _looks_like_ucsd(child)]
    if len(ucsd) > 1:
        names = " and ".join(child.name for child in ucsd)
        raise DataError(f"the folder holds several data sets, {names}", str(path), f"Name one, such as {ucsd[0]}")
    dataset = _ucsd(path, children) or _frames(path, children) or _folder(path, children)
    if not dataset.train and not dataset.test:
        raise _nothing_found(path, children, ucsd, dataset.ignored)
    return dataset


def frame_masks(item: VideoItem) -> list[Path]:
    """The mask images of a clip, in the order of the numbers in their names; none where it has no masks.

    Some folders say 001.bmp, some frame001.bmp, so a name's letters are not looked at.
    Raises DataError when the folder cannot be listed.
    """
    if item.masks is None:
        return []
    masks = [child for child in visible_children(item.masks) if child.suffix.lower() in (".bmp", ".png")]
    return sorted(masks, key=_mask_number)


def _mask_number(mask: Path) -> tuple[float, tuple[object, ...]]:
    numbers = re.findall(r"[0-9]+", mask.stem)
    return float(numbers[-1]) if numbers else float("inf"), natural_key(mask.name)


def _single_video(path: Path) -> Dataset:
    if _is_video(path):
        return Dataset("folder", path, _items([path], path.parent), (), ())
    cure = "Name its folder" if is_image(path) else f"Name a file that ends in {', '.join(sorted(VIDEO_SUFFIXES))}"
    raise DataError("the file is no video", str(path), cure)


def _nothing_found(path: Path, children: list[Path], ucsd: list[Path], ignored: tuple[str, ...]) -> DataError:
    truths = [truth for folder in (path, *_named(children, "test")) for truth in _ucsd_truths(folder)]
    if truths:
        return DataError(
            f"the folder holds ground truth, {truths[0].relative_to(path)}, but no frames",
            str(path),
            "Copy the data set's folders of frames beside it (Train/Train001, Test/Test001 and so on)",
        )
    looked_for = (
        "videos, folders of images, normal/, train/ or training/ with either, test/ or testing/, "
        "UCSD's Train/Train001 and Test/Test001, training/frames and testing/frames"
    )
    seen = f"; seen: {', '.join(ignored[:5])}" if ignored else ""
    cure = f"Name {ucsd[0]}" if ucsd else "Name the folder with the footage, or put normal videos under normal/"
    return DataError(f"nothing to learn from or to test; looked for {looked_for}{seen}", str(path), cure)


# UCSD's own layout


def _ucsd(root: Path, children: list[Path]) -> Dataset | None:
    train_folders = _named(children, "train")
    # Named by itself, the folder Test says what it is by its ground truth: its clips are not normal footage.
    test_folders = _named(children, "test") or ([root] if _ucsd_truths(root) else [])
    train = [clip for folder in train_folders for clip in _clips(folder, "train")]
    test = [clip for folder in test_folders for clip in _clips(folder, "test")]
    if not any(map(_holds_images, (*train, *test))):
        return None
    truths = [truth for folder in test_folders for truth in _ucsd_truths(folder)]
    masks = {mask.name.casefold(): mask for mask in _folders_in(test_folders)}
    test_items = tuple(
        replace(item, masks=masks.get(_mask_name(item.path)))
        for item in _test_items(test, root, _one_truth(truths), "ucsd", ucsd_ranges)
    )
    used = {root, *train_folders, *test_folders, *train, *test, *(item.masks for item in test_items)}
    notes = [
        *_notes(root, _folders_in({root, *train_folders, *test_folders}) - used, "no part of UCSD's layout"),
        *_unusable(root, root),
        *_unused_labels(root, test_items),
    ]
    return Dataset("ucsd", root, _items(train, root), test_items, tuple(notes))


def _looks_like_ucsd(folder: Path) -> bool:
    children = _children(folder)
    parts = [(part, split) for split in ("train", "test") for part in _named(children, split)]
    return any(any(map(_holds_images, _clips(part, split))) or _ucsd_truths(part) for part, split in parts)


def _clips(folder: Path, split: str) -> list[Path]:
    children = _folders(_children(folder))
    return [child for child in children if re.fullmatch(rf"{split}[ _-]?[0-9]+", child.name, re.IGNORECASE)]


def _ucsd_truths(folder: Path) -> list[Path]:
    children = _children(folder)
    return [child for child in children if re.fullmatch(r"ucsd.*\.m", child.name, re.IGNORECASE) and child.is_file()]


def _mask_name(clip: Path) -> str:
    return f"{clip.name}_gt".casefold()


# training/frames and testing/frames


def _frames(root: Path, children: list[Path]) -> Dataset | None:
    train_folders, test_folders = _named(children, "training", "train"), _named(children, "testing", "test")
    train = [clip for folder in train_folders for clip in _clips_under_frames(folder)]
    test = [clip for folder in test_folders for clip in _clips_under_frames(folder)]
    if not train and not test:
        return None
    matrices = [child for folder in (root, *test_folders) for child in _children(folder) if _is_matrix(child)]
    truths = [matrix for matrix in matrices if holds_gt(matrix)]
    train = train or [path for folder in train_folders for path in _footage(folder)]
    test = test or [path for folder in test_folders for path in _footage(folder)]
    test_items = _test_items(test, root, _one_truth(truths), "mat", mat_ranges)
    notes = [
        *_notes(root, set(_folders(children)) - {*train_folders, *test_folders}, "neither training/ nor testing/"),
        *_notes(root, set(matrices) - set(truths), "no variable gt in it"),
        *_unusable(root, root),
        *_unused_labels(root, test_items),
    ]
    return Dataset("frames", root, _items(train, root), test_items, tuple(notes))


def _clips_under_frames(folder: Path) -> list[Path]:
    clips = [
        clip for frames in _named(_children(folder), "frames") for clip in _without_masks(_folders(_children(frames)))
    ]
    return clips if any(map(_holds_images, clips)) else []


def _is_matrix(path: Path) -> bool:
    return path.suffix.lower() == ".mat" and path.is_file()


# Any folder


def _folder(root: Path, children: list[Path]) -> Dataset:
    normal_folders, test_folders = _named(children, *_TRAIN_NAMES), _named(children, *_TEST_NAMES)
    others = [child for child in _folders(children) if child not in {*normal_folders, *test_folders}]
    clips = [] if normal_folders else [child for child in _without_masks(others) if _is_image_folder(child)]
    train = [child for child in children if _is_video(child) or child in clips]
    footage = {folder: _footage(folder) for folder in (*normal_folders, *test_folders)}
    train += [path for folder in normal_folders for path in footage[folder]]
    test = [path for folder in test_folders for path in footage[folder]]
    loose_images = len(image_files(root))
    if loose_images and not train and not normal_folders:
        train, loose_images = [root], 0
    test_items = _test_items(test, root)
    notes = [
        *_notes(root, set(others) - set(train), _NO_PART),
        *_notes(root, (part for part, found in footage.items() if not found), "no footage in it"),
        *([f"{loose_images} loose images (beside videos or folders of images)"] if loose_images else []),
        *_unusable(root, root),
        *_unused_labels(root, test_items),
    ]
    return Dataset("folder", root, _items(train, root), test_items, tuple(notes))


def _footage(folder: Path) -> list[Path]:
    """Videos and folders of images in a folder, one level deeper too; the folder itself if it is one of images."""
    children = _children(folder)
    sub_folders = _without_masks(_folders(children))
    found: list[Path] = []
    for child in children:
        if _is_video(child) or (child in sub_folders and _is_image_folder(child)):
            found.append(child)
        elif child in sub_folders:
            inside = _children(child)
            clips = _without_masks(_folders(inside))
            found += [path for path in inside if _is_video(path) or (path in clips and _is_image_folder(path))]
    return found or ([folder] if _holds_images(folder) else [])


# Names and labels of the videos found


def _items(paths: Sequence[Path], root: Path) -> tuple[VideoItem, ...]:
    return tuple(
        VideoItem(name, path, "images" if path.is_dir() else "video", None, None)
        for name, path in zip(_distinct_names(paths, root), paths, strict=True)
    )


def _test_items(
    paths: Sequence[Path],
    root: Path,
    truth: Path | None = None,
    kind: LabelKind = "ucsd",
    read: Callable[[Path], list[Ranges]] = ucsd_ranges,
) -> tuple[VideoItem, ...]:
    """Items with their labels: from one file for all clips, or else from a file beside each."""
    if truth is None:
        sources = [_labels_beside(path, paths) for path in paths]
    else:
        sources = [LabelSource(truth, kind, ranges, clip) for clip, ranges in enumerate(read(truth), start=1)]
        if len(sources) != len(paths):
            raise LabelError(
                f"the ground truth states {len(sources)} clips, but there are {len(paths)} test clips",
                str(truth),
                "Complete the test clips, or remove the file to go on without labels",
            )
    return tuple(
        VideoItem(item.name, item.path, item.kind, source, None)
        for item, source in zip(_items(paths, root), sources, strict=True)
    )


def _distinct_names(paths: Sequence[Path], root: Path) -> list[str]:
    """Names as short as they can be: the stem, where stems clash the file's name, then the way from the root."""
    forms = [
        tuple(map(_printable, (_stem(path), _own_name(path), "-".join(path.relative_to(root).parts)))) for path in paths
    ]
    lengths = [0] * len(paths)
    while True:
        names = [form[length] for form, length in zip(forms, lengths, strict=True)]
        counts = Counter(names)
        longer = [min(length + (counts[name] > 1), 2) for name, length in zip(names, lengths, strict=True)]
        if longer == lengths:
            return names
        lengths = longer


def _printable(name: str) -> str:
    """A name that can be shown and stored anywhere: bytes that are no text, line breaks and the like written out."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode().replace("\\", "%") for sign in name
    )


def _stem(path: Path) -> str:
    return _own_name(path) if path.is_dir() else path.stem


def _own_name(path: Path) -> str:
    return path.resolve().name if path.name in ("", "..") else path.name  # "." and ".." have no name of their own


def _labels_beside(path: Path, paths: Sequence[Path]) -> LabelSource | None:
    same_stem = [other for other in paths if other.parent == path.parent and _stem(other) == _stem(path)]
    names = {_own_name(path)} | ({_stem(path)} if len(same_stem) == 1 else set())
    wanted = {f"{name}_labels{suffix}".casefold() for name in names for suffix in LABEL_KINDS}
    found = [child for child in _children(path.parent) if child.name.casefold() in wanted]
    truth = _one_truth(found)
    return LabelSource(truth, LABEL_KINDS[truth.suffix.lower()]) if truth else None


def _one_truth(found: Sequence[Path]) -> Path | None:
    if len(found) > 1:
        names = " and ".join(str(path) for path in found)
        raise LabelError(f"two files state the same ground truth, {names}", str(found[0].parent), "Keep one of them")
    return found[0] if found else None


# Notes of what is not used


def _notes(root: Path, paths: Iterable[Path], reason: str) -> list[str]:
    ordered = sorted(paths, key=lambda path: natural_key(str(path)))
    return [f"{path.relative_to(root)}{'/' if path.is_dir() else ''} ({reason})" for path in ordered]


def _unused_labels(root: Path, items: Sequence[VideoItem]) -> list[str]:
    used = {item.labels.path for item in items if item.labels}
    beside = {child for folder in {item.path.parent for item in items} for child in _children(folder)}
    return _notes(root, (child for child in beside - used if _is_label_file(child)), "labels of no test video")


def _is_label_file(path: Path) -> bool:
    return path.stem.casefold().endswith("_labels") and path.suffix.lower() in LABEL_KINDS


def _unusable(root: Path, folder: Path, depth: int = 3) -> list[str]:
    """Broken links, except of images (those are frames, and reading them tells), and closed folders."""
    try:
        children = [child for child in visible_children(folder) if not is_image(child)]
    except DataError:
        return _notes(root, [folder], "cannot be listed")
    notes = _notes(root, (child for child in children if child.is_symlink() and not child.exists()), "a broken link")
    deeper = _folders(children) if depth > 1 else []
    return notes + [note for child in deeper for note in _unusable(root, child, depth - 1)]


# Looking at folders


def _folders(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.is_dir()]


def _folders_in(folders: Iterable[Path]) -> set[Path]:
    return {child for folder in folders for child in _folders(_children(folder))}


def _named(paths: Iterable[Path], *names: str) -> list[Path]:
    return [path for path in _folders(paths) if path.name.casefold() in names]


def _without_masks(folders: Sequence[Path]) -> list[Path]:
    """Leaves out UCSD's folders of masks, which are images but no footage."""
    masks = {_mask_name(folder) for folder in folders}
    return [folder for folder in folders if folder.name.casefold() not in masks]


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()


def _is_image_folder(folder: Path) -> bool:
    return _holds_images(folder) and not any(map(_is_video, _children(folder)))


def _holds_images(folder: Path) -> bool:
    try:
        return any(is_image(child) and not is_hidden(child) and not child.is_dir() for child in folder.iterdir())
    except OSError:
        return False


def _children(folder: Path) -> list[Path]:
    """As visible_children, but a closed folder somewhere below (such as lost+found) does not end the search."""
    try:
        return visible_children(folder)
    except DataError:
        return []
