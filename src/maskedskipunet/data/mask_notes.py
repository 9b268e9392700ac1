"""Describes oddities of a clip's masks."""

import numpy as np

from maskedskipunet.data.frames import SourceInfo
from maskedskipunet.data.label_files import Labels
from maskedskipunet.data.layouts import VideoItem
from maskedskipunet.data.mask_images import marked
from maskedskipunet.data.masks import frames_with_image, require_fit
from maskedskipunet.data.volumes import Volume, read_volume
from maskedskipunet.errors import LabelError

MAX_MASKS_READ = 400  # of a clip: some data sets have gigabytes of them


def mask_notes(item: VideoItem, info: SourceInfo, labels: Labels | None) -> tuple[bool, list[str]]:
    """Return whether a clip has masks that fit it, and what is odd about them, a clause each that follows its name.

    labels: of its frames, where it has any. Of a long clip some masks are looked at, spread evenly.
    """
    if item.masks is None:
        return False, []
    try:
        volume = read_volume(item.masks)
        if item.masks.is_dir() and len(volume) != info.frame_count and not info.missing:
            return False, [f"has {len(volume)} masks for {info.frame_count} frames"]
        require_fit(volume, info)
        return True, _of_pixels(item, volume, info, labels)
    except LabelError as error:
        return False, [f"has masks that do not fit: {error}"]


def _of_pixels(item: VideoItem, volume: Volume, info: SourceInfo, labels: Labels | None) -> list[str]:
    frames = np.flatnonzero(frames_with_image(info)) if len(volume) != info.frame_count else np.arange(len(volume))
    looked_at = np.unique(np.linspace(0, len(volume) - 1, MAX_MASKS_READ, dtype=int)).tolist()
    stated = None if labels is None or _say_the_labels(item) else labels[frames[looked_at]]
    sample = Volume(volume.path, [volume.planes[number] for number in looked_at])
    background = sample.background(stated)
    has_any = np.array([marked(plane, background).any() for plane in sample.planes], np.uint8)
    notes = []
    if background.any():
        shown = ", ".join(map(str, background.tolist()))
        notes.append(f"has inverted masks: {shown} is taken for background, since it fills them")
    notes += differences(has_any, stated)
    if labels is None and not has_any.any():
        notes.append("has masks in which no pixel is marked")
    return notes


def _say_the_labels(item: VideoItem) -> bool:
    return item.labels is not None and item.labels.kind == "volume"


def differences(marked: Labels, stated: Labels | None) -> list[str]:
    """Describe that masks mark other frames than the labels, as clauses after a clip's name; none if they agree."""
    if stated is None:
        return []
    more, fewer = int((marked > stated).sum()), int((marked < stated).sum())
    clauses = [f"mark {more:,} that the labels call normal"] if more else []
    clauses += [f"leave out {fewer:,} that the labels call anomalous"] if fewer else []
    of_some = f" (of {len(marked):,} looked at)" if clauses and len(marked) == MAX_MASKS_READ else ""
    return (
        [f"has masks that mark other frames than the labels: they {' and '.join(clauses)}{of_some}"] if clauses else []
    )
