"""Lets writers of one database take turns: SQLite favours the one that asks often, and another may starve."""

from pathlib import Path
from types import TracebackType
from typing import IO

from maskedskipunet.files import lock_file, unlock_file


class Turnstile:
    """A lock held by the process that writes next, while it waits for the one that writes now.

    It is released as soon as the next one can write; a process that has just written queues here behind it. It is not
    for several threads at once. If the file cannot be opened, for instance on a full disk, there are no turns.
    """

    def __init__(self, path: Path) -> None:
        self._file: IO[str] | None = None
        try:
            self._file = path.open("a")
        except OSError:
            return

    def __enter__(self) -> None:
        if self._file is not None:
            lock_file(self._file, wait=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            unlock_file(self._file)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
