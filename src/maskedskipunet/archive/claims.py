"""Claims, by which several processes on one folder share the work instead of doing it twice.

A claim is a file that is created only if it is not there yet, which local file systems and NFS (from version 3 on) do
for one process alone. Its owner touches it while it works. One that is not touched any more has expired: its owner is
gone. File locks are not used, for on network file systems they may be local to one machine, or not there at all. Where
two processes take an expired claim at the same moment, both may work on one task: that is waste, and no fault, because
every result is written whole and is the same whoever writes it.
"""

import json
import os
import platform
import threading
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

EXPIRY_S = 90.0
TOUCH_S = 15.0


class Claims:
    """The claims of one process in a folder. Use it in a `with` block: at its end all claims are given back.

    expiry_s: how long a claim holds that is not touched. touch_s: how often own claims are touched.
    """

    def __init__(self, folder: Path, expiry_s: float = EXPIRY_S, touch_s: float = TOUCH_S) -> None:
        self.folder, self._expiry_s, self._touch_s = folder, expiry_s, touch_s
        self._held: set[str] = set()
        self._token = uuid4().hex
        self._content = json.dumps({"host": _host(), "process": os.getpid(), "token": self._token}).encode()
        self._clock = folder / f".clock.{self._token}"  # touched to learn the file system's time, which ages go by
        self._done = threading.Event()
        self._toucher = threading.Thread(target=self._touch, daemon=True, name="claims")

    def __enter__(self) -> "Claims":
        self.folder.mkdir(parents=True, exist_ok=True)
        self._toucher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._toucher.join()
        for task in [*self._held]:
            self.release(task)
        self._clock.unlink(missing_ok=True)

    def take(self, task: str) -> bool:
        """Claim a task; return False if another process has it."""
        path = self.folder / task
        try:
            with path.open("xb") as file:
                file.write(self._content)
        except FileExistsError:
            return False
        self._held.add(task)
        return True

    def release(self, task: str) -> None:
        """Give a claim back."""
        self._held.discard(task)
        (self.folder / task).unlink(missing_ok=True)

    def remove_dead(self, task: str) -> bool:
        """Remove a claim whose owner is gone; return whether this process removed it."""
        path = self.folder / task
        if task in self._held or not self._is_dead(path):
            return False
        aside = path.with_name(f".{task}.{uuid4().hex}")
        try:
            path.rename(aside)  # one process alone gets it
        except OSError:
            return False
        aside.unlink(missing_ok=True)
        return True

    def others(self) -> int:
        """Return the number of claims of other processes that are still there."""
        paths = [path for path in self.folder.iterdir() if path.name[0] != "." and path.name not in self._held]
        return sum(not self._is_dead(path) for path in paths)

    def _is_dead(self, path: Path) -> bool:
        try:
            age_s = self._now_s() - path.stat().st_mtime
            if age_s > self._expiry_s:
                return True
            owner = json.loads(path.read_bytes() or b"{}")
        except (OSError, ValueError):
            return False
        return owner.get("host") == _host() and not _is_alive(int(owner.get("process", 0)))

    def _now_s(self) -> float:
        self._clock.touch()
        return self._clock.stat().st_mtime

    def _touch(self) -> None:
        while not self._done.wait(self._touch_s):
            for task in [*self._held]:
                with suppress(OSError):
                    os.utime(self.folder / task)


def _host() -> str:
    """Return what tells this machine, since its last start and in its container, from any other."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{platform.node()}/{boot}/{Path('/proc/self/ns/pid').readlink()}"
    return platform.node()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with suppress(OSError, IndexError):  # one that has ended, and that nobody has asked for yet, is gone too
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True
