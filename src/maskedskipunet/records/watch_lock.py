"""One process alone writes clips into a records folder and delivers from it."""

import time
from pathlib import Path
from typing import IO

from maskedskipunet.files import lock_file
from maskedskipunet.records.folder import RecordsFolder

_PATIENCE_S = 5.0  # a command that looks for what is left behind holds the lock for a moment
_STEP_S = 0.05
_GLANCES = 5  # a command holds the lock for less than so many steps, a watch for as long as it lasts


class WatchLock:
    """The right to be that process. The system takes it back when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def take(self, *, wait: bool) -> bool:
        """Take the lock if it is free; wait: or becomes so within some seconds."""
        file = self.path.open("a")
        deadline_s = time.monotonic() + (_PATIENCE_S if wait else 0)
        while True:
            try:
                lock_file(file, wait=False)
            except BlockingIOError:
                if time.monotonic() >= deadline_s:
                    file.close()
                    return False
                time.sleep(_STEP_S)
            else:
                self._file = file
                return True

    def give_back(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def is_watched(folder: RecordsFolder) -> bool:
    """Return whether a process is watching into a records folder now. Raises no error where there is none."""
    for _ in range(_GLANCES):
        lock = WatchLock(folder.watch_lock)
        try:
            if lock.take(wait=False):
                lock.give_back()
                return False
        except OSError:
            return False
        time.sleep(_STEP_S)
    return True
