"""Ground truth: which frames of a video are anomalous, from the files data sets state it in."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.frames import SourceInfo
from maskedskipunet.data.label_files import ONE_A_FRAME, Labels, Span, StatedLabels, read_label_file
from maskedskipunet.data.label_rows import read_label_text
from maskedskipunet.data.matlab import mat_variable
from maskedskipunet.data.volumes import read_volume
from maskedskipunet.errors import LabelError

Ranges = tuple[tuple[int, int], ...]
"""(first, last) anomalous frame, counted from 0 and both included, whatever the file counts from."""

LabelKind = Literal["ucsd", "mat", "csv", "npy", "txt", "npz", "volume"]

LABEL_KINDS: dict[str, LabelKind] = {".csv": "csv", ".npy": "npy", ".txt": "txt"}
"""Suffix of a label file that lies beside its video, to its kind."""

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
    """The source of a video's labels, which are read and checked once its frames are counted.

    path: the file, or a folder of masks. kind: its format; `volume` means masks: a frame with any marked pixel is
    anomalous. ranges: the video's anomalous frames if the file holds several videos and was read already, else None.
    clip: number of the video in the file, from 1. video: its name in a file that names several. of_clips: the number of
    videos in the file. frames: the number of labels for the video. clip_to_length: ranges may run past the end, as in
    some published files; the rest is ignored. called: the name of the label set, if the file's name does not give it.
    """

    path: Path
    kind: LabelKind
    ranges: Ranges | None = None
    clip: int | None = None
    video: str | None = None
    of_clips: int | None = None
    frames: int | None = None
    clip_to_length: bool = False
    called: str | None = None


def labels_of(source: LabelSource, info: SourceInfo) -> Labels:
    """Return the labels of a video: uint8, one for each frame, also without an image. Raises LabelError, as labels_for
    does.

    There may be one label for each existing image, or one for each frame including missing ones. Ranges need frames
    that are identified by their numbers.
    """
    return labels_for(source, info.frame_count, info.missing, info.unplaced)


def labels_for(
    source: LabelSource, frame_count: int, missing: Sequence[tuple[int, int]] = (), unplaced: str = ""
) -> Labels:
    """Return the labels of a video of frame_count frames: uint8 (frame_count,), 0 normal, 1 anomalous.

    missing, unplaced: of the video's SourceInfo.
    Raises LabelError when the file cannot be read or does not fit the video: a range beyond its end
    or back to front, another number of labels than frames, a value that is neither 0 nor 1.
    """
    if source.kind == "volume":
        return placed_labels(read_volume(source.path).labels(), frame_count, missing, source.path)
    counted_from = int(source.kind in _COUNTED_FROM_ONE)
    if source.ranges is not None or counted_from:
        location = f"clip {source.clip}" if source.clip else ""
        spans: Sequence[Span] = [Span(location, start, end) for start, end in _ranges_of_clip(source)]
        if source.frames is not None:  # the ranges were labels, one a frame or one an image
            values = filled(spans, source.frames, source.path, counted_from)
            return placed_labels(values, frame_count, missing, source.path)
        if source.clip_to_length:
            spans = _cut_off(spans, frame_count)
    else:
        stated = _stated(source)
        if stated.values is not None:
            return _of_values(stated, frame_count, missing, source.path)
        spans = stated.spans
    if spans and unplaced and not (source.ranges is not None and source.kind == "npy"):  # those were labels by frame
        cure = "Give one 0 or 1 for each image, or number the images from 0 or 1 in steps of 1"
        raise LabelError(f"found ranges of frames, but {unplaced}", str(source.path), cure)
    return filled(spans, frame_count, source.path, counted_from)


def _cut_off(spans: Iterable[Span], frame_count: int) -> list[Span]:
    return [Span(location, start, min(end, frame_count - 1)) for location, start, end in spans if start < frame_count]


def placed_labels(values: Labels, frame_count: int, missing: Sequence[tuple[int, int]], path: Path) -> Labels:
    """Return one label a frame, or one an image: frames without an image are normal. Raises LabelError for other
    numbers.
    """
    has_image = np.ones(frame_count, bool)
    for first, last in missing:
        has_image[first : last + 1] = False
    images = int(has_image.sum())
    if len(values) == frame_count:
        return values
    if len(values) != images:
        expected = f"{frame_count}, one a frame" if images == frame_count else f"{images}, one an image"
        whole = "" if images == frame_count else f" (or {frame_count} with the missing ones)"
        raise LabelError(f"found {len(values)} labels, expected {expected}{whole}", str(path), ONE_A_FRAME)
    labels = np.zeros(frame_count, np.uint8)
    labels[has_image] = values
    return labels


def _stated(source: LabelSource) -> StatedLabels:
    stated = read_label_file(source.path)
    if source.video is not None and source.video in stated:
        return stated[source.video]
    if len(stated) == 1:
        return next(iter(stated.values()))
    names = ", ".join(list(stated)[:3])
    fault = f"the file states {len(stated)} videos ({names}{', …' if len(stated) > 3 else ''})"
    raise LabelError(fault, str(source.path), "Keep one video's labels in the file beside it")


def _of_values(stated: StatedLabels, frame_count: int, missing: Sequence[tuple[int, int]], path: Path) -> Labels:
    """Return values at the frames they state, else one after another."""
    assert stated.values is not None
    if stated.frames is None or np.array_equal(stated.frames, np.arange(len(stated.frames))):
        return placed_labels(stated.values, frame_count, missing, path)
    needed = np.setdiff1d(
        np.arange(frame_count), [index for first, last in missing for index in range(first, last + 1)]
    )
    for found, expected, line in zip(stated.frames, _expected(stated.frames, needed), stated.lines, strict=True):
        if found != expected:
            cure = "Number all frames from 0, in order"
            raise LabelError(f"found frame {found}, expected {expected}", f"{path}, line {line}", cure)
    return placed_labels(stated.values, frame_count, missing, path)


def _expected(frames: NDArray[np.int64], needed: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the frames that labels must state: all from 0 on, or of images with gaps those that are there."""
    return needed if len(frames) == len(needed) else np.arange(len(frames))


def ucsd_ranges(path: Path) -> list[Ranges]:
    """Return the anomalous ranges of each test clip, from the `.m` file UCSD ships.

    Lines read `TestVideoFile{end+1}.gt_frame = [5:90, 140:200];`, counted from 1, both ends included.
    Raises LabelError for anything else, naming the line.
    """
    lines = [re.sub(r"%.*|\.\.\..*", "", line) for line in read_label_text(path).splitlines()]
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
    """Return the anomalous ranges of each test clip, from the cell array `gt` of a `.mat` file.

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
    """Return the anomalous ranges of each test clip, from a `.npy` file with the labels of all clips one after another.

    frame_counts: frames of each clip, in order. Shapes (N,) and (1, N) are in use.
    Raises LabelError when there is another number of labels than frames.
    """
    labels = _stated(LabelSource(path, "npy")).values
    if labels is None:
        raise LabelError("found ranges, expected one label a frame", str(path), ONE_A_FRAME)
    if len(labels) != sum(frame_counts):
        fault = f"found {len(labels)} labels, but the {len(frame_counts)} test clips have {sum(frame_counts)} frames"
        raise LabelError(fault, str(path), "Use the file that was made for these clips, or remove it")
    return [ranges_of(part) for part in np.split(labels, np.cumsum(frame_counts)[:-1])]


def ranges_of(labels: Labels) -> Ranges:
    """Return the anomalous ranges of a video's frame labels."""
    edges = np.flatnonzero(np.diff(labels.astype(np.int8), prepend=0, append=0)).tolist()
    return tuple((start, end - 1) for start, end in zip(edges[::2], edges[1::2], strict=True))


def holds_gt(path: Path) -> bool:
    """Return whether a `.mat` file holds a variable `gt`; raises LabelError when it cannot be read."""
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


def _matlab_ranges(stated: str, path: Path, location: str) -> Ranges:
    tokens = re.split(r"[,\s]+", re.sub(r"\s*:\s*", ":", stated))
    return tuple(_matlab_range(token, path, location) for token in tokens if token)


def _matlab_range(token: str, path: Path, location: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,12})(?::([0-9]{1,12}))?", token)
    if not match:
        raise LabelError(
            f"found {_shown(token)}, expected first:last", _where(path, location), "Use whole frame numbers"
        )
    start, end = int(match[1]), int(match[2] or match[1])
    _require_order(start, end, path, location, counted_from=1)
    return start - 1, end - 1


def _cell_ranges(cell: Any, path: Path, location: str) -> Ranges:
    array = np.asarray(cell)
    if array.size == 0:
        return ()
    if array.ndim > 2 or 2 not in array.shape or array.dtype.kind not in "iuf":
        found = f"an array of shape {array.shape} and type {array.dtype}"
        raise LabelError(f"found {found}, expected numbers, 2xK", _where(path, location), "Put starts above ends")
    pairs = array.reshape(2, -1).T if array.ndim == 1 or array.shape[0] == 2 else array
    return tuple(_mat_range(start, end, path, location) for start, end in pairs.tolist())


def _mat_range(start: float, end: float, path: Path, location: str) -> tuple[int, int]:
    if not (float(start).is_integer() and float(end).is_integer()):
        raise LabelError(f"found the range {start}:{end}", _where(path, location), "Use whole frame numbers")
    _require_order(int(start), int(end), path, location, counted_from=1)
    return int(start) - 1, int(end) - 1


def filled(spans: Iterable[Span], frame_count: int, path: Path, counted_from: int = 0) -> Labels:
    """Return labels of so many frames from ranges; errors count frames from counted_from. Raises LabelError."""
    labels = np.zeros(frame_count, dtype=np.uint8)
    for location, start, end in spans:
        _require_order(start + counted_from, end + counted_from, path, location, counted_from)
        if end >= frame_count:
            raise LabelError(
                f"found the range {start + counted_from} to {end + counted_from}, "
                f"but the last of the {frame_count} frames is {frame_count - 1 + counted_from}",
                _where(path, location),
                "Check that the labels belong to this video",
            )
        labels[start : end + 1] = 1
    return labels


def _require_order(start: int, end: int, path: Path, location: str, counted_from: int) -> None:
    if start > end or start < counted_from:
        fault = "which is back to front" if start > end else f"but frames count from {counted_from}"
        cure = "Name the first frame, then the last"
        raise LabelError(f"found the range {start} to {end}, {fault}", _where(path, location), cure)


def _where(path: Path, location: str) -> str:
    return f"{path}, {location}" if location else str(path)


def _shown(found: str) -> str:
    return repr(found if len(found) <= 60 else found[:57] + "...")
