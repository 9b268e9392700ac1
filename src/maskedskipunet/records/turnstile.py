"""Writers of one database come one after another: SQLite lets whoever asks often go first, and another may starve."""

from pathlib import Path
from types import TracebackType
from typing import IO

from maskedskipunet.files import lock_file, unlock_file


class Turnstile:
    """Held by the one process that is next to write, while it waits for the one that writes now.

    It is given back as soon as that one has its place; who has just written waits here behind it. Not for several
    threads at once. Where the file cannot be had, as on a full disk, all go as they come.
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
