"""Reports to a service manager that watching is ready and makes progress (systemd's notify protocol).

It sends datagrams to the socket that the environment names, and does nothing if none is named.
Source: sd_notify(3) and sd_watchdog_enabled(3).
"""

import os
import socket
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from math import isfinite


class ServiceManager:
    """Notifies the service manager, if there is one. Failures are ignored: watching continues without it."""

    def __init__(
        self, environment: MutableMapping[str, str] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        environment = os.environ if environment is None else environment
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._clock = clock
        self._every_s = _watchdog_s(environment) / 3  # so that one lost datagram does no harm
        self._notified_s = clock() - self._every_s if isfinite(self._every_s) else clock()
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
            environment.pop(name, None)  # not for the processes that read cameras

    def ready(self) -> None:
        self._notify("READY=1")

    def progress(self) -> None:
        """Feed the watchdog, if there is one. Cheap enough to be called in each cycle."""
        if self._clock() - self._notified_s >= self._every_s:
            self._notified_s = self._clock()
            self._notify("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Set the status line of the service."""
        self._notify(f"STATUS={text}".replace("\n", " "))

    def stopping(self) -> None:
        self._notify("STOPPING=1")

    def _notify(self, state: str) -> None:
        if not self._address.startswith(("/", "@")):
            return
        # A name that begins with @ lives in no folder: Linux writes it with a zero byte.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(0.5)
            sender.sendto(state.encode(), address)


def _watchdog_s(environment: MutableMapping[str, str]) -> float:
    """Return the watchdog's timeout; infinite if there is none, or if it waits for another process."""
    pid = environment.get("WATCHDOG_PID", str(os.getpid()))
    text = environment.get("WATCHDOG_USEC", "")
    if not text.isdecimal() or not int(text) or pid != str(os.getpid()):
        return float("inf")
    return int(text) / 1e6
