"""Any folder of footage: normal/ or training/ and test/, or footage at any depth, as recorders write it."""

from collections.abc import Sequence
from pathlib import Path

from maskedskipunet.data.datasets.items import Dataset, items_of
from maskedskipunet.data.datasets.notes import notes, unused_labels
from maskedskipunet.data.datasets.truth import Truth, is_archive, labelled_items, one_truth
from maskedskipunet.data.folders import Folders
from maskedskipunet.data.footage_search import Excluded, Footage, cameras_of, find_footage, notes_of
from maskedskipunet.data.non_footage import is_set_aside
from maskedskipunet.errors import DataError

TRAIN_NAMES = ("normal", "train", "training")
TEST_NAMES = ("test", "testing")
_NO_PART = "not normal/, train/, training/, test/ or testing/"


def recognise_folder(root: Path, folders: Folders) -> Dataset:
    """Recognise any folder: a folder below named for normal footage alone is for training, otherwise all footage is.

    Folders that are named for a test, a calibration or the like are never trained on.
    Raises DataError if several folders below are data sets of their own.
    """
    train_folders, test_folders = folders.named([root], *TRAIN_NAMES), folders.named([root], *TEST_NAMES)
    parts = {*train_folders, *test_folders}
    if train_folders:
        found = _joined([_normal(folder, folders) for folder in train_folders])
        beside = find_footage(root, folders, lambda folder: "" if folder in folders.listing(root).folders else None)
        found.left_out += [Excluded(path, f"beside {train_folders[0].name}/") for path in beside.videos if path != root]
        found.left_out += [excluded for excluded in beside.left_out if excluded.why]
        others = set(folders.listing(root).folders) - parts
    else:
        found = _normal(root, folders)
        others = set()
    tests = {folder: find_footage(folder, folders) for folder in test_folders}
    test = [path for footage in tests.values() for path in footage.videos]
    left_out = [*found.left_out, *(excluded for footage in tests.values() for excluded in footage.left_out)]
    archives = [file for file in folders.files((root, *test_folders), ".npz") if is_archive(file)]
    truth = one_truth(archives) if test else None
    items = labelled_items(test, root, folders, Truth(truth), _cameras(test, root))
    empty = [*(folder for folder in train_folders if not _any_in(folder, found.videos)), *_empty(tests)]
    ignored = (
        *notes(root, others, _NO_PART),
        *notes(root, empty, "no footage in it"),
        *notes_of([excluded for excluded in left_out if excluded.path not in parts], root),
        *unused_labels(root, items, folders),
    )
    return Dataset("folder", root, items_of(found.videos, root, _cameras(found.videos, root)), items, ignored)


def _normal(root: Path, folders: Folders) -> Footage:
    """Return the footage to train on at or below a folder, without what is set aside."""
    nested: list[Path] = []

    def leave_out(folder: Path) -> str | None:
        if folder.name.casefold() in TRAIN_NAMES:
            nested.append(folder)
        return "set aside by its name, not trained on" if is_set_aside(folder) else None

    found = find_footage(root, folders, leave_out)
    homes = list(dict.fromkeys(folder.parent for folder in nested))
    if homes and root not in homes:
        names = " and ".join(f"{home.relative_to(root)}/" for home in homes[:2])
        several = (
            f"holds data sets of their own, {names}" if len(homes) > 1 else f"holds a data set of its own, {names}"
        )
        raise DataError(f"the folder {several}", str(root), f"Name one, such as {homes[0]}")
    return found


def _joined(several: Sequence[Footage]) -> Footage:
    return Footage(
        [path for footage in several for path in footage.videos],
        [excluded for footage in several for excluded in footage.left_out],
    )


def _any_in(folder: Path, videos: Sequence[Path]) -> bool:
    return any(folder in (video, *video.parents) for video in videos)


def _empty(tests: dict[Path, Footage]) -> list[Path]:
    return [folder for folder, footage in tests.items() if not footage.videos]


def _cameras(paths: Sequence[Path], root: Path) -> list[str | None]:
    return cameras_of([path.relative_to(root) for path in paths])
