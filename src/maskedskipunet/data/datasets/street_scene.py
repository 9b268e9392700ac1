"""Street Scene: UCSD's folders, Train/Train001 and Test/Test001, with boxes and tracks in Test001/Test001_gt.txt."""

from pathlib import Path

from maskedskipunet.data.boxes import read_boxes
from maskedskipunet.data.folders import Folders
from maskedskipunet.data.labels import LabelSource

CALLED = "boxes in NAME_gt.txt, a frame with any box is anomalous"


def boxes_of(clip: Path, folders: Folders) -> Path | None:
    """Return the file of boxes in a clip's folder."""
    wanted_names = f"{clip.name}_gt.txt".casefold()
    return next((file for file in folders.listing(clip).files if file.name.casefold() == wanted_names), None)


def box_labels(file: Path, clip: Path) -> LabelSource:
    """Return labels of a clip's frames from its boxes. Raises LabelError for boxes that cannot be read."""
    frames = sorted({box.frame for box in read_boxes(file, clip)})
    return LabelSource(file, "txt", tuple((frame, frame) for frame in frames), called=CALLED)
