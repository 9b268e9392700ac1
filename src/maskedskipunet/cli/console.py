"""Prints for people: bars on a terminal, plain lines elsewhere; messages to stderr, results to stdout."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Column, Table
from rich.text import Text

from maskedskipunet.cli.lines import one_line, shown_on
from maskedskipunet.progress import Advance, Progress
from maskedskipunet.runs import write_json

PLAIN_EVERY_S = 10.0
ROOM_FOR_A_BAR = 64  # columns
BETWEEN_COLUMNS = 3
NARROWEST_NAME = 8  # columns
SHOWN_OF_ID = 8  # signs of an event's id: enough to name it by
NATURAL_WIDTH = 10_000  # of a table in a file or a pipe: whatever it needs


def make_progress() -> Progress:
    """Return bars if stderr is a terminal, plain lines if it is a file or a pipe."""
    return BarProgress() if sys.stderr.isatty() else PlainProgress()


class BarProgress:
    """A bar a stage, with its speed and the time left."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)

    @contextmanager
    def stage(self, title: str, total: int, unit: str = "frames") -> Iterator[Advance]:
        columns: list[ProgressColumn] = [
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(bar_width=None),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            Speed(unit),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
        ]
        if self._console.width < ROOM_FOR_A_BAR:
            columns = [columns[0], columns[2], columns[4]]
        with Bars(*columns, console=self._console) as bars:
            task = bars.add_task(title, total=total)
            yield lambda done: bars.advance(task, done)

    def note(self, message: str) -> None:
        self._console.print(shown_on(sys.stderr, message), soft_wrap=True, markup=False)


class Speed(ProgressColumn):
    """Units a second."""

    def __init__(self, unit: str) -> None:
        super().__init__(Column(no_wrap=True))
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{rate(speed)} {self.unit}/s")


class PlainProgress:
    """A line now and then, for logs."""

    @contextmanager
    def stage(self, title: str, total: int, unit: str = "frames") -> Iterator[Advance]:
        began_s = said_s = time.monotonic()
        done = 0

        def advance(more: int) -> None:
            nonlocal done, said_s
            done += more
            if time.monotonic() - said_s >= PLAIN_EVERY_S:
                said_s = time.monotonic()
                speed = done / (said_s - began_s)
                left_s = max(0, total - done) / speed if speed else 0
                self.note(f"{title}: {done:,} of {total:,} {unit}, {rate(speed)} {unit}/s, {left_s:.0f} s left")

        yield advance
        self.note(f"{title}: {counted(done, unit.removesuffix('s'))} in {time.monotonic() - began_s:.1f} s")

    def note(self, message: str) -> None:
        print(shown_on(sys.stderr, message), file=sys.stderr, flush=True)


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[Any]], *, left: int = 1) -> None:
    """Print a table on stdout with its title above; the first `left` columns hold text, the others figures."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    cells = [["" if cell is None else one_line(str(cell)) for cell in row] for row in rows]
    needed = (len(header) - 1) * BETWEEN_COLUMNS
    for index, (name, *column) in enumerate(zip(header, *cells, strict=True)):
        if index < left:
            table.add_column(Text(name), overflow="fold", min_width=NARROWEST_NAME)
            needed += NARROWEST_NAME
        else:  # never folded: half a figure is another figure
            table.add_column(Text(name), justify="right", no_wrap=True)
            needed += max(map(len, (name, *column)))
    for row in cells:
        table.add_row(*map(Text, row))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else NATURAL_WIDTH)
    console.print(Text(shown_on(sys.stdout, title), style="bold"), soft_wrap=True)
    console.width = max(console.width, needed)
    console.print(table)
    console.print()


def say(message: str) -> None:
    """Print a line of results on stdout; on a terminal it is broken between words."""
    print(shown_on(sys.stdout, message))


def rate(speed: float) -> str:
    """Return a number a second.

    >>> rate(0.0902), rate(2341.7)
    ('0.0902', '2,342')
    """
    return f"{speed:.3g}" if speed < 100 else f"{speed:,.0f}"


def counted(count: int, thing: str, things: str | None = None) -> str:
    """Return a number of things; things: their plural, where an s does not make it.

    >>> counted(1, "frame"), counted(2550, "frame")
    ('1 frame', '2,550 frames')
    """
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {things or thing + 's'}"


def duration(seconds: float) -> str:
    """Return the length of footage in a suitable unit.

    >>> duration(1.2), duration(425), duration(12_900)
    ('1.2 seconds', '7.1 minutes', '3.58 hours')
    """
    if seconds < 120:
        return f"{seconds:.1f} seconds"
    return f"{seconds / 60:.1f} minutes" if seconds < 7200 else f"{seconds / 3600:,.2f} hours"


def clock(time_s: float) -> str:
    """Return a time in a film, as players show it.

    >>> clock(75.4), clock(18_066)
    ('0:01:15', '5:01:06')
    """
    sign, whole = "-" if time_s < 0 else "", int(abs(time_s))
    return f"{sign}{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def moment(unix_s: float) -> str:
    """Return a time of day, with its date where that is not today."""
    then, now = time.localtime(unix_s), time.localtime()
    return time.strftime("%H:%M" if then[:3] == now[:3] else "%Y-%m-%d %H:%M", then)


def frames_scored(scored: int, frames: int) -> str:
    """Describe how many frames have a score, and why none has.

    >>> frames_scored(2008, 2010)
    '2,008 of 2,010 frames scored'
    """
    reason = "" if scored else ": no clip is whole, too few good frames follow one another"
    return f"{scored:,} of {counted(frames, 'frame')} scored{reason}"


def figure(value: float | None) -> str:
    """Return a figure for a table; none if there is none.

    >>> figure(0.98412), figure(None)
    ('0.9841', '–')
    """
    return "–" if value is None else f"{value:.4f}"


def share(value: float | None) -> str:
    """Return a share for a table; none if there is none.

    >>> share(0.9824), share(None)
    ('98.2%', '–')
    """
    return "–" if value is None else f"{value:.1%}"


def write_figures(path: Path | None, figures: Mapping[str, Any]) -> None:
    """Write the figures that --json asks for."""
    if path is not None:
        write_json(path, figures)
