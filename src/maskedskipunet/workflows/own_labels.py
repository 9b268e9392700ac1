"""Labels that lie beside a video which is scored by itself: they are drawn, and no scoring fails by them."""

from pathlib import Path

from maskedskipunet.data.labels import Labels, labels_for
from maskedskipunet.data.layouts import labels_beside
from maskedskipunet.data.sources import Source
from maskedskipunet.errors import DataError
from maskedskipunet.progress import Progress


def own_labels(source: Source, progress: Progress) -> Labels | None:
    """The labels beside a video, one a frame of it; None where there are none, or none that fit, which is noted."""
    try:
        labels = labels_beside(source.path)
        return None if labels is None else labels_for(labels, source.probe().frame_count)
    except DataError as error:
        progress.note(f"the labels are not used: {error}")
        return None


def labels_path(video: Path) -> Path | None:
    """The file that holds a video's labels; None where there is none, or more than one."""
    try:
        labels = labels_beside(video)
    except DataError:
        return None
    return None if labels is None else labels.path
