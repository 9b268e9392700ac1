"""Finds the frame number of each image of a folder from its name."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from maskedskipunet.data.naming import natural_key

LONGEST_SPAN = 10  # frames for each image: beyond it the numbers are no frame numbers
_SMALLEST_TIME = 100_000_000  # numbers from here on that jump are times, since 1970 say
_NAMES_SHOWN = 3

FrameRange = tuple[int, int]
"""First and last index of some frames, both included."""


@dataclass(frozen=True, slots=True)
class FrameFiles:
    """The images of a folder in order, each with the index of its frame.

    indices: of each file, from 0, rising; a missing number has an index and no file. count: all frames, also those
    without a file. unplaced: why other files' frame numbers cannot be used here, a clause; empty if they can. notes:
    for people, a line each.
    """

    files: tuple[Path, ...]
    indices: tuple[int, ...]
    unplaced: str = ""
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Frames from the first file to the last, with those that are missing between."""
        return self.indices[-1] + 1 if self.indices else 0

    @property
    def missing(self) -> tuple[FrameRange, ...]:
        """The frames that have no file."""
        pairs = pairwise(self.indices)
        return tuple((before + 1, after - 1) for before, after in pairs if after - before > 1)


@dataclass(frozen=True, slots=True)
class _Numbered:
    """Files that carry one running number. left_out: copies of a frame, and images without a number among them."""

    by_number: dict[int, Path]
    copies: tuple[Path, ...]
    strangers: tuple[Path, ...]


def number_frames(files: Sequence[Path], pictures: Sequence[Path] = ()) -> FrameFiles:
    """Give each image of a folder its frame; files in natural order. pictures: images beside them that are no frames.

    Where names agree but for one number, that is the frame's number: a gap between numbers is kept, and of files with
    one number (001.jpg beside 001.png, `040 (1).jpg`) one is taken. Elsewhere the files' order counts.
    """
    numbered = _numbered(files)
    beside = _left_out(pictures, "a picture beside frames", "pictures beside frames")
    if numbered is None:
        return FrameFiles(tuple(files), tuple(range(len(files))), notes=tuple(beside))
    numbers = sorted(numbered.by_number)
    taken = tuple(numbered.by_number[number] for number in numbers)
    left_out = [
        *beside,
        *_left_out(numbered.copies, "a second image of a frame", "second images of frames"),
        *_left_out(numbered.strangers, "no frame's number in its name", "no frame's number in their names"),
    ]
    indices, unplaced, notes = _placed(numbers)
    return FrameFiles(taken, indices, unplaced, (*left_out, *notes))


def _placed(numbers: Sequence[int]) -> tuple[tuple[int, ...], str, list[str]]:
    """Return the index of each number, why the numbers are no indices, and notes."""
    in_order = tuple(range(len(numbers)))
    steps = [after - before for before, after in pairwise(numbers)]
    jumps = any(step != 1 for step in steps)
    if jumps and (numbers[-1] >= _SMALLEST_TIME or _are_clock_times(numbers)):
        return in_order, "", []
    step, often = min(Counter(steps).items(), key=lambda found: (-found[1], found[0]), default=(1, 1))
    regular = 2 * often >= len(steps) and all(gap % step == 0 for gap in steps)
    if not regular or (numbers[-1] - numbers[0]) // step >= LONGEST_SPAN * len(numbers):
        fault = f"the numbers in the images' names jump ({_some(numbers)})"
        return in_order, fault, [f"{fault}: the images are taken as one frame after another"]
    indices = tuple((number - numbers[0]) // step for number in numbers)
    notes = _gap_notes(numbers, step)
    if step > 1:
        fault = f"the images are numbered in steps of {step} ({_some(numbers)})"
        return indices, fault, notes
    if numbers[0] > 1:
        fault = f"the images' numbers begin at {numbers[0]}"
        return indices, fault, [fault, *notes]
    return indices, "", notes


def _gap_notes(numbers: Sequence[int], step: int) -> list[str]:
    gaps = [(before + step, after - step) for before, after in pairwise(numbers) if after - before > step]
    if not gaps:
        return []
    count = sum((last - first) // step + 1 for first, last in gaps)
    shown = [f"{first}" if first == last else f"{first} to {last}" for first, last in gaps[:_NAMES_SHOWN]]
    more = f" and {len(gaps) - _NAMES_SHOWN} more gaps" if len(gaps) > _NAMES_SHOWN else ""
    images = "1 image is" if count == 1 else f"{count:,} images are"
    return [f"{images} missing by the numbers in the names: {', '.join(shown)}{more}; the other frames keep theirs"]


def _are_clock_times(numbers: Sequence[int]) -> bool:
    """Return whether numbers read as hours, minutes and seconds: 120059 is followed by 120100."""
    sixties = all(number % 100 < 60 and number // 100 % 100 < 60 for number in numbers)
    return sixties and numbers[-1] >= 10_000 and numbers[-1] // 100 > numbers[0] // 100


def _some(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:_NAMES_SHOWN])) + (", …" if len(numbers) > _NAMES_SHOWN else "")


def _left_out(files: Sequence[Path], singular: str, plural: str) -> list[str]:
    if not files:
        return []
    more = f" and {len(files) - _NAMES_SHOWN} more" if len(files) > _NAMES_SHOWN else ""
    names = ", ".join(file.name for file in files[:_NAMES_SHOWN]) + more
    return [f"left out: {names} ({singular if len(files) == 1 else plural})"]


# Which number of a name is the frame's


def _numbered(files: Sequence[Path]) -> _Numbered | None:
    """Return the files by their frame's number; None where their names do not agree in all but one number."""
    groups: dict[tuple[str, ...], list[Path]] = {}
    for file in files:
        groups.setdefault(_texts(file), []).append(file)
    if not groups:
        return None
    shape, main = max(groups.items(), key=lambda group: (len(group[1]), -len(group[0]), -len("".join(group[0]))))
    field = _running_field(shape, main)
    if field is None:
        return None
    number_of = {file: _numbers(file)[field] for file in main}
    others = [file for file in files if file not in number_of]
    named_after = {file: number for file in others if (number := _number_before_more(file, shape, field)) is not None}
    strangers = [file for file in others if file not in named_after]
    few = len(strangers) * 10 <= len(main) or (len(strangers) == 1 and len(main) > 2)
    if strangers and (not few or any(map(_numbers, strangers))):
        return None
    suffixes = Counter(file.suffix.lower() for file in main)
    by_number: dict[int, Path] = {}
    copies = []
    for file in sorted([*main, *named_after], key=lambda file: (file in named_after, -suffixes[file.suffix.lower()])):
        if by_number.setdefault({**number_of, **named_after}[file], file) is not file:
            copies.append(file)
    return _Numbered(by_number, tuple(sorted(copies, key=lambda file: natural_key(file.name))), tuple(strangers))


def _running_field(shape: tuple[str, ...], files: Sequence[Path]) -> int | None:
    """Return which of the numbers in names of one shape runs from frame to frame; None if none does, or
    several may.
    """
    fields = range(len(shape) - 1)
    if not fields or len(files) < 2:  # one image has no neighbour to differ from
        return None
    values = list(zip(*map(_numbers, files), strict=True))
    varying = [field for field in fields if len(set(values[field])) > 1]
    if not varying:
        return fields[-1]  # images of one frame, 001.jpg and 001.png
    if len(varying) > 1:
        varying = [field for field in varying if _runs(values[field])]
    return varying[0] if len(varying) == 1 else None


def _runs(numbers: Sequence[int]) -> bool:
    ordered = sorted(numbers)
    ones = sum(after - before == 1 for before, after in pairwise(ordered))
    return len(set(ordered)) == len(ordered) and 2 * ones >= len(ordered) - 1


def _number_before_more(file: Path, shape: tuple[str, ...], field: int) -> int | None:
    """Return the frame that a name says before more of its own: 40 of `040 (1).jpg` and `040 copy.jpg`
    among 001.jpg …
    """
    pattern = "([0-9]{1,18})".join(map(re.escape, shape)) + r"(?![0-9])"
    match = re.match(pattern, file.stem.casefold())
    return int(match[field + 1]) if match else None


def _texts(file: Path) -> tuple[str, ...]:
    return tuple(re.split(r"[0-9]{1,18}", file.stem.casefold()))


def _numbers(file: Path) -> list[int]:
    return [int(digits) for digits in re.findall(r"[0-9]{1,18}", file.stem)]
