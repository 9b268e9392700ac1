"""What a person sees: bars on a terminal, plain lines elsewhere; messages to stderr, results to stdout."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from maskedskipunet.progress import Advance, Progress
from maskedskipunet.runs import write_json

PLAIN_EVERY_S = 10.0


def make_progress() -> Progress:
    """Bars where stderr is a terminal, plain lines where it is a file or a pipe."""
    return BarProgress() if sys.stderr.isatty() else PlainProgress()


class BarProgress:
    """A bar a stage, with its speed and the time left."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bars: Bars | None = None

    @contextmanager
    def stage(self, title: str, total: int, unit: str = "frames") -> Iterator[Advance]:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            Speed(unit),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=self._console) as bars:
            task = bars.add_task(title, total=total)
            yield lambda done: bars.advance(task, done)

    def note(self, message: str) -> None:
        self._console.print(message, soft_wrap=True, markup=False)


class Speed(ProgressColumn):
    """Units a second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.3g} {self.unit}/s")


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
                self.note(f"{title}: {done:,} of {total:,} {unit}, {speed:.3g} {unit}/s, {left_s:.0f} s left")

        yield advance
        self.note(f"{title}: {done:,} {unit} in {time.monotonic() - began_s:.1f} s")

    def note(self, message: str) -> None:
        print(message, file=sys.stderr, flush=True)


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[Any]], *, left: int = 1) -> None:
    """A table on stdout; the first `left` columns hold text, the others figures."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for at, name in enumerate(header):
        table.add_column(name, justify="left" if at < left else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    Console(highlight=False).print(table)


def say(message: str) -> None:
    """A line of results on stdout."""
    print(message)


def figure(value: float | None) -> str:
    """A figure for a table; none where there is none.

    >>> figure(0.98412), figure(None)
    ('0.9841', '–')
    """
    return "–" if value is None else f"{value:.4f}"


def write_figures(path: Path | None, figures: Mapping[str, Any]) -> None:
    """What --json asks for."""
    if path is not None:
        write_json(path, figures)
