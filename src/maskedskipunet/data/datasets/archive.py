"""Labels of many clips in one .npz, an array a clip under its name, as NWPU Campus has them."""

from pathlib import Path

from maskedskipunet.data.label_files import StatedLabels, read_label_archive
from maskedskipunet.data.labels import LabelSource, ranges_of


def read_archive(path: Path) -> dict[str, LabelSource]:
    """Return the labels of each clip, by its name. Raises LabelError, as `read_label_file` does."""
    return {name: _source(path, stated) for name, stated in read_label_archive(path).items()}


def _source(path: Path, stated: StatedLabels) -> LabelSource:
    if stated.values is None:
        return LabelSource(path, "npz", tuple((span.start, span.end) for span in stated.spans))
    return LabelSource(path, "npy", ranges_of(stated.values), frames=len(stated.values))
