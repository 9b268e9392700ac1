"""Calling `maskedskipunet` as a person does, for benchmarks that train and test."""

import subprocess
import sys


def command(*arguments: object) -> None:
    """Run it in a process of its own, and end with its code where it fails."""
    print("maskedskipunet", *arguments, flush=True)
    done = subprocess.run([sys.executable, "-m", "maskedskipunet", *map(str, arguments)])
    if done.returncode:
        sys.exit(done.returncode)  # what is wrong was said
