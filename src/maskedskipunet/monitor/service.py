"""What a service manager is told: that watching is ready, and that it makes progress (systemd's notify protocol).

One datagram to the socket that the environment names; nothing happens where none is named.
Source: sd_notify(3) and sd_watchdog_enabled(3).
"""

import os
import socket
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from math import isfinite


class ServiceManager:
    """Tells the service manager, if there is one. Failures are not told: watching goes on without it."""

    def __init__(
        self, environment: MutableMapping[str, str] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        environment = os.environ if environment is None else environment
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._clock = clock
        self._every_s = _watchdog_s(environment) / 3  # so that one lost datagram is no end
        self._fed_s = clock() - self._every_s if isfinite(self._every_s) else clock()
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
            environment.pop(name, None)  # the processes that read cameras have no say

    def ready(self) -> None:
        self._tell("READY=1")

    def progress(self) -> None:
        """Something was done: feeds the watchdog, if one waits for it. Cheap enough to be called at each turn."""
        if self._clock() - self._fed_s >= self._every_s:
            self._fed_s = self._clock()
            self._tell("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for whoever asks how the service is."""
        self._tell(f"STATUS={text}".replace("\n", " "))

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def _tell(self, state: str) -> None:
        if not self._address.startswith(("/", "@")):
            return
        # A name that begins with @ lives in no folder: Linux writes it with a zero byte.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(0.5)
            sender.sendto(state.encode(), address)


def _watchdog_s(environment: MutableMapping[str, str]) -> float:
    """Return how long the watchdog waits; endless where there is none, or where it waits for another process."""
    pid = environment.get("WATCHDOG_PID", str(os.getpid()))
    text = environment.get("WATCHDOG_USEC", "")
    if not text.isdecimal() or not int(text) or pid != str(os.getpid()):
        return float("inf")
    return int(text) / 1e6
