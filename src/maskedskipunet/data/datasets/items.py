"""The content of a data set: its videos, their ground truth, and notes about unused files."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from maskedskipunet.data.labels import LabelSource

Layout = Literal[
    "ucsd",
    "avenue",
    "shanghaitech",
    "frames",
    "street_scene",
    "ucf_crime",
    "xd_violence",
    "ubnormal",
    "nwpu_campus",
    "msad",
    "corridor",
    "folder",
]


@dataclass(frozen=True, slots=True)
class VideoItem:
    """One video of a data set: a file or a folder of images.

    name: unique in its split. labels: its ground truth, not yet read. masks: its pixel-level ground truth, a folder of
    images or one file (see `masks.read_masks`). boxes: a file with boxes and tracks of its anomalies (see
    `boxes.read_boxes`). camera: the one that recorded it, if folders name cameras.
    """

    name: str
    path: Path
    kind: Literal["video", "images"]
    labels: LabelSource | None
    masks: Path | None
    boxes: Path | None = None
    camera: str | None = None


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
        """Describe the kind of ground truth of the test videos."""
        return label_set(self.test)


def label_set(items: Iterable[VideoItem]) -> str | None:
    """Return which ground truth videos have, in words; None if they have none.

    Some data sets have several, with figures that cannot be compared, so it is printed with all figures.
    """
    sets = dict.fromkeys(_label_set(item.path, item.labels) for item in items if item.labels)
    return "; ".join(sets) or None


def _label_set(video: Path, labels: LabelSource) -> str:
    if labels.called is not None:
        return labels.called
    if labels.kind == "volume":
        return f"masks in {labels.path.parent.name}/, a frame with any pixel marked is anomalous"
    if labels.ranges is not None:
        what = "frame labels" if labels.kind == "npy" else "frame ranges"
        return f"{what} of {labels.path.name}"
    if labels.path.parent == video.parent:
        return "labels beside the videos"
    return f"frame labels in {labels.path.parent.name}/"


def items_of(paths: Sequence[Path], root: Path, cameras: Sequence[str | None] | None = None) -> tuple[VideoItem, ...]:
    """Return videos without ground truth, under distinct names."""
    named = zip(distinct_names(paths, root), paths, cameras or [None] * len(paths), strict=True)
    return tuple(
        VideoItem(name, path, "images" if path.is_dir() else "video", None, None, camera=camera)
        for name, path, camera in named
    )


def distinct_names(paths: Sequence[Path], root: Path) -> list[str]:
    """Return names as short as they can be: the stem, where stems clash the file's name, then the way from the root."""
    forms = [
        tuple(map(_printable, (stem_of(path), own_name(path), "-".join(path.relative_to(root).parts))))
        for path in paths
    ]
    lengths = [0] * len(paths)
    while True:
        names = [form[length] for form, length in zip(forms, lengths, strict=True)]
        counts = Counter(names)
        longer = [min(length + (counts[name] > 1), 2) for name, length in zip(names, lengths, strict=True)]
        if longer == lengths:
            return names
        lengths = longer


def stem_of(path: Path) -> str:
    """Return a video's name without its suffix; a folder's whole name."""
    return own_name(path) if path.is_dir() else path.stem


def own_name(path: Path) -> str:
    """Return a path's own name; for `.` and `..` the name of their target."""
    return path.resolve().name if path.name in ("", "..") else path.name


def number_of(path: Path) -> int | None:
    """Return the number that a clip is named by: 1 for `01.avi`, `Test001` and `test-1`; None if it is named
    otherwise.
    """
    match = re.fullmatch(r"(?:(?:train|test)[ _-]?)?([0-9]{1,9})", stem_of(path), re.IGNORECASE)
    return int(match[1]) if match else None


def _printable(name: str) -> str:
    """Return a name that can be shown and stored anywhere: bytes that are no text, line breaks and the like written
    out.
    """
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode().replace("\\", "%") for sign in name
    )
