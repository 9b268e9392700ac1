"""Labels that lie beside a video which is scored by itself: they are drawn, and no scoring fails by them."""

import os
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from maskedskipunet.data.label_files import Labels
from maskedskipunet.data.labels import LABEL_KINDS, LabelSource, labels_of
from maskedskipunet.data.sources import Source
from maskedskipunet.data.video.decoding import VIDEO_SUFFIXES
from maskedskipunet.errors import DataError, LabelError
from maskedskipunet.progress import Progress


def own_labels(source: Source, progress: Progress) -> Labels | None:
    """Return the labels beside a video, one a frame of it; None if there are none, or none that fit,
    which is noted.
    """
    try:
        path = _labels_beside(source.path)
        if path is None:
            return None
        return labels_of(LabelSource(path, LABEL_KINDS[path.suffix.lower()]), source.probe())
    except DataError as error:
        progress.note(f"the labels are not used: {error}")
        return None


def labels_path(video: Path) -> Path | None:
    """Return the file that holds a video's labels; None if there is none, or more than one."""
    try:
        return _labels_beside(video)
    except LabelError:
        return None


def _labels_beside(video: Path) -> Path | None:
    """Return `NAME_labels.csv`, `.npy` or `.txt`; NAME has its suffix if another video has the same stem."""
    video = Path(os.path.realpath(video)) if video.name in ("", "..") else video
    try:
        labels, stems = _listed(video.parent, video.parent.stat().st_mtime_ns)
    except OSError:
        return None
    stem = video.stem if video.suffix.lower() in VIDEO_SUFFIXES else video.name
    names = {video.name} | ({stem} if stems[stem] <= 1 else set())
    names_of_labels = {f"{name}_labels{suffix}".casefold() for name in names for suffix in LABEL_KINDS}
    found = sorted(video.parent / labels[name] for name in names_of_labels & labels.keys())
    if len(found) > 1:
        fault = f"two files state the same ground truth, {' and '.join(map(str, found))}"
        raise LabelError(fault, str(video.parent), "Keep one of them")
    return found[0] if found else None


@lru_cache(maxsize=16)  # of a folder of thousands of videos the names are read once, not once a video
def _listed(folder: Path, changed_ns: int) -> tuple[Mapping[str, str], Counter[str]]:
    """Return the label files of a folder by their names in small letters, and how many videos or folders have each
    stem.
    """
    with os.scandir(folder) as entries:
        seen = [entry for entry in entries if not entry.name.startswith(".")]
    labels = {
        entry.name.casefold(): entry.name for entry in seen if Path(entry.name).stem.casefold().endswith("_labels")
    }
    folders = [entry.name for entry in seen if entry.is_dir()]
    videos = [Path(entry.name).stem for entry in seen if Path(entry.name).suffix.lower() in VIDEO_SUFFIXES]
    return labels, Counter([*folders, *videos])
