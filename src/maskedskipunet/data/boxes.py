"""Boxes and tracks of anomalies: the ground truth of Street Scene, a line a box."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path, PurePosixPath

from maskedskipunet.data.frame_files import number_frames
from maskedskipunet.data.images import image_files
from maskedskipunet.errors import LabelError
from maskedskipunet.files import read_text

LARGEST_BYTES = 100_000_000
_CURE = "Write frame.jpg, track, x and y of the centre, width and height, parted by blanks"


@dataclass(frozen=True, slots=True)
class TrackedBox:
    """One anomaly in one frame. left_px to bottom_px: whole pixels, ends included. track: its number in the clip."""

    frame: int
    track: int
    left_px: int
    top_px: int
    right_px: int
    bottom_px: int


def read_boxes(path: Path, clip: Path) -> list[TrackedBox]:
    """Return the boxes of a clip, a folder of images, from lines such as `001.jpg 0 320.5 200 40 80`.

    A line holds the name of the frame's image, the track, and the box: its centre, its width and its height. Raises
    LabelError for anything else, and for an image that is not in the clip.
    """
    found = number_frames(image_files(clip))
    frames = {file.stem.casefold(): index for file, index in zip(found.files, found.indices, strict=True)}
    return list(_boxes(path, frames))


def _boxes(path: Path, frames: dict[str, int]) -> Iterator[TrackedBox]:
    for number, line in enumerate(_text(path).splitlines(), start=1):
        cells = re.split(r"[,;\s]+", line.strip())
        if cells == [""]:
            continue
        where = f"{path}, line {number}"
        if len(cells) != 6 or not all(map(_is_number, cells[1:])):
            raise LabelError(f"found {line.strip()[:60]!r}, expected a box", where, _CURE)
        stem = PurePosixPath(cells[0].replace("\\", "/")).stem.casefold()
        if stem not in frames:
            fault = f"the clip has no image {cells[0][:60]}"
            raise LabelError(fault, where, "Complete the clip, or use the labels that were made for it")
        track, x, y, width, height = map(float, cells[1:])
        left, top = x - width / 2, y - height / 2
        right, bottom = ceil(left + width) - 1, ceil(top + height) - 1
        if min(width, height) <= 0:
            raise LabelError(f"found a box of {width:g}x{height:g} pixels", where, _CURE)
        yield TrackedBox(frames[stem], int(track), floor(left), floor(top), right, bottom)


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?", cell) is not None


def _text(path: Path) -> str:
    try:
        return read_text(path, max_bytes=LARGEST_BYTES, encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise LabelError(f"cannot read the boxes ({error.strerror})", str(path), "Copy the file again") from error
