"""One process alone writes clips into a records folder and delivers from it."""

import time
from pathlib import Path
from typing import IO

from maskedskipunet.files import lock_file

_PATIENCE_S = 5.0  # a command that looks for what is left behind holds the lock for a moment
_STEP_S = 0.05


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
