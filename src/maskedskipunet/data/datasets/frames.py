"""training/frames/01 and testing/frames/01, and ShanghaiTech's layout, which has ground truth an array a clip."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from maskedskipunet.data.datasets.avenue import avenue_masks, volumes_in, with_parent
from maskedskipunet.data.datasets.items import Dataset, Layout, items_of, number_of, stem_of
from maskedskipunet.data.datasets.notes import notes, of_no_clip, passed_over, unusable, unused_labels
from maskedskipunet.data.datasets.truth import (
    Truth,
    labelled_items,
    matrices_without_gt,
    one_truth,
    partial_note,
    truths_of_all,
)
from maskedskipunet.data.datasets.ucsd import holds_images
from maskedskipunet.data.folders import Folders
from maskedskipunet.data.footage_search import find_footage
from maskedskipunet.data.labels import LabelSource
from maskedskipunet.data.non_footage import is_truth_of
from maskedskipunet.data.truth_names import is_truth_folder


def recognise_frames(root: Path, folders: Folders) -> Dataset | None:
    """Recognise folders of frames under training/frames and testing/frames, or ShanghaiTech's; None if neither."""
    train_folders, test_folders = folders.named([root], "training", "train"), folders.named([root], "testing", "test")
    train, test = _clips_under_frames(train_folders, folders), _clips_under_frames(test_folders, folders)
    label_folder = one_truth(folders.named((root, *test_folders), "test_frame_mask"))
    pixel_folder = one_truth(folders.named((root, *test_folders), "test_pixel_mask"))
    if not train and not test and not label_folder and not pixel_folder:
        return None
    videos = folders.named(train_folders, "videos")
    beside_videos = folders.subfolders(train_folders) - set(videos) if videos and not train else set()
    train = train or [path for folder in videos or train_folders for path in find_footage(folder, folders).videos]
    test = test or [path for folder in test_folders for path in find_footage(folder, folders).videos]
    mask_folder = avenue_masks([root], folders)  # of Avenue whose videos were made frames
    labels, pixels = _arrays(label_folder, folders), _arrays(pixel_folder, folders)
    volumes = volumes_in(mask_folder, folders)
    masks = {clip: found for clip in test if (found := _masks_of(clip, pixels, volumes))}
    shipped = {clip: LabelSource(path, "volume") for clip, path in masks.items()}
    shipped |= {clip: LabelSource(labels[stem_of(clip)], "npy") for clip in test if stem_of(clip) in labels}
    truth = one_truth(truths_of_all(folders, (root, *test_folders)))
    items = labelled_items(test, root, folders, Truth(truth, shipped, masks))
    own = {*train_folders, *test_folders, label_folder, pixel_folder, *with_parent(mask_folder)}
    used = {*masks.values(), *(source.path for source in shipped.values())}
    ignored = (
        *notes(root, set(folders.listing(root).folders) - own, "neither training/ nor testing/"),
        *notes(root, beside_videos, "videos/ is used"),
        *notes(root, matrices_without_gt(folders, (root, *test_folders)), "no variable gt in it"),
        *passed_over(truth, {source.path.parent for source in shipped.values()}),
        *of_no_clip({*labels.values(), *pixels.values(), *volumes.values()} - used),
        *partial_note(truth, items),
        *unusable(root, folders),
        *unused_labels(root, items, folders),
    )
    layout: Layout = "shanghaitech" if label_folder or pixel_folder else "frames"
    return Dataset(layout, root, items_of(train, root), items, ignored)


def _arrays(folder: Path | None, folders: Folders) -> dict[str, Path]:
    """Return ShanghaiTech's arrays by the name of their clip: 01_0014 for 01_0014.npy."""
    return {file.stem: file for file in folders.files([folder], ".npy")} if folder else {}


def _masks_of(clip: Path, pixels: Mapping[str, Path], volumes: Mapping[int, Path]) -> Path | None:
    number = number_of(clip)
    return pixels.get(stem_of(clip)) or (None if number is None else volumes.get(number))


def _clips_under_frames(parts: Sequence[Path], folders: Folders) -> list[Path]:
    found = []
    for frames in folders.named(parts, "frames"):
        inside = folders.listing(frames).folders
        found += [folder for folder in inside if not (is_truth_of(folder, inside) or is_truth_folder(folder))]
    return found if any(holds_images(clip, folders) for clip in found) else []
