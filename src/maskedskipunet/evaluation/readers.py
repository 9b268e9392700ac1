"""Reading scores of frames from the files that methods write, and tables of labels that stand beside scores.

Nothing here knows how many frames a clip has: `alignment` holds what was read against the clips.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.arrays import array_file
from maskedskipunet.data.naming import visible_children
from maskedskipunet.errors import DataError
from maskedskipunet.files import read_text

Floats = NDArray[np.float64]
Column = str  # "score", "label", or the name of a cue

SUFFIXES = (".npy", ".npz", ".csv", ".txt", ".parquet")
ONE_CLIP = (".npy", ".csv", ".txt")
OWN_SCORES = "scores.parquet"
LARGEST_BYTES = 500_000_000  # of a text of scores
_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib")
_PLAIN = "Save plain numbers with numpy.save, one array a clip or one for all"


@dataclass(frozen=True, slots=True)
class Clip:
    """The numbers of one clip. values: float (N,), NaN for none. frames: (N,), None: consecutive."""

    name: str
    values: Floats
    frames: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """The scores of a file or folder.

    concatenated: one row of numbers for all clips, which names none of them. of: what the numbers are, for errors.
    """

    path: Path
    clips: tuple[Clip, ...]
    concatenated: bool = False
    of: str = "scores"


def read_series(path: Path) -> Series:
    """Read scores of frames, wherever they come from.

    A folder that holds `scores.parquet`, or a file a clip (.npy, .csv, .txt). A .parquet or .csv table with the
    columns video, frame and score (without frame: one after another). One column alone, in .csv, .txt or .npy:
    all clips one after another. A .npz: an array a clip, or one for all.
    Raises DataError for anything else; no pickle is ever opened.
    """
    if path.is_dir():
        own = path / OWN_SCORES
        return _parquet(own, "score") if own.is_file() else _folder(path)
    if not path.exists():
        raise DataError("no such file or folder", str(path), "Name a run, or a file of scores")
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet(path, "score")
    if suffix == ".csv":
        return _csv(path)
    if suffix == ".npz":
        return _npz(path)
    return Series(path, (Clip(path.stem, _row(path)),), concatenated=True)


def read_label_table(path: Path) -> Series:
    """Return the labels in a .parquet table with the columns video, frame and label, of the videos that have any.

    Raises DataError for what is no such table.
    """
    return _parquet(path, "label")


def read_cues(path: Path, names: Sequence[str]) -> dict[str, Series]:
    """Return the scores of single cues that stand beside a model's own, by their names; none if the file has none.

    path: as for read_series. names: the columns to look for, in `scores.parquet` only. Raises DataError for columns
    that cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    own = path / OWN_SCORES if path.is_dir() else path
    if own.suffix.lower() != ".parquet" or not own.is_file():
        return {}
    try:
        columns = pq.read_schema(own).names
    except (OSError, pa.ArrowException) as error:
        raise DataError("cannot read the Parquet file", str(own), "Make it again") from error
    return {name: _parquet(own, name) for name in names if name in columns}


def _folder(folder: Path) -> Series:
    files = [child for child in visible_children(folder) if child.suffix.lower() in ONE_CLIP and child.is_file()]
    if not files:
        kinds = f"{OWN_SCORES} and no .npy, .csv or .txt"
        raise DataError(f"the folder holds no {kinds}", str(folder), "Name a folder with one such file a clip")
    names = [_clip_name(file) for file in files]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise DataError(f"two files are named {twice[0]}", str(folder), "Keep one file a clip")
    clips = []
    for name, file in zip(names, files, strict=True):
        if file.suffix.lower() == ".csv":
            (clip, *more) = _csv(file).clips
            if more:
                raise DataError(f"the table holds {1 + len(more)} videos", str(file), "Name the table itself")
            clips.append(Clip(name, clip.values, clip.frames))
        else:
            clips.append(Clip(name, _row(file)))
    return Series(folder, tuple(clips))


def _clip_name(file: Path) -> str:
    return file.stem[: -len("_labels")] if file.stem.casefold().endswith("_labels") else file.stem


def _row(path: Path) -> Floats:
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _numbers(_load(path), path)
    if suffix == ".txt":
        return _txt(path)
    cure = _PLAIN if suffix in _PICKLES else f"Name a file that ends in {', '.join(SUFFIXES)}"
    why = ", which could run code" if suffix in _PICKLES else ""
    raise DataError(f"cannot read {suffix or 'such'} files{why}", str(path), cure)


def _load(path: Path) -> Any:
    try:
        with array_file(path):
            return np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        if "Object arrays" in str(error) or "pickle" in str(error):
            fault = "not plain numbers but Python objects, which could run code; they were not opened"
            raise DataError(fault, str(path), _PLAIN) from error
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(f"cannot read the array ({reason})", str(path), _PLAIN) from error


def _npz(path: Path) -> Series:
    try:
        with array_file(path), path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError) as error:
        holds_objects = "Object arrays" in str(error) or "pickle" in str(error)
        fault = "Python objects in it, which could run code; they were not opened" if holds_objects else str(error)
        raise DataError(f"cannot read the arrays ({fault})", str(path), _PLAIN) from error
    if not arrays:
        raise DataError("the file holds no array", str(path), _PLAIN)
    clips = tuple(Clip(name, _numbers(array, path, name)) for name, array in arrays.items())
    return Series(path, clips, concatenated=len(clips) == 1)


def _numbers(array: Any, path: Path, location: str = "") -> Floats:
    """Return a one-dimensional array as checked numbers; axes of length 1 are ignored."""
    where = f"{path}, {location}" if location else str(path)
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise DataError("the array holds no numbers", where, _PLAIN)
    if array.size and array.size != max(array.shape, default=1):
        raise DataError(f"found an array of shape {array.shape}, expected one row of scores", where, _PLAIN)
    return _checked(array.reshape(-1).astype(np.float64), "score", where)


def _checked(values: Floats, column: Column, where: str) -> Floats:
    """Scores are finite or missing, labels 0 or 1."""
    if column == "label":
        wrong, expected = np.flatnonzero((values != 0) & (values != 1)), "expected 0 or 1"
    else:
        wrong, expected = np.flatnonzero(np.isinf(values)), "expected a number, or nan where a frame has none"
    if wrong.size:
        found = values[wrong[0]]
        cure = "Give one 0 or 1 for each frame" if column == "label" else "Mend the scores"
        raise DataError(f"{column} {wrong[0]} (from 0) is {found:g}, {expected}", where, cure)
    return values


def _txt(path: Path) -> Floats:
    values = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        cells = line.replace(",", " ").split()
        if len(cells) > 1:
            fault = f"found {len(cells)} values in a line, expected one score"
            raise DataError(fault, f"{path}, line {number}", "Write one score a line")
        values += [_float(cell, path, number) for cell in cells]
    return _checked(np.array(values, np.float64), "score", str(path))


def _csv(path: Path) -> Series:
    reader = csv.reader(_text(path).splitlines())
    try:
        rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise DataError(f"not a table ({error})", f"{path}, line {reader.line_num}", "Write a .csv table") from error
    while rows and not rows[-1][1]:
        rows.pop()
    if not rows:
        raise DataError("the file is empty", str(path), "Give one score a frame")
    header = [cell.casefold() for cell in rows[0][1]]
    if all(_is_number(cell) for cell in header):
        header = ["score"] if len(header) == 1 else header
    else:
        rows = rows[1:]
    if len(header) == 1:
        header = ["score"]
    if "score" not in header:
        fault = f"found the columns {', '.join(header)[:60]}, none is score"
        raise DataError(fault, str(path), "Write the header video,frame,score, or one column alone")
    for number, cells in rows:
        if len(cells) != len(header):
            where = f"{path}, line {number}"
            raise DataError(f"found {len(cells)} cells, expected {len(header)}", where, "Complete the table")
    cells_of = {name: [cells[index] for _, cells in rows] for index, name in enumerate(header)}
    lines = [number for number, _ in rows]
    values = _floats(cells_of["score"], lines, path)
    frames = _floats(cells_of["frame"], lines, path) if "frame" in header else None
    return _table(path, "score", cells_of.get("video"), frames, values)


def _parquet(path: Path, column: Column) -> Series:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        cure = f"Name a .parquet file with the columns video, frame, {column}"
        raise DataError("cannot read the Parquet file", str(path), cure) from error
    missing = [name for name in ("video", "frame", column) if name not in table.column_names]
    if missing:
        fault = f"the table has no column {missing[0]}, only {', '.join(table.column_names)[:60]}"
        raise DataError(fault, str(path), f"Name a .parquet file with the columns video, frame, {column}")
    if column == "label":  # a video without ground truth has none to give
        table = table.filter(table[column].is_valid()) if table[column].null_count else table
    try:
        values, frames = (np.array(table[name].cast(pa.float64()).to_numpy(), np.float64) for name in (column, "frame"))
    except pa.ArrowException as error:
        raise DataError(f"the columns frame and {column} are not numbers", str(path), "Write numbers") from error
    return _table(path, column, [str(video) for video in table["video"].to_pylist()], frames, values)


def _table(path: Path, column: Column, videos: Sequence[str] | None, frames: Floats | None, values: Floats) -> Series:
    values = _checked(values, column, str(path))
    if videos is None:
        return Series(path, (_table_clip(path, path.stem, frames, values),), concatenated=frames is None)
    names = list(dict.fromkeys(videos))
    number = {name: index for index, name in enumerate(names)}
    video = np.array([number[name] for name in videos], np.int64)
    clips = []
    for index, name in enumerate(names):
        rows = np.flatnonzero(video == index)
        clips.append(_table_clip(path, name, None if frames is None else frames[rows], values[rows]))
    return Series(path, tuple(clips))


def _table_clip(path: Path, name: str, frames: Floats | None, values: Floats) -> Clip:
    if frames is None:
        return Clip(name, values)
    where = f"{path}, {name}"
    wrong = frames[~((frames >= 0) & (frames == np.floor(frames)))]
    if wrong.size:
        raise DataError(f"found the frame {wrong[0]:g}", where, "Number frames from 0, in whole numbers")
    order = np.argsort(frames, kind="stable")
    ordered = frames[order].astype(np.int64)
    twice = ordered[1:][np.diff(ordered) == 0]
    if twice.size:
        raise DataError(f"frame {twice[0]} stands there twice", where, "Keep one row a frame")
    return Clip(name, values[order], ordered)


def _floats(cells: Iterable[str], lines: Iterable[int], path: Path) -> Floats:
    return np.array([_float(cell, path, line) for cell, line in zip(cells, lines, strict=True)], np.float64)


def _float(cell: str, path: Path, line: int) -> float:
    try:
        return float(cell) if cell else np.nan
    except ValueError as error:
        shown = repr(cell if len(cell) <= 40 else cell[:39] + "…")
        raise DataError(f"found {shown}, expected a number", f"{path}, line {line}", "Write plain numbers") from error


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell == ""
    return True


def _text(path: Path) -> str:
    try:
        return read_text(path, max_bytes=LARGEST_BYTES, encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("not a text file", str(path), "Write plain numbers as text") from error
    except OSError as error:
        raise DataError(f"cannot read the file ({error.strerror})", str(path), "Copy it again") from error
