"""Whether there is room for clips; scoring needs none and never waits for it."""

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from maskedskipunet.files import existing_folder, readable_bytes

log = logging.getLogger(__name__)


def free_bytes(folder: Path) -> int:
    """Return what is free where the folder lies, or will lie."""
    return shutil.disk_usage(existing_folder(folder)).free


class Room:
    """Pauses clips while the disk is nearly full, and lets them go on when it is not; each change is said once.

    keep_free_bytes: below it, clips pause. retry_s: seconds until another try after a write that found no room all
    the same, as a quota has it. free: tells the free bytes; clock: seconds that only grow.
    """

    def __init__(
        self,
        folder: Path,
        *,
        keep_free_bytes: int = 500_000_000,
        retry_s: float = 60.0,
        free: Callable[[Path], int] = free_bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.keep_free_bytes, self.retry_s = folder, keep_free_bytes, retry_s
        self.is_paused = False
        self._free, self._clock, self._not_before_s = free, clock, float("-inf")

    def is_there(self) -> bool:
        """Return whether a clip may be begun now."""
        if self._clock() < self._not_before_s:
            return False
        try:
            left = self._free(self.folder)
        except OSError as error:
            self._pause(f"the free space cannot be read ({error.strerror})")
            return False
        if left < self.keep_free_bytes:
            self._pause(f"{readable_bytes(left)} are free, but {readable_bytes(self.keep_free_bytes)} must stay free")
            return False
        if self.is_paused:
            log.warning("%s: there is space again, clips are written", self.folder)
        self.is_paused = False
        return True

    def ran_out(self) -> None:
        """A write found no room."""
        self._not_before_s = self._clock() + self.retry_s
        self._pause("no space left on the disk")

    def _pause(self, reason: str) -> None:
        if not self.is_paused:
            log.warning("%s: clips pause, %s; scoring continues", self.folder, reason)
        self.is_paused = True
