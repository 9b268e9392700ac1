"""The table of data sets, and which of them a path holds."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from maskedskipunet.data.datasets.avenue import recognise_avenue
from maskedskipunet.data.datasets.corridor import recognise_corridor
from maskedskipunet.data.datasets.frames import recognise_frames
from maskedskipunet.data.datasets.items import Dataset, items_of
from maskedskipunet.data.datasets.msad import recognise_msad
from maskedskipunet.data.datasets.notes import notes
from maskedskipunet.data.datasets.nwpu_campus import recognise_nwpu_campus
from maskedskipunet.data.datasets.plain_folder import recognise_folder
from maskedskipunet.data.datasets.ubnormal import recognise_ubnormal
from maskedskipunet.data.datasets.ucf_crime import recognise_ucf_crime
from maskedskipunet.data.datasets.ucsd import looks_like_ucsd, recognise_ucsd, truth_files
from maskedskipunet.data.datasets.xd_violence import recognise_xd_violence
from maskedskipunet.data.folders import Folders
from maskedskipunet.data.footage_search import Excluded, notes_of
from maskedskipunet.data.images import is_image
from maskedskipunet.data.labels import LabelSource
from maskedskipunet.data.naming import visible_children
from maskedskipunet.data.nearby_truth import find_nearby_truth
from maskedskipunet.data.non_footage import may_hold_video, says_anomalous
from maskedskipunet.data.video.video_files import VIDEO_SUFFIXES, is_video
from maskedskipunet.errors import DataError

LAYOUTS: Sequence[Callable[[Path, Folders], Dataset | None]] = (
    recognise_ucsd,  # and Street Scene, which has the same folders
    recognise_avenue,
    recognise_corridor,
    recognise_nwpu_campus,
    recognise_frames,  # and ShanghaiTech
    recognise_msad,
    recognise_ucf_crime,
    recognise_ubnormal,
    recognise_xd_violence,
)
"""What each data set is recognised by, the first that fits; any folder of footage is the last resort."""

_SEEN_SHOWN = 5
_STATE_ALL = ("street_scene", "ucf_crime", "xd_violence", "ubnormal", "nwpu_campus", "msad", "corridor")
"""Data sets whose own ground truth is complete: where they have it, no other is looked for."""
_SEARCHED_WHOLE = ("ucf_crime", "xd_violence", "ubnormal")  # their own notes name every video that is not used


def recognise(path: Path) -> Dataset:
    """Find the videos of a path, and divide them into training and test by the names of folders.

    Each data set's module says what its layout is. `folder`: one video, one folder of images, or any folder, with
    normal videos under normal/, train/ or training/ (else at any depth below it) and test videos under test/ or
    testing/.
    No frame is read, only names and, where files state the labels of several clips, these files (and where one states
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
        raise DataError(fault, str(path), "Name a video, a folder of images or a folder of videos")
    if not visible_children(path):
        raise DataError("the folder is empty", str(path), "Put videos or folders of images into it")
    folders = Folders()
    ucsd = [child for child in folders.listing(path).folders if looks_like_ucsd(child, folders)]
    if len(ucsd) > 1:
        names = " and ".join(child.name for child in ucsd)
        raise DataError(f"the folder holds several data sets, {names}", str(path), f"Name one, such as {ucsd[0]}")
    found = (layout(path, folders) for layout in LAYOUTS)
    dataset = next((dataset for dataset in found if dataset is not None), None)
    if dataset is not None:
        dataset = replace(dataset, ignored=(*dataset.ignored, *_loose_videos(dataset, folders)))
    elif not ucsd:
        dataset = recognise_folder(path, folders)
    if dataset is not None:
        dataset = _without_anomalous(dataset)
    if dataset is None or not (dataset.train or dataset.test):
        raise _nothing_found(path, folders, ucsd, () if dataset is None else dataset.ignored)
    return _with_nearby_truth(dataset)


def _single_video(path: Path) -> Dataset:
    if is_video(path):
        return Dataset("folder", path, items_of([path], path.parent), (), ())
    suffixes = ", ".join(sorted(VIDEO_SUFFIXES))
    cure = "Name its folder" if is_image(path) else f"Name a file that ends in {suffixes}, or whose content is video"
    raise DataError("the file is no video", str(path), cure)


def _without_anomalous(dataset: Dataset) -> Dataset:
    """Return the data set without training videos with anomalies by their paths, and with a note about them."""
    root = dataset.root
    odd = [item.path for item in dataset.train if says_anomalous(item.path.relative_to(root))]
    train = tuple(item for item in dataset.train if item.path not in set(odd))
    found = notes_of((Excluded(path, "its name says anomalous") for path in odd), root)
    return replace(dataset, train=train, ignored=(*dataset.ignored, *found)) if odd else dataset


def _with_nearby_truth(dataset: Dataset) -> Dataset:
    """Return the data set with ground truth found near test clips that have none, and notes of what cannot be used."""
    items = dataset.test
    if dataset.layout in _STATE_ALL and all(item.labels for item in items):
        return dataset
    known = {
        path for item in items for path in (item.masks, item.boxes, item.labels.path if item.labels else None) if path
    }
    found = find_nearby_truth(
        [item.path for item in items],
        dataset.root,
        labelled=[item.path for item in items if item.labels],
        masked=[item.path for item in items if item.masks],
        used=known,
    )
    test = [
        replace(item, labels=item.labels or found.labels.get(item.path), masks=item.masks or found.masks.get(item.path))
        for item in items
    ]
    test = [
        replace(item, labels=LabelSource(item.masks, "volume")) if item.masks and not item.labels else item
        for item in test
    ]
    used = {folder for path in found.used - known for folder in (path, path.parent)}
    named = {f"{path.relative_to(dataset.root)}{'/' if path.is_dir() else ''}" for path in used}
    ignored = [note for note in dataset.ignored if not set(note.partition(" (")[0].split(", ")) <= named]
    return replace(dataset, test=tuple(test), ignored=(*ignored, *found.notes))


def _loose_videos(dataset: Dataset, folders: Folders) -> list[str]:
    """Return notes about videos beside a data set's folders that belong to neither split."""
    if dataset.layout in _SEARCHED_WHOLE:
        return []
    used = {item.path for item in (*dataset.train, *dataset.test)}
    files = [
        file
        for file in folders.listing(dataset.root).files
        if may_hold_video(file) and file.is_file() and is_video(file)
    ]
    return notes(dataset.root, (file for file in files if file not in used), "beside the data set's folders")


def _nothing_found(path: Path, folders: Folders, ucsd: Sequence[Path], ignored: Sequence[str]) -> DataError:
    search_folders = (path, *folders.named([path], "test"))
    truths = [truth for folder in search_folders for truth in truth_files(folder, folders)]
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
    seen = f"; seen: {', '.join(ignored[:_SEEN_SHOWN])}" if ignored else ""
    cure = f"Name {ucsd[0]}" if ucsd else "Name the folder with the footage, or put normal videos under normal/"
    return DataError(f"nothing to learn from or to test; looked for {looked_for}{seen}", str(path), cure)
