"""What a path holds: the layouts of data sets we recognise, and the videos in them."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from maskedskipunet.data.images import image_files, is_image
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
from maskedskipunet.data.naming import is_hidden, natural_key, visible_children
from maskedskipunet.data.video import VIDEO_SUFFIXES, probe_video
from maskedskipunet.errors import DataError, LabelError

Layout = Literal["ucsd", "avenue", "shanghaitech", "frames", "folder"]

_TRAIN_NAMES = ("normal", "train", "training")
_TEST_NAMES = ("test", "testing")
_NO_PART = "not normal/, train/, training/, test/ or testing/"


@dataclass(frozen=True, slots=True)
class VideoItem:
    """One video of a data set: a file or a folder of images.

    name: unlike any other in its split. labels: its ground truth, not yet read. masks: its pixel-level ground
    truth, a folder of images or one file (see `masks.read_masks`).
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

    @property
    def label_set(self) -> str | None:
        """Which ground truth the test videos have, in words."""
        return label_set(self.test)


def recognise(path: Path) -> Dataset:
    """Find the videos a path holds and tell training from test by the names of folders.

    `ucsd`: Train/TrainNNN and Test/TestNNN as shipped. `avenue`: training_videos/NN.avi and testing_videos/NN.avi
    with testing_label_mask/N_label.mat. `frames`: training/frames/NN and testing/frames/NN. `shanghaitech`: the
    same, or training/videos/NN_NNN.avi, with test_frame_mask/ and test_pixel_mask/. `folder`: one video, one folder
    of images, or any folder with normal videos in it or under normal/, train/ or training/, and test videos under
    test/ or testing/.
    No frame is read, only names and, where one file states the labels of all clips, that file (and where it states
    them one after another, how many frames each clip has).
    Raises DataError when the path holds nothing of the kind, LabelError when there is ground truth
    for another number of clips or frames than there are.
    """
    if path.is_file():
        return _single_video(path)
    if not path.is_dir():
        if path.exists():
            fault = "neither a file nor a folder"
        else:
            fault = "a broken link" if path.is_symlink() else "no such file or folder"
        raise DataError(
            fault,
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
    dataset = _ucsd(path, children) or _avenue(path, children) or _frames(path, children) or _folder(path, children)
    if not dataset.train and not dataset.test:
        raise _nothing_found(path, children, ucsd, dataset.ignored)
    return dataset


def frame_masks(item: VideoItem) -> list[Path]:
    """The mask images of a clip, in the order of the numbers in their names; none where its masks are no folder.

    Some folders say 001.bmp, some frame001.bmp, so a name's letters are not looked at.
    Raises DataError when the folder cannot be listed.
    """
    if item.masks is None or item.masks.is_file():
        return []
    masks = [child for child in visible_children(item.masks) if child.suffix.lower() in (".bmp", ".png")]
    return sorted(masks, key=_mask_number)


def label_set(items: Iterable[VideoItem]) -> str | None:
    """Which ground truth videos have, in words; None where they have none.

    Some data sets have several, whose figures cannot be compared: so whatever prints figures prints this too.
    """
    sets = dict.fromkeys(_label_set(item.path, item.labels) for item in items if item.labels)
    return "; ".join(sets) or None


def _label_set(video: Path, labels: LabelSource) -> str:
    if labels.kind == "volume":
        return f"masks in {labels.path.parent.name}/, a frame with any pixel marked is anomalous"
    if labels.ranges is not None:
        what = "frame labels" if labels.kind == "npy" else "frame ranges"
        return f"{what} of {labels.path.name}"
    if labels.path.parent == video.parent:
        return "labels beside the videos"
    return f"frame labels in {labels.path.parent.name}/"


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
        "UCSD's Train/Train001 and Test/Test001, Avenue's training_videos and testing_videos, "
        "training/frames or training/videos and testing/frames"
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
    own_masks = {clip: masks[_mask_name(clip)] for clip in test if _mask_name(clip) in masks}
    test_items = _test_items(test, root, _one_truth(truths), masks=own_masks)
    used = {root, *train_folders, *test_folders, *train, *test, *own_masks.values()}
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


# Avenue's own layout


def _avenue(root: Path, children: list[Path]) -> Dataset | None:
    # Named by itself, the folder testing_videos is no normal footage.
    alone = _own_name(root).casefold() == "testing_videos"
    home = root.resolve().parent if alone else _avenue_home(root, children)
    if home is None:
        return None
    inside = [] if alone else _folders(_children(home))
    train_folders = _named(inside, "training_videos")
    test_folders = [root] if alone else _named(inside, "testing_videos")
    train = [video for folder in train_folders for video in _footage(folder)]
    test = [video for folder in test_folders for video in _footage(folder)]
    # The masks are another archive, which may lie unpacked beside that of the videos.
    beside = _named(_children(home.resolve().parent), "ground_truth_demo")
    mask_folder = _avenue_masks((root, home, *beside))
    volumes = _volumes(mask_folder)
    masks = {video: found for video in test if (found := volumes.get(_number(video)))}
    shipped = {video: LabelSource(path, "volume") for video, path in masks.items()}
    truth = _one_truth(_truths_of_all((root, home)))
    test_items = _test_items(test, root, truth, shipped, masks)
    own = {home, *train_folders, *test_folders, *_with_parent(mask_folder)}
    others = _folders_in({root} if alone else {root, home}) - own
    not_needed = set(_named(others, "training_vol", "testing_vol"))
    notes = [
        *_notes(root, not_needed, "the videos once more as MATLAB volumes, not needed"),
        *_notes(root, others - not_needed, "no part of Avenue's layout"),
        *_notes(root, [] if alone else _matrices_without_gt((root, home)), "no variable gt in it"),
        *_passed_over(truth, {path.parent for path in masks.values()}),
        *_of_no_clip(set(volumes.values()) - set(masks.values())),
        *_unusable(root, root),
        *_unused_labels(root, test_items),
    ]
    return Dataset("avenue", root, _items(train, root), test_items, tuple(notes))


def _avenue_home(root: Path, children: list[Path]) -> Path | None:
    """The folder that holds testing_videos/ and training_videos/: the root or one in it."""
    folders = (root, *_folders(children))
    homes = [folder for folder in folders if _named(_children(folder), "training_videos", "testing_videos")]
    if len(homes) > 1:
        names = " and ".join(_own_name(home) for home in homes)
        raise DataError(f"the folder holds several data sets, {names}", str(root), f"Name one, such as {homes[-1]}")
    return homes[0] if homes else None


def _avenue_masks(places: Iterable[Path]) -> Path | None:
    """The folder testing_label_mask/ in one of these, or in ground_truth_demo/ or testing_gt/ in one of these."""
    places = tuple(places)
    inside = [child for folder in places for child in _children(folder)]
    demos = _named(inside, "ground_truth_demo", "testing_gt")
    inside += [child for folder in demos for child in _children(folder)]
    found = _named(inside, "testing_label_mask")
    return _one_truth(list({folder.resolve(): folder for folder in reversed(found)}.values()))


def _with_parent(folder: Path | None) -> tuple[Path, ...]:
    return (folder, folder.parent) if folder else ()


def _volumes(folder: Path | None) -> dict[int, Path]:
    """Avenue's files of masks by the number of their video: 1 for 1_label.mat, which belongs to 01.avi."""
    files = _children(folder) if folder else []
    matches = [(re.fullmatch(r"([0-9]{1,9})_label\.mat", file.name, re.IGNORECASE), file) for file in files]
    return {int(match[1]): file for match, file in matches if match}


def _number(video: Path) -> int:
    """The number that a video is named by; -1 where it is named otherwise."""
    stem = _stem(video)
    return int(stem) if re.fullmatch(r"[0-9]{1,9}", stem) else -1


# training/frames and testing/frames, and ShanghaiTech's, which has ground truth an array a clip


def _frames(root: Path, children: list[Path]) -> Dataset | None:
    train_folders, test_folders = _named(children, "training", "train"), _named(children, "testing", "test")
    train = [clip for folder in train_folders for clip in _clips_under_frames(folder)]
    test = [clip for folder in test_folders for clip in _clips_under_frames(folder)]
    inside = [child for folder in (root, *test_folders) for child in _children(folder)]
    label_folder = _one_truth(_named(inside, "test_frame_mask"))
    pixel_folder = _one_truth(_named(inside, "test_pixel_mask"))
    if not train and not test and not label_folder and not pixel_folder:
        return None
    videos = _named((child for folder in train_folders for child in _children(folder)), "videos")
    beside_videos = _folders_in(train_folders) - set(videos) if videos and not train else set()
    train = train or [path for folder in videos or train_folders for path in _footage(folder)]
    test = test or [path for folder in test_folders for path in _footage(folder)]
    mask_folder = _avenue_masks([root])  # of Avenue whose videos were made frames
    labels, pixels, volumes = _arrays(label_folder), _arrays(pixel_folder), _volumes(mask_folder)
    masks = {clip: found for clip in test if (found := pixels.get(_stem(clip)) or volumes.get(_number(clip)))}
    shipped = {clip: LabelSource(path, "volume") for clip, path in masks.items()}
    shipped |= {clip: LabelSource(labels[_stem(clip)], "npy") for clip in test if _stem(clip) in labels}
    truth = _one_truth(_truths_of_all((root, *test_folders)))
    test_items = _test_items(test, root, truth, shipped, masks)
    own = {*train_folders, *test_folders, label_folder, pixel_folder, *_with_parent(mask_folder)}
    used = {*masks.values(), *(source.path for source in shipped.values())}
    notes = [
        *_notes(root, set(_folders(children)) - own, "neither training/ nor testing/"),
        *_notes(root, beside_videos, "videos/ is used"),
        *_notes(root, _matrices_without_gt((root, *test_folders)), "no variable gt in it"),
        *_passed_over(truth, {source.path.parent for source in shipped.values()}),
        *_of_no_clip({*labels.values(), *pixels.values(), *volumes.values()} - used),
        *_unusable(root, root),
        *_unused_labels(root, test_items),
    ]
    layout: Layout = "shanghaitech" if label_folder or pixel_folder else "frames"
    return Dataset(layout, root, _items(train, root), test_items, tuple(notes))


def _arrays(folder: Path | None) -> dict[str, Path]:
    """ShanghaiTech's arrays by the name of their clip: 01_0014 for 01_0014.npy."""
    files = _children(folder) if folder else []
    return {file.stem: file for file in files if file.suffix.lower() == ".npy"}


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
    shipped: Mapping[Path, LabelSource] | None = None,
    masks: Mapping[Path, Path] | None = None,
) -> tuple[VideoItem, ...]:
    """Items with their labels: from one file for all clips, or from what is shipped, or from a file beside each."""
    if truth is not None:
        sources: Sequence[LabelSource | None] = _stated_by_one(truth, paths)
    elif shipped:
        sources = [shipped.get(path) for path in paths]
    else:
        sources = [_labels_beside(path, paths) for path in paths]
    return tuple(
        replace(item, labels=source, masks=(masks or {}).get(item.path))
        for item, source in zip(_items(paths, root), sources, strict=True)
    )


def _truths_of_all(folders: Iterable[Path]) -> list[Path]:
    """Files that state the labels of all clips: a .mat with `gt`, or the frame_labels_NAME.npy that goes round."""
    files = dict.fromkeys(child for folder in folders for child in _children(folder))
    return [file for file in files if (_is_matrix(file) and holds_gt(file)) or _is_joined(file)]


def _matrices_without_gt(folders: Iterable[Path]) -> set[Path]:
    files = {child for folder in folders for child in _children(folder)}
    return {file for file in files if _is_matrix(file) and not holds_gt(file)}


def _is_joined(path: Path) -> bool:
    return re.fullmatch(r"frame_labels.*\.npy", path.name, re.IGNORECASE) is not None and path.is_file()


def _stated_by_one(truth: Path, paths: Sequence[Path]) -> list[LabelSource]:
    kind: LabelKind
    stated: list[Ranges]
    if truth.suffix.lower() == ".npy":
        kind, stated = "npy", joined_ranges(truth, [_frame_count(path) for path in paths])
    elif truth.suffix.lower() == ".mat":
        kind, stated = "mat", mat_ranges(truth)
    else:
        kind, stated = "ucsd", ucsd_ranges(truth)
    if len(stated) != len(paths):
        raise LabelError(
            f"the ground truth states {len(stated)} clips, but there are {len(paths)} test clips",
            str(truth),
            "Complete the test clips, or remove the file to go on without labels",
        )
    return [LabelSource(truth, kind, ranges, clip) for clip, ranges in enumerate(stated, start=1)]


def _frame_count(path: Path) -> int:
    return len(image_files(path)) if path.is_dir() else probe_video(path, "skip").frame_count


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


def _passed_over(truth: Path | None, folders: Iterable[Path]) -> list[str]:
    """Notes that one label set was taken and not another."""
    reason = f"not for frame labels, which are those of {truth.name}" if truth else ""
    return [f"{name}/ ({reason})" for name in sorted({folder.name for folder in folders})] if truth else []


def _of_no_clip(files: Iterable[Path]) -> list[str]:
    """Notes of ground truth that belongs to no clip, one a folder: there may be a hundred files."""
    counts = Counter(file.parent.name for file in files)
    return [f"{count} files in {name}/ (ground truth of no test clip)" for name, count in sorted(counts.items())]


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
