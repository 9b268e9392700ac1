"""For a container what systemd does for a service: a command that makes no progress is ended, and the container too.

    watchdog.py [--folder F] [--patience-s 60] [--start-s 300] COMMAND…    run the command
    watchdog.py [--folder F] [--patience-s 60] --healthy                   0 where it made progress lately, else 1

The command tells of its progress by systemd's notify protocol (sd_notify(3)). Needs Python alone.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

TURN_S = 0.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/watchdog"))
    parser.add_argument("--patience-s", type=float, default=60.0)
    parser.add_argument("--start-s", type=float, default=300.0)
    parser.add_argument("--healthy", action="store_true")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    fed = options.folder / "fed"
    if options.healthy:
        return 0 if fed.exists() and time.time() - fed.stat().st_mtime <= options.patience_s else 1
    if not options.command:
        parser.error("no command is named")
    options.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    fed.unlink(missing_ok=True)
    return run(options.command, options.folder / "socket", fed, options.patience_s, options.start_s)


def run(command: list[str], address: Path, fed: Path, patience_s: float, start_s: float) -> int:
    """Run a command for as long as it tells of progress. Returns its exit code, 1 where it was ended."""
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as heard:
        heard.bind(str(address))
        heard.settimeout(TURN_S)
        told = {"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": str(int(patience_s * 1e6))}
        child = subprocess.Popen(command, env=os.environ | told)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: child.send_signal(number))
        until_s = time.monotonic() + start_s
        while child.poll() is None:
            with suppress(TimeoutError):
                if {"READY=1", "WATCHDOG=1"} & set(heard.recv(4096).decode(errors="replace").split("\n")):
                    fed.touch()
                    until_s = time.monotonic() + patience_s
            if time.monotonic() > until_s:
                print("watchdog: no progress, the command is ended", file=sys.stderr, flush=True)
                child.kill()
                child.wait()
                return 1
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


if __name__ == "__main__":
    sys.exit(main())
