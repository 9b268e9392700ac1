"""Score curves of cameras: a day, a month or the last minutes, read in milliseconds however many frames they hold."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import ceil, isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.errors import RecordsError
from maskedskipunet.records.curve_files import (
    ENTRY,
    LATEST_UNIX_S,
    SPANS_S,
    CurveFiles,
    Entries,
    by_day,
    days_between,
    end_of,
    reduced,
)

MAX_POINTS = 20_000


@dataclass(frozen=True)
class Curve:
    """A camera's scores over a time, summed up by steps.

    step_s: seconds that each point sums up. start_unix_s, (N,): when each begins, a multiple of the step since 1970; a
    step in which no frame had a score has no point. lowest, mean, highest, (N,): of the scores. threshold, (N,): that
    held last in the step, NaN where there was none. frames, (N,): that had a score.
    """

    step_s: int
    start_unix_s: NDArray[np.float64]
    lowest: NDArray[np.float64]
    mean: NDArray[np.float64]
    highest: NDArray[np.float64]
    threshold: NDArray[np.float64]
    frames: NDArray[np.int64]

    @classmethod
    def of(cls, entries: Entries, step_s: int) -> "Curve":
        start, lowest, mean, highest, threshold = (
            entries[name].astype(np.float64) for name in ("start", "lowest", "mean", "highest", "threshold")
        )
        return cls(step_s, start, lowest, mean, highest, threshold, entries["frames"].astype(np.int64))

    def __len__(self) -> int:
        return len(self.start_unix_s)

    def figures(self) -> dict[str, Any]:
        """Return the curve as plain values, a list for each column; a threshold is null where there was none."""
        columns = {name: getattr(self, name).tolist() for name in ("start_unix_s", "lowest", "mean", "highest")}
        thresholds = [value if isfinite(value) else None for value in self.threshold.tolist()]
        return {"step_s": self.step_s} | columns | {"threshold": thresholds, "frames": self.frames.tolist()}


class ScoreCurves:
    """The score curves in a records folder: `curves/CAMERA/DAY.SPANs`. A watch writes them, anybody reads them.

    folder: of the curves.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, camera: str) -> CurveFiles:
        """Return the files of a camera's curve."""
        return CurveFiles(self.folder, camera)

    def days(self, camera: str) -> list[str]:
        """Return the days, in UTC, of which there is a curve, in order."""
        return self.of(camera).days()

    def read(self, camera: str, start_unix_s: float, end_unix_s: float, *, points: int = 1000) -> Curve:
        """Return a camera's curve from a time until another, summed up to no more than about so many points.

        The curve of a camera that is not known is empty. What a watch saw is there about a second later.
        Raises RecordsError for times that are none, an end that is not after the start, and 0 points or too many.
        """
        start, end = _require_times(start_unix_s, end_unix_s)
        if not 1 <= points <= MAX_POINTS:
            raise RecordsError(f"a curve of {points} points", "points", f"Use 1 to {MAX_POINTS}")
        wanted_s = (end - start) / points
        level = max((at for at, span_s in enumerate(SPANS_S) if span_s <= wanted_s), default=0)
        step_s = max(1, ceil(wanted_s / SPANS_S[level])) * SPANS_S[level]
        files = self.of(camera)
        days = files.days()
        newest = days[-1] if days else ""
        low, high = start // step_s * step_s, ceil(end / step_s) * step_s
        parts = [
            _of_day(files, day, level, (low, high), is_newest=day == newest) for day in days_between(days, low, high)
        ]
        entries = reduced(np.concatenate([np.zeros(0, ENTRY), *parts]), step_s)
        is_wanted = (entries["start"] + step_s > start) & (entries["start"] < end)
        return Curve.of(entries[is_wanted], step_s)

    def replace(self, camera: str, start_unix_s: float, end_unix_s: float, entries: Entries) -> None:
        """Put a curve in the place of what there was of a camera from a time until another.

        entries: of single frames or seconds, in any order, within that time. Raises DiskSpaceError or RecordsError.
        """
        start, end = _require_times(start_unix_s, end_unix_s)
        files = self.of(camera)
        new = dict(by_day(reduced(entries, SPANS_S[0])))
        for day in sorted({*days_between(files.days(), start, end), *new}):
            with files.locked():
                old = files.load(day, SPANS_S[0])
                stays = old[(old["start"] < int(start)) | (old["start"] >= end)]
                all_of_day = reduced(np.concatenate([stays, *([new[day]] if day in new else [])]), SPANS_S[0])
                for span_s in SPANS_S:
                    files.replace(day, span_s, reduced(all_of_day, span_s))

    def size_bytes(self) -> int:
        """Return the bytes of all curves."""
        return sum(size for _, _, size in self._by_age())

    def prune(
        self, *, written_before_unix_s: float | None = None, larger_than_bytes: int | None = None, dry_run: bool = False
    ) -> int:
        """Remove days of curves that were last written before a time, then the oldest that are too much; returns bytes.

        A day goes with all its levels. dry_run: only tell how many bytes.
        """
        aged = self._by_age()
        total = sum(size for _, _, size in aged)
        freed = 0
        for written_unix_s, paths, size in aged:
            is_old = written_before_unix_s is not None and written_unix_s < written_before_unix_s
            is_much = larger_than_bytes is not None and total - freed > larger_than_bytes
            if is_old or is_much:
                freed += size
                if not dry_run:
                    _remove(paths)
        return freed

    def _by_age(self) -> list[tuple[float, Sequence[Path], int]]:
        """Return each camera's days: when one was written last, its files and their bytes; the oldest first."""
        found: dict[tuple[Path, str], list[tuple[Path, float, int]]] = {}
        for path in self.folder.glob("*/*s"):
            try:
                state = path.stat()
            except OSError:  # removed meanwhile
                continue
            found.setdefault((path.parent, path.stem), []).append((path, state.st_mtime, state.st_size))
        days = []
        for files in found.values():
            paths, written, sizes = zip(*files, strict=True)
            days.append((max(written), paths, sum(sizes)))
        return sorted(days, key=lambda day: (day[0], str(day[1][0])))


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
    folder = paths[0].parent
    with suppress(OSError):  # the camera may have begun to write again
        if not any(path.name != ".lock" for path in folder.iterdir()):
            (folder / ".lock").unlink(missing_ok=True)
            folder.rmdir()


def _of_day(files: CurveFiles, day: str, level: int, times: tuple[float, float], *, is_newest: bool) -> Entries:
    """Return a day's entries of a level, those of some time at least.

    What is not summed up yet, of the newest day, is made of the finer ones.
    """
    low, high = times
    if level == 0:
        return files.load(day, SPANS_S[0], low, high)
    entries = files.load(day, SPANS_S[level])
    known_until = int(entries["start"].max()) + SPANS_S[level] if len(entries) else 0
    if (len(entries) and not is_newest) or known_until >= end_of(day):
        return entries
    finer = _of_day(files, day, level - 1, (max(low, known_until), high), is_newest=is_newest)
    return np.concatenate([entries, reduced(finer[finer["start"] >= known_until], SPANS_S[level])])


def _require_times(start_unix_s: float, end_unix_s: float) -> tuple[float, float]:
    if not (isfinite(start_unix_s) and isfinite(end_unix_s)) or not start_unix_s < end_unix_s:
        span = f"from {start_unix_s!s:.20} to {end_unix_s!s:.20}"
        raise RecordsError(f"no time for a curve, {span}", "times", "State seconds since 1970, the end after the start")
    return min(max(start_unix_s, 0.0), LATEST_UNIX_S - 1.0), min(max(end_unix_s, 1.0), float(LATEST_UNIX_S))
