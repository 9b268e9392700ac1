"""Ground truth: which frames of a video are anomalous, from the files data sets state it in."""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.arrays import array_file
from maskedskipunet.data.matlab import mat_variable
from maskedskipunet.data.volumes import read_volume
from maskedskipunet.errors import LabelError
from maskedskipunet.files import read_text

Labels = NDArray[np.uint8]  # (frames,), 0 normal, 1 anomalous

Ranges = tuple[tuple[int, int], ...]
"""(first, last) anomalous frame, counted from 0 and both included, whatever the file counts from."""

LabelKind = Literal["ucsd", "mat", "csv", "npy", "txt", "volume"]

LABEL_KINDS: dict[str, LabelKind] = {".csv": "csv", ".npy": "npy", ".txt": "txt"}
"""Suffix of a label file that lies beside its video, to its kind."""

LARGEST_BYTES = 100_000_000  # of a text of labels: a frame a line, for weeks
_ONE_A_FRAME = "Give one 0 or 1 for each frame"
_COUNTED_FROM_ONE = ("ucsd", "mat")
_STATEMENT = re.compile(
    r"""\s* TestVideoFile \s* (?:
        = \s* \{ \s* \}
      | \{ \s* end \s* \+ \s* 1 \s* \} \s* \. \s* gt_frame \s* = \s*
        (?: \[ (?P<list>[^\]]*) \] | (?P<bare>[0-9][0-9:\ ]*) )
    ) \s* [;,]? """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class LabelSource:
    """Where a video's labels come from; they are read and checked once its frames are counted.

    path: the file. kind: how it is written; `volume` is masks, a frame with any pixel of which is anomalous.
    ranges: the video's anomalous frames where the file states several videos and was read already, else None.
    clip: which of the file's videos, from 1. of_clips: how many videos it states. frames: how many frames it states
    the video to have. cut: ranges may run past the end, as some published files do; what lies beyond counts nothing.
    called: what to call the label set, where the file's name does not tell it.
    """

    path: Path
    kind: LabelKind
    ranges: Ranges | None = None
    clip: int | None = None
    of_clips: int | None = None
    frames: int | None = None
    cut: bool = False
    called: str | None = None


class _Span(NamedTuple):
    place: str
    start: int
    end: int


def labels_for(source: LabelSource, frame_count: int) -> Labels:
    """The labels of a video of frame_count frames: uint8 (frame_count,), 0 normal, 1 anomalous.

    Raises LabelError when the file cannot be read or does not fit the video: a range beyond its end
    or back to front, another number of labels than frames, a value that is neither 0 nor 1.
    """
    if source.frames is not None and source.frames != frame_count:
        fault = f"found {source.frames} labels, expected {frame_count}, one a frame"
        raise LabelError(fault, str(source.path), _ONE_A_FRAME)
    if source.ranges is not None or source.kind in _COUNTED_FROM_ONE:
        place = f"clip {source.clip}" if source.clip else ""
        spans = [_Span(place, start, end) for start, end in _ranges_of_clip(source)]
        if source.cut:
            spans = [
                _Span(place, start, min(end, frame_count - 1)) for place, start, end in spans if start < frame_count
            ]
    elif source.kind == "npy":
        return _of_length(_npy_labels(source.path), frame_count, source.path)
    elif source.kind == "volume":
        return _of_length(read_volume(source.path).labels(), frame_count, source.path)
    elif source.kind == "csv":
        rows = _csv_rows(source.path)
        header = [cell.lower() for cell in rows[0][1]]
        if not {"start", "end"} <= set(header):
            return _of_length(_csv_labels(rows, header, source.path), frame_count, source.path)
        spans = _csv_spans(rows[1:], header, source.path)
    else:
        spans = _txt_spans(_text(source.path), source.path)
    return _filled(spans, frame_count, source.path, counted_from=int(source.kind in _COUNTED_FROM_ONE))


def ucsd_ranges(path: Path) -> list[Ranges]:
    """The anomalous ranges of each test clip, from the `.m` file UCSD ships.

    Lines read `TestVideoFile{end+1}.gt_frame = [5:90, 140:200];`, counted from 1, both ends included.
    Raises LabelError for anything else, naming the line.
    """
    lines = [re.sub(r"%.*|\.\.\..*", "", line) for line in _text(path).splitlines()]
    text = "\n".join(lines).rstrip()
    clips: list[Ranges] = []
    position = 0
    while position < len(text):
        statement = _STATEMENT.match(text, position)
        if not statement:
            raise _unreadable_statement(text, position, path)
        stated = statement["list"] if statement["list"] is not None else statement["bare"]
        if stated is not None:
            clips.append(_matlab_ranges(stated, path, f"clip {len(clips) + 1}"))
        position = statement.end()
    if not clips:
        raise LabelError("the file states no clip", str(path), "Use the file the data set ships")
    return clips


def mat_ranges(path: Path) -> list[Ranges]:
    """The anomalous ranges of each test clip, from the cell array `gt` of a `.mat` file.

    A cell is 2xK, starts above ends (or Kx2, a range a row; 2x2 is read as 2xK), counted from 1,
    both ends included; an empty cell is a normal clip.
    Raises LabelError when there is no such array or it holds anything else.
    """
    gt = mat_variable(path, "gt")
    if gt is None:
        raise LabelError("the file holds no variable gt", str(path), "Save the ranges as a cell array named gt")
    cells = gt.ravel(order="F") if gt.dtype == object else [gt]
    return [_cell_ranges(cell, path, f"clip {number}") for number, cell in enumerate(cells, start=1)]


def joined_ranges(path: Path, frame_counts: Sequence[int]) -> list[Ranges]:
    """The anomalous ranges of each test clip, from a `.npy` file with the labels of all clips one after another.

    frame_counts: frames of each clip, in order. Shapes (N,) and (1, N) are in use.
    Raises LabelError when there is another number of labels than frames.
    """
    labels = _npy_labels(path)
    if len(labels) != sum(frame_counts):
        fault = f"found {len(labels)} labels, but the {len(frame_counts)} test clips have {sum(frame_counts)} frames"
        raise LabelError(fault, str(path), "Use the file that was made for these clips, or remove it")
    return [ranges_of(part) for part in np.split(labels, np.cumsum(frame_counts)[:-1])]


def ranges_of(labels: Labels) -> Ranges:
    """The anomalous ranges of a video's labels, one a frame."""
    edges = np.flatnonzero(np.diff(labels.astype(np.int8), prepend=0, append=0)).tolist()
    return tuple((start, end - 1) for start, end in zip(edges[::2], edges[1::2], strict=True))


def holds_gt(path: Path) -> bool:
    """Whether a `.mat` file holds a variable `gt`; raises LabelError when it cannot be read."""
    return mat_variable(path, "gt") is not None


def _ranges_of_clip(source: LabelSource) -> Ranges:
    if source.ranges is not None:
        return source.ranges
    clips = ucsd_ranges(source.path) if source.kind == "ucsd" else mat_ranges(source.path)
    number = source.clip or 1
    if number > len(clips):
        raise LabelError(f"found {len(clips)} clips, expected clip {number}", str(source.path), "Name the right file")
    return clips[number - 1]


def _unreadable_statement(text: str, position: int, path: Path) -> LabelError:
    start = position + len(text[position:]) - len(text[position:].lstrip())
    number = text.count("\n", 0, start) + 1
    found = text[start:].split("\n", 1)[0]
    return LabelError(
        f"found {_shown(found)}, expected TestVideoFile{{end+1}}.gt_frame = [first:last];",
        _where(path, f"line {number}"),
        "Use the file the data set ships",
    )


def _matlab_ranges(stated: str, path: Path, place: str) -> Ranges:
    tokens = re.split(r"[,\s]+", re.sub(r"\s*:\s*", ":", stated))
    return tuple(_matlab_range(token, path, place) for token in tokens if token)


def _matlab_range(token: str, path: Path, place: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,12})(?::([0-9]{1,12}))?", token)
    if not match:
        raise LabelError(f"found {_shown(token)}, expected first:last", _where(path, place), "Use whole frame numbers")
    start, end = int(match[1]), int(match[2] or match[1])
    _require_order(start, end, path, place, counted_from=1)
    return start - 1, end - 1


def _cell_ranges(cell: Any, path: Path, place: str) -> Ranges:
    array = np.asarray(cell)
    if array.size == 0:
        return ()
    if array.ndim > 2 or 2 not in array.shape or array.dtype.kind not in "iuf":
        found = f"an array of shape {array.shape} and type {array.dtype}"
        raise LabelError(f"found {found}, expected numbers, 2xK", _where(path, place), "Put starts above ends")
    pairs = array.reshape(2, -1).T if array.ndim == 1 or array.shape[0] == 2 else array
    return tuple(_mat_range(start, end, path, place) for start, end in pairs.tolist())


def _mat_range(start: float, end: float, path: Path, place: str) -> tuple[int, int]:
    if not (float(start).is_integer() and float(end).is_integer()):
        raise LabelError(f"found the range {start}:{end}", _where(path, place), "Use whole frame numbers")
    _require_order(int(start), int(end), path, place, counted_from=1)
    return int(start) - 1, int(end) - 1


def _txt_spans(text: str, path: Path) -> list[_Span]:
    spans = []
    for number, line in enumerate(text.splitlines(), start=1):
        stated = line.split("#", 1)[0].strip()
        if not stated:
            continue
        place = f"line {number}"
        match = re.fullmatch(r"([0-9]{1,12})(?:\s*[-:]\s*|\s+)([0-9]{1,12})", stated)
        if not match:
            raise LabelError(
                f"found {_shown(stated)}, expected a range such as 10-20",
                _where(path, place),
                "Write a range a line, or one 0 or 1 a frame into a .csv file",
            )
        spans.append(_Span(place, int(match[1]), int(match[2])))
    return spans


_Row = tuple[int, list[str]]


def _csv_rows(path: Path) -> list[_Row]:
    """(line number, cells) of each line, at least one; blank lines at the end are no frames."""
    reader = csv.reader(_text(path).splitlines())
    try:
        rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise LabelError(f"not a table ({error})", _where(path, f"line {reader.line_num}"), _ONE_A_FRAME) from error
    while rows and not any(rows[-1][1]):
        rows.pop()
    if not rows:
        raise LabelError("the file is empty", str(path), _ONE_A_FRAME)
    return rows


def _csv_labels(rows: Sequence[_Row], header: list[str], path: Path) -> Labels:
    if "label" not in header:
        return np.array([_binary(",".join(row), number, path) for number, row in rows], np.uint8)
    if "frame" in header:
        _require_frames_in_order(rows[1:], header.index("frame"), path)
    return np.array([_binary(_cell(row, header.index("label")), number, path) for number, row in rows[1:]], np.uint8)


def _csv_spans(rows: Iterable[_Row], header: list[str], path: Path) -> list[_Span]:
    start, end = header.index("start"), header.index("end")
    return [_Span(f"line {n}", _whole(_cell(row, start), n, path), _whole(_cell(row, end), n, path)) for n, row in rows]


def _require_frames_in_order(rows: Iterable[_Row], column: int, path: Path) -> None:
    for expected, (number, row) in enumerate(rows):
        found = _whole(_cell(row, column), number, path)
        if found != expected:
            where = _where(path, f"line {number}")
            raise LabelError(f"found frame {found}, expected {expected}", where, "Number all frames from 0, in order")


def _cell(row: list[str], column: int) -> str:
    return row[column] if column < len(row) else ""


def _binary(cell: str, line: int, path: Path) -> int:
    if cell not in ("0", "1", "0.0", "1.0"):
        more = ", or a header with label, or with start and end" if line == 1 else ""
        raise LabelError(f"found {_shown(cell)}, expected 0 or 1{more}", _where(path, f"line {line}"), _ONE_A_FRAME)
    return int(cell[0])


def _whole(cell: str, line: int, path: Path) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", cell):
        where = _where(path, f"line {line}")
        raise LabelError(f"found {_shown(cell)}, expected a frame's number", where, "Count frames from 0")
    return int(cell)


def _npy_labels(path: Path) -> Labels:
    try:
        with array_file(path):
            array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise LabelError(f"cannot read the array ({reason})", str(path), _ONE_A_FRAME) from error
    if isinstance(array, np.ndarray) and array.ndim == 2 and len(array) == 1:
        array = array[0]
    if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind not in "biuf":
        found = f"shape {array.shape} and type {array.dtype}" if isinstance(array, np.ndarray) else "several arrays"
        raise LabelError(f"found {found}, expected one row of numbers", str(path), _ONE_A_FRAME)
    wrong = np.flatnonzero((array != 0) & (array != 1))
    if wrong.size:
        value = array[wrong[0]].item()
        raise LabelError(f"found {value}, expected 0 or 1", _where(path, f"entry {wrong[0]}"), _ONE_A_FRAME)
    return array.astype(np.uint8)


def _of_length(labels: Labels, frame_count: int, path: Path) -> Labels:
    if len(labels) != frame_count:
        raise LabelError(f"found {len(labels)} labels, expected {frame_count}, one a frame", str(path), _ONE_A_FRAME)
    return labels


def _filled(spans: Iterable[_Span], frame_count: int, path: Path, counted_from: int) -> Labels:
    labels = np.zeros(frame_count, dtype=np.uint8)
    for place, start, end in spans:
        _require_order(start + counted_from, end + counted_from, path, place, counted_from)
        if end >= frame_count:
            raise LabelError(
                f"found the range {start + counted_from} to {end + counted_from}, "
                f"but the last of the {frame_count} frames is {frame_count - 1 + counted_from}",
                _where(path, place),
                "Check that the labels belong to this video",
            )
        labels[start : end + 1] = 1
    return labels


def _require_order(start: int, end: int, path: Path, place: str, counted_from: int) -> None:
    if start > end or start < counted_from:
        fault = "which is back to front" if start > end else f"but frames count from {counted_from}"
        cure = "Name the first frame, then the last"
        raise LabelError(f"found the range {start} to {end}, {fault}", _where(path, place), cure)


def _where(path: Path, place: str) -> str:
    return f"{path}, {place}" if place else str(path)


def _shown(found: str) -> str:
    return repr(found if len(found) <= 60 else found[:57] + "...")


def _text(path: Path) -> str:
    try:
        # Comments may be in any encoding; what is no number fails where it is parsed, with its line.
        return read_text(path, most_bytes=LARGEST_BYTES, encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise LabelError(f"cannot read the labels ({error.strerror})", str(path), "Copy the file again") from error
