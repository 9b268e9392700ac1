"""Reads the rows of a text file of labels, in any encoding and with any separator."""

import codecs
import csv
import re
from dataclasses import dataclass
from pathlib import Path

from maskedskipunet.errors import LabelError
from maskedskipunet.files import read_content

LARGEST_BYTES = 500_000_000  # of a text of labels: a frame a line, for months
_ONE_A_FRAME = "Give one 0 or 1 for each frame"
_WITH_MARK = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a line, stripped, without empty ones at its end. line: its number, from 1."""

    line: int
    cells: tuple[str, ...]

    def cell(self, column: int) -> str:
        """Return the cell in a column, empty if the line is too short."""
        return self.cells[column] if column < len(self.cells) else ""


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a text of labels, blank ones too, but those at the end.

    Cells are separated by `;`, else by commas, else by tabs, as in the first line with words, else by blanks. A `#`
    starts a comment. A list in brackets, as Python prints it, is one row. Raises LabelError when the file cannot be
    read or is no table.
    """
    text = read_label_text(path)
    if text.lstrip().startswith("["):
        cells = re.split(r"[\s,;]+", re.sub(r"[\[\]()]", " ", text).strip())
        return [Row(1, tuple(cells))]
    stated = [
        (number, re.sub(r"\s#.*", "", line).strip())
        for number, line in enumerate(text.splitlines(), start=1)
        if not line.lstrip().startswith("#")
    ]
    while stated and not stated[-1][1].strip(",;"):
        stated.pop()
    first = next((line for _, line in stated if line), "")
    mark = next((mark for mark in ";,\t" if mark in first), None)
    return [Row(number, _cells(line, mark, path, number)) for number, line in stated]


def read_label_text(path: Path) -> str:
    """Return the text of a file, in UTF-8 or UTF-16. Raises LabelError when it cannot be read."""
    try:
        content = read_content(path, max_bytes=LARGEST_BYTES)
    except OSError as error:
        raise LabelError(f"cannot read the labels ({error.strerror})", str(path), "Copy the file again") from error
    for mark, encoding in _WITH_MARK:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    for encoding, low_byte in (("utf-16-le", 1), ("utf-16-be", 0)):
        # Digits and ASCII words in UTF-16 have a zero beside each: so written by some without a mark in front.
        if len(content) > 1 and not any(content[low_byte:64:2]) and any(content[:64]):
            return content.decode(encoding, "replace")
    # Remarks may be in any encoding; what is no number fails where it is parsed, with its line.
    return content.decode("utf-8", "replace")


def _cells(line: str, mark: str | None, path: Path, number: int) -> tuple[str, ...]:
    if mark is None:
        joined = re.sub(r"(?<=[0-9])\s*([-:])\s*(?=[0-9])", r"\1", line)  # a range may have blanks in it
        cells = [cell.strip("\"'") for cell in re.split(r"[\s,;]+", joined) if cell]
    else:
        try:
            cells = [cell.strip() for row in csv.reader([line], delimiter=mark) for cell in row]
        except csv.Error as error:
            raise LabelError(f"not a table ({error})", f"{path}, line {number}", _ONE_A_FRAME) from error
    while cells and not cells[-1]:
        cells.pop()
    return tuple(cells)
