"""Runs the page of `serve` beside a watch, as a process of its own that ends with it."""

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

LAST_WORDS_S = 10.0


class PageProcess:
    """The page over the records of a watch. records: their folder. model: learns what is answered as normal."""

    def __init__(self, records: Path, model: Path) -> None:
        options = ["--records", str(records), "--model", str(model)]
        self._command = [sys.executable, "-m", "maskedskipunet", "serve", *options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the page, once there are records; it tells its address on stderr itself."""
        if self._process is None:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
