"""Calling `maskedskipunet` as a person does, for benchmarks that train and test."""

import subprocess
import sys


def command(*arguments: object) -> None:
    """Run it in a process of its own, and end with its code where it fails or is interrupted."""
    print("maskedskipunet", *arguments, flush=True)
    try:
        done = subprocess.run([sys.executable, "-m", "maskedskipunet", *map(str, arguments)])
    except KeyboardInterrupt:  # the command was interrupted too, and has ended
        print("interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
    if done.returncode:
        sys.exit(done.returncode)  # what is wrong was said
