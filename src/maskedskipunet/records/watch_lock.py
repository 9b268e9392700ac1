"""Ensures that one process alone writes clips into a records folder and delivers from it."""

import time
from pathlib import Path
from typing import IO

from maskedskipunet.files import lock_file
from maskedskipunet.records.folder import RecordsFolder

_TIMEOUT_S = 5.0  # a command that finishes left work holds the lock for a moment
_STEP_S = 0.05
_ATTEMPTS = 5  # a command holds the lock for fewer steps, a watch for as long as it runs


class WatchLock:
    """The lock of the watching process. The system releases it when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def take(self, *, wait: bool) -> bool:
        """Take the lock and return whether it was free. wait: or becomes free within some seconds."""
        file = self.path.open("a")
        deadline_s = time.monotonic() + (_TIMEOUT_S if wait else 0)
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
    """Return whether a process is watching into a records folder now; False if there is no such folder."""
    for _ in range(_ATTEMPTS):
        lock = WatchLock(folder.watch_lock)
        try:
            if lock.take(wait=False):
                lock.give_back()
                return False
        except OSError:
            return False
        time.sleep(_STEP_S)
    return True
