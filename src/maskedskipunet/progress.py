"""The interface through which long work reports progress."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], None]


class Progress(Protocol):
    """A listener: the command line draws bars, a test counts, a library user stays silent."""

    def stage(self, title: str, total: int, unit: str = "frames") -> AbstractContextManager[Advance]:
        """Open a stage of `total` units; the function it gives is called with each number of units done."""
        ...

    def note(self, message: str) -> None:
        """Say one thing that a person should know now."""
        ...


class Silent:
    """Listens to nothing."""

    @contextmanager
    def stage(self, title: str, total: int, unit: str = "frames") -> Iterator[Advance]:
        yield lambda done: None

    def note(self, message: str) -> None:
        return None
