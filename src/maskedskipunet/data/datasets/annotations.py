"""Texts that state anomalous ranges of frames, a video a line, as several data sets publish them."""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from maskedskipunet.data.labels import Ranges
from maskedskipunet.errors import LabelError
from maskedskipunet.files import read_text

LARGEST_BYTES = 100_000_000
_AS_SHIPPED = "Use the file that the data set ships"


def lines_of(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the cells, separated by blanks, of each line that is not empty. Raises LabelError."""
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if cells := line.split():
            yield number, cells


def names_in(path: Path) -> list[str]:
    """Return the names in a list: the first word of each line."""
    return [cells[0] for _, cells in lines_of(path)]


def table_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a .csv table (or one parted by tabs), by the names of its columns, in small letters."""
    text = _text(path)
    delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
    try:
        rows = list(csv.DictReader(text.splitlines(), delimiter=delimiter))
    except csv.Error as error:
        raise LabelError(f"not a table ({error})", str(path), _AS_SHIPPED) from error
    return [
        {name.strip().casefold(): (cell or "").strip() for name, cell in row.items() if isinstance(name, str)}
        for row in rows
    ]


def ranges_from(cells: Sequence[str], where: str, *, counted_from: int, end_included: bool = True) -> Ranges:
    """Return ranges from first, last, first, last, …; a range of -1 and -1, and one that ends before it begins, is
    none.

    counted_from: the file's number of the first frame; if it is 1, a 0 means the first frame too. Raises LabelError for
    what is no frame number.
    """
    if len(cells) % 2 or not all(re.fullmatch(r"-?[0-9]{1,9}(?:\.0*)?", cell) for cell in cells):
        raise LabelError(f"found {' '.join(cells)[:60]!r}, expected frame numbers in pairs", where, _AS_SHIPPED)
    numbers = [int(float(cell)) for cell in cells]
    found = []
    for first, last in zip(numbers[::2], numbers[1::2], strict=True):
        if first < 0 or last < 0:
            continue
        start, end = max(0, first - counted_from), last - counted_from - (0 if end_included else 1)
        if last < first:
            raise LabelError(f"found the range {first} to {last}, which is back to front", where, _AS_SHIPPED)
        if end >= start:
            found.append((start, end))
    return tuple(found)


def _text(path: Path) -> str:
    try:
        return read_text(path, max_bytes=LARGEST_BYTES, encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise LabelError(f"cannot read the labels ({error.strerror})", str(path), "Copy the file again") from error
