"""Pauses clips while the disk is nearly full; scoring continues."""

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from maskedskipunet.files import existing_folder, readable_bytes

log = logging.getLogger(__name__)


def free_bytes(folder: Path) -> int:
    """Return the free bytes of the disk that holds the folder, or will hold it."""
    return shutil.disk_usage(existing_folder(folder)).free


class DiskSpaceGuard:
    """Pauses clips while the disk is nearly full, and resumes them later; each change is logged once.

    keep_free_bytes: clips pause below it. retry_s: seconds until the next try after a write found the disk full all the
    same, for instance because of a quota. free: returns the free bytes of a folder's disk. clock: monotonic seconds.
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

    def has_space(self) -> bool:
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

    def report_full(self) -> None:
        """Pause clips, because a write found the disk full."""
        self._not_before_s = self._clock() + self.retry_s
        self._pause("no space left on the disk")

    def _pause(self, reason: str) -> None:
        if not self.is_paused:
            log.warning("%s: clips pause, %s; scoring continues", self.folder, reason)
        self.is_paused = True
