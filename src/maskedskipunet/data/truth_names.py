"""Recognises ground truth by the names of its files and folders."""

import re
from collections.abc import Iterable
from pathlib import Path

from maskedskipunet.data.label_files import LABEL_SUFFIXES

WORDS = ("labels", "label", "gt", "ground_truth", "groundtruth", "annotations", "annotation", "masks", "mask")
"""What stands behind a clip's name in the name of its ground truth, the name that we ask for first."""

OTHER_SUFFIXES = (".mat", ".json", ".xml", ".yaml", ".yml", ".pkl", ".pickle", ".h5", ".hdf5", ".xlsx", ".zip")
"""Suffixes of files that may be ground truth and that we cannot read as labels."""

_WORD = "|".join(WORDS)
_AFTER_NAME = re.compile(rf"(.+?)[ _.-]+(?:(?:frame|pixel)[_-]?)?(?:{_WORD})", re.IGNORECASE)
_TRUTH = re.compile(rf"(?:(?:test|testing|frame|frames|pixel|temporal|all)[ _-]*)*(?:{_WORD})", re.IGNORECASE)
_SHIPPED = frozenset({"test_frame_mask", "test_pixel_mask", "testing_label_mask"})  # parts of layouts we know


def clip_of_label_file(file: Path) -> str:
    """Return the clip that a file of labels is named after.

    >>> clip_of_label_file(Path("Test001_gt.npy"))
    'Test001'
    >>> clip_of_label_file(Path("01.csv"))
    '01'
    """
    match = _AFTER_NAME.fullmatch(file.stem)
    return match[1] if match else file.stem


def names_truth_of(stem: str, clips: Iterable[str]) -> str | None:
    """Return which of some clips, in lower case, a name says it is the ground truth of; None if it does not say.

    >>> names_truth_of("Test001_gt", ["test001", "test002"])
    'test001'
    """
    match = _AFTER_NAME.fullmatch(stem.casefold())
    return match[1] if match and match[1] in clips else None


def is_truth_folder(folder: Path) -> bool:
    """Return whether a folder is named as one that holds ground truth, a file or a folder for each clip."""
    return _TRUTH.fullmatch(folder.name) is not None and folder.name.casefold() not in _SHIPPED


def states_all_clips(file: Path) -> bool:
    """Return whether a file is named as the ground truth of all clips: gt.npz, labels.csv, test_annotations.txt."""
    return _TRUTH.fullmatch(file.stem) is not None and file.suffix.lower() in (*LABEL_SUFFIXES, *OTHER_SUFFIXES)


def number_of_clip(stem: str) -> int | None:
    """Return the only number in a name, which tells files from one another as the name itself does: 1 of 01, of
    Test001.
    """
    numbers = re.findall(r"[0-9]{1,9}", stem)
    return int(numbers[0]) if len(numbers) == 1 else None
