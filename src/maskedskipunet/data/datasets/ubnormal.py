"""UBnormal: Scene1/abnormal_scene_1_scenario_1.mp4, with masks and tracks in a folder beside each abnormal video."""

import re
from collections.abc import Iterable
from pathlib import Path

from maskedskipunet.data.datasets.annotations import lines_of, names_in, ranges_from
from maskedskipunet.data.datasets.items import Dataset, items_of
from maskedskipunet.data.datasets.truth import Truth, labelled_items
from maskedskipunet.data.folders import Folders
from maskedskipunet.data.footage_search import Excluded, find_footage, notes_of
from maskedskipunet.data.labels import LabelSource

_DEPTH = 2
_VIDEO = re.compile(r"(?:ab)?normal_scene_[0-9]+_scenario_?[0-9]+.*", re.IGNORECASE)
_CALLED = "tracks in NAME_annotations/, a frame within any track is anomalous"


def recognise_ubnormal(root: Path, folders: Folders) -> Dataset | None:
    """Recognise UBnormal's layout; return None if most videos have other names.

    The split is that of the authors' lists (normal_training_video_names.txt and so on), where these are there. Without
    them normal videos are for training and abnormal ones for the test, and a note says so.
    """
    inside = folders.within(root, _DEPTH)
    if not any(_VIDEO.fullmatch(file.stem) and file.suffix for file in folders.files(inside, ".mp4", ".avi")):
        return None
    found = find_footage(root, folders, lambda folder: "annotations" if _is_annotations(folder) else None)
    videos = [path for path in found.videos if _VIDEO.fullmatch(path.stem)]
    if len(videos) * 2 < len(found.videos):
        return None
    split = _split(folders.files(inside, ".txt"))
    parts = {path: _part(path, split) for path in videos}
    train = [path for path in videos if parts[path] == "training" and not _is_abnormal(path)]
    test = [path for path in videos if parts[path] == "test"]
    used = {*train, *test}
    others = [Excluded(path, _why(path, split)) for path in found.videos if path not in used]
    annotations = {path: path.parent / f"{path.stem}_annotations" for path in test if _is_abnormal(path)}
    masks = {path: folder for path, folder in annotations.items() if folders.files([folder], ".png")}
    shipped = {path: label for path in test if (label := _label(path, folders)) is not None}
    items = labelled_items(test, root, folders, Truth(shipped=shipped, masks=masks))
    left_out = [excluded for excluded in found.left_out if not _is_annotations(excluded.path)]
    unsplit = [] if split else [_unsplit()]
    return Dataset("ubnormal", root, items_of(train, root), items, (*unsplit, *notes_of([*others, *left_out], root)))


def _is_abnormal(path: Path) -> bool:
    return path.stem.casefold().startswith("abnormal")


def _is_annotations(folder: Path) -> bool:
    return folder.name.casefold().endswith("_annotations")


def _split(files: Iterable[Path]) -> dict[str, str]:
    """Return the split of each video, training, validation or test, by the authors' lists."""
    split: dict[str, str] = {}
    for file in files:
        match = re.fullmatch(r"(?:ab)?normal_(training|validation|test)_video_names\.txt", file.name.casefold())
        if match:
            split |= dict.fromkeys(names_in(file), match[1])
    return split


def _part(path: Path, split: dict[str, str]) -> str:
    """Return the split that a video is of; without lists normal ones are for training, abnormal ones for the test."""
    return split.get(path.stem, "") if split else "test" if _is_abnormal(path) else "training"


def _why(path: Path, split: dict[str, str]) -> str:
    if split.get(path.stem) == "validation":
        return "videos of the validation split"
    if split.get(path.stem) == "training":
        return "abnormal videos of the training split"
    return "videos of no list of the split" if _VIDEO.fullmatch(path.stem) else "no video of UBnormal"


def _unsplit() -> str:
    return (
        "the official split (no list such as normal_training_video_names.txt is there: all normal videos are for "
        "training, all abnormal ones for the test)"
    )


def _label(path: Path, folders: Folders) -> LabelSource | None:
    """Return a test video's labels: of an abnormal one by its tracks, lines such as `1,12,240`, from 0 and ends
    included.
    """
    if not _is_abnormal(path):
        return LabelSource(path, "txt", (), called=_CALLED)
    folder = path.parent / f"{path.stem}_annotations"
    tracks = [file for file in folders.files([folder], ".txt") if file.stem.casefold().endswith("_tracks")]
    corrected = [file for file in tracks if file.stem.casefold().endswith("_new_tracks")]
    if not tracks:
        return None
    file = (corrected or tracks)[0]
    ranges = [
        found
        for number, cells in lines_of(file)
        for found in ranges_from(
            [cell for cell in "".join(cells).split(",") if cell][1:], f"{file}, line {number}", counted_from=0
        )
    ]
    return LabelSource(file, "txt", tuple(ranges), clip_to_length=True, called=_CALLED)
