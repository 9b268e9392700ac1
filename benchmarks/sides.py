"""Sides of a comparison, each in a process of its own, so that benchmarks can let them take turns."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


class Side:
    """One side's process: asked with a line, answers with a line of JSON.

    script: the benchmark, which is started with the arguments. folder: what is shared; the cache of what is measured
    lies in it, so that nothing measured earlier counts.
    """

    def __init__(self, name: str, script: str, arguments: dict[str, object], folder: Path) -> None:
        options = [text for key, value in arguments.items() for text in (f"--{key}", str(value))]
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, script, "--side", name, *options, "--folder", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "MASKEDSKIPUNET_CACHE": str(folder / "cache")},
        )

    def ask(self, line: str = "go") -> dict[str, Any]:
        """Send a line and return the answer. Ends the benchmark if the side has ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        found = self.process.stdout.readline()
        if not found:
            raise SystemExit(f"the side {self.name} ended early")
        answer: dict[str, Any] = json.loads(found)
        return answer

    def close(self) -> None:
        """Let the process end."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()
