"""Labels of frames as people write them: tables, rows and columns of numbers, ranges, arrays.

One reader for all of them, for files beside videos and for files that hold the labels of a whole data set.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.arrays import array_file
from maskedskipunet.data.label_rows import Row, read_rows
from maskedskipunet.errors import LabelError

Labels = NDArray[np.uint8]  # (frames,), 0 normal, 1 anomalous

LABEL_SUFFIXES = (".csv", ".npy", ".txt", ".npz", ".tsv")
ONE_A_FRAME = "Give one 0 or 1 for each frame"

_LABEL_NAMES = ("label", "labels", "anomaly", "anomalous", "is_anomaly", "gt", "ground_truth", "y", "target")
_FRAME_NAMES = ("frame", "frames", "frame_id", "frame_number", "frame_index", "")  # "": as pandas names its index
_VIDEO_NAMES = ("video", "clip", "video_id", "video_name", "name", "file", "filename")
_START_NAMES = ("start", "start_frame", "first", "first_frame", "begin", "from")
_END_NAMES = ("end", "end_frame", "last", "last_frame", "stop", "to")
_WORDS = {"false": 0.0, "true": 1.0}
_RANGE = re.compile(r"([0-9]{1,12})\s*[-:]\s*([0-9]{1,12})")
_SHORTEST_NUMBERED = 3  # rows: fewer that count up from 0 may be ranges as well


class Span(NamedTuple):
    """A range of anomalous frames, from 0, both ends included. location: its position in the file."""

    location: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class StatedLabels:
    """The labels of one video in a file: a value for each frame, or ranges if values is None.

    frames: which frame each value belongs to, in the file's order; None: one after another. lines: of the values.
    """

    values: Labels | None
    spans: tuple[Span, ...] = ()
    frames: NDArray[np.int64] | None = None
    lines: Sequence[int] = ()


StatedByVideo = Mapping[str, StatedLabels]
"""What a file says by video; "" where it names none."""


def read_label_file(path: Path) -> StatedByVideo:
    """Read the labels of a .csv, .txt, .npy or .npz in any known notation.

    Text: one 0 or 1 a line, or all in one row; `start,end` or `frame,label` with a header, with `video` for several
    videos; ranges such as 10-20. Arrays: one value a frame, or (K, 2) starts and ends. 0 and 1 may be 0 and 255, true
    and false, or written with decimals; frames count from 0.
    Raises LabelError for anything else, naming the place.
    """
    suffix = path.suffix.lower()
    if suffix in (".npy", ".npz"):
        found = read_label_archive(path)
        return found if len(found) > 1 else {"": next(iter(found.values()))}
    rows = read_rows(path)
    if suffix == ".txt":
        rows = [row for row in rows if row.cells]
        if not rows:
            return {"": StatedLabels(None)}
    if not rows:
        raise LabelError("the file is empty", str(path), ONE_A_FRAME)
    return _of_table(rows, path) if _is_header(rows) else {"": _of_rows(rows, path)}


def read_label_archive(path: Path) -> StatedByVideo:
    """Return the labels in a .npy or .npz by the names of its arrays, that of an only one too; "" in a .npy.

    Raises LabelError as `read_label_file` does.
    """
    return {name: _of_array(array, path, name) for name, array in _arrays(path).items()}


# Text


def _is_header(rows: Sequence[Row]) -> bool:
    cells = rows[0].cells
    if len(cells) == 2 and not cells[0] and len(rows) > 1:
        return True
    words = [cell for cell in cells if not _is_value(cell) and not _RANGE.fullmatch(cell)]
    known = {*_LABEL_NAMES, *_FRAME_NAMES, *_VIDEO_NAMES, *_START_NAMES, *_END_NAMES} - {""}
    return any(word.casefold() in known for word in words) or (len(words) == len(cells) > 0 and len(rows) > 1)


def _of_table(rows: Sequence[Row], path: Path) -> StatedByVideo:
    header, body = [cell.casefold() for cell in rows[0].cells], rows[1:]
    if len(header) == 2 and not header[0] and "score" not in header[1]:
        header = ["frame", "label"]
    video, frame = _column(header, _VIDEO_NAMES), _column(header, _FRAME_NAMES)
    start, end = _column(header, _START_NAMES), _column(header, _END_NAMES)
    label = _column(header, _LABEL_NAMES)
    if label is None and len(header) == 1 and "score" not in header[0]:
        label = 0
    by_video: dict[str, list[Row]] = {}
    for row in body:
        by_video.setdefault(row.cell(video) if video is not None else "", []).append(row)
    if start is not None and end is not None:
        return {
            name: StatedLabels(None, tuple(_span(row, start, end, path) for row in of_video if row.cells))
            for name, of_video in (by_video or {"": []}).items()
        }
    if label is None:
        raise _no_value(rows[0], path, first=True)
    return {name: _of_column(of_video, label, frame, path) for name, of_video in (by_video or {"": []}).items()}


def _of_column(rows: Sequence[Row], label: int, frame: int | None, path: Path) -> StatedLabels:
    values = _binary([row.cell(label) for row in rows], rows, path)
    frames = None if frame is None else np.array([_whole(row.cell(frame), row, path) for row in rows], np.int64)
    return StatedLabels(values, (), frames, [row.line for row in rows])


def _span(row: Row, start: int, end: int, path: Path) -> Span:
    return Span(f"line {row.line}", _whole(row.cell(start), row, path), _whole(row.cell(end), row, path))


def _of_rows(rows: Sequence[Row], path: Path) -> StatedLabels:
    """Parse rows without a header; the first determines the format."""
    first = rows[0].cells
    if first and all(map(_RANGE.fullmatch, first)):
        return StatedLabels(None, tuple(span for row in rows for span in _ranges(row, path)))
    if len(rows) == 1 and len(first) > 2:  # two numbers are a range
        return StatedLabels(_binary(first, [rows[0]] * len(first), path))
    if len(first) == 2 and all(map(_is_value, first)):
        return _of_pairs(rows, path)
    for row in rows:
        if len(row.cells) > 1:
            raise _no_value(row, path, first=row is rows[0])
    return StatedLabels(_binary([row.cell(0) for row in rows], rows, path))


def _of_pairs(rows: Sequence[Row], path: Path) -> StatedLabels:
    """Parse two numbers a line: a frame and its label if the first count up from 0, else first and last of a range."""
    rows = [row for row in rows if row.cells]
    counted = all(row.cell(0) == str(number) for number, row in enumerate(rows))
    if counted and len(rows) >= _SHORTEST_NUMBERED and all(_number(row.cell(1)) in (0, 1, 255) for row in rows):
        return StatedLabels(_binary([row.cell(1) for row in rows], rows, path))
    return StatedLabels(None, tuple(span for row in rows for span in _ranges(row, path)))


def _ranges(row: Row, path: Path) -> list[Span]:
    """Return the ranges in a line: any number of 10-20, or first and last alone."""
    if len(row.cells) == 2 and all(map(_is_value, row.cells)):
        return [_span(row, 0, 1, path)]
    spans = []
    for cell in row.cells:
        match = _RANGE.fullmatch(cell)
        if match is None:
            where = f"{path}, line {row.line}"
            cure = "Write a range a line, or one 0 or 1 a frame"
            raise LabelError(f"found {_shown(cell)}, expected a range such as 10-20", where, cure)
        spans.append(Span(f"line {row.line}", int(match[1]), int(match[2])))
    return spans


def _binary(cells: Sequence[str], rows: Sequence[Row], path: Path) -> Labels:
    """Return cells as 0 and 1; they may be 0 and 1, 0 and 255, or words."""
    numbers = np.array([_number(cell) for cell in cells])
    largest = _largest(numbers)
    wrong = np.flatnonzero((numbers != 0) & (numbers != largest))
    if wrong.size:
        row = rows[wrong[0]]
        raise _no_value(row, path, first=row is rows[0], found=cells[wrong[0]])
    labels: Labels = (numbers != 0).astype(np.uint8)
    return labels


def _largest(numbers: NDArray[np.float64]) -> float:
    """Return what stands for anomalous: 255 in files of 0 and 255, else 1."""
    return 255.0 if (numbers == 255).any() and not (numbers == 1).any() else 1.0


def _number(cell: str) -> float:
    try:
        return _WORDS[cell.casefold()] if cell.casefold() in _WORDS else float(cell)
    except ValueError:
        return np.nan


def _is_value(cell: str) -> bool:
    return not np.isnan(_number(cell))


def _whole(cell: str, row: Row, path: Path) -> int:
    match = re.fullmatch(r"([0-9]{1,12})(\.0*)?", cell)
    if not match:
        where = f"{path}, line {row.line}"
        raise LabelError(f"found {_shown(cell)}, expected a frame's number", where, "Count frames from 0")
    return int(match[1])


def _column(header: Sequence[str], names: Iterable[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _no_value(row: Row, path: Path, *, first: bool, found: str | None = None) -> LabelError:
    more = ", or a header with label, or with start and end" if first else ""
    shown = _shown(_joined(row) if found is None else found)
    return LabelError(f"found {shown}, expected 0 or 1{more}", f"{path}, line {row.line}", ONE_A_FRAME)


def _joined(row: Row) -> str:
    return ",".join(row.cells)


def _shown(found: str) -> str:
    return repr(found if len(found) <= 60 else found[:57] + "...")


# Arrays


def _arrays(path: Path) -> dict[str, Any]:
    """Return the arrays of a file by name; "" for that of a .npy."""
    try:
        with array_file(path):
            loaded = np.load(path, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"": loaded}
            with loaded:
                arrays = {name: loaded[name] for name in loaded.files}
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        if "Object arrays" in reason or "pickle" in reason:
            reason = "Python objects, which could run code; they were not opened"
        raise LabelError(f"cannot read the array ({reason})", str(path), ONE_A_FRAME) from error
    if not arrays or path.suffix.lower() == ".npy":
        found = "several arrays" if arrays else "no array"
        raise LabelError(f"found {found}, expected one row of numbers", str(path), ONE_A_FRAME)
    return arrays


def _of_array(array: NDArray[Any], path: Path, name: str) -> StatedLabels:
    where = f"{path}, {name}" if name else str(path)
    if array.dtype.kind in "iu" and array.ndim == 2 and array.shape[1] == 2 and (array > 1).any():
        return _of_array_pairs(array, where)
    if array.dtype.kind not in "biuf" or array.size != max(array.shape, default=1):
        found = f"shape {array.shape} and type {array.dtype}"
        raise LabelError(f"found {found}, expected one row of numbers", where, ONE_A_FRAME)
    values = array.reshape(-1).astype(np.float64)
    wrong = np.flatnonzero((values != 0) & (values != _largest(values)))
    if wrong.size:
        value = array.reshape(-1)[wrong[0]].item()
        raise LabelError(f"found {value}, expected 0 or 1", f"{where}, entry {wrong[0]}", ONE_A_FRAME)
    return StatedLabels((values != 0).astype(np.uint8))


def _of_array_pairs(array: NDArray[Any], where: str) -> StatedLabels:
    """Parse (K, 2) whole numbers: a frame and its label if the first count up from 0, else starts and ends."""
    counted = len(array) >= _SHORTEST_NUMBERED and np.array_equal(array[:, 0], np.arange(len(array)))
    if counted and np.isin(array[:, 1], (0, 1)).all():
        return StatedLabels(array[:, 1].astype(np.uint8))
    if (array < 0).any():
        raise LabelError("found a frame below 0", where, "Count frames from 0")
    rows = enumerate(array.tolist())
    return StatedLabels(None, tuple(Span(f"row {number}", start, end) for number, (start, end) in rows))
