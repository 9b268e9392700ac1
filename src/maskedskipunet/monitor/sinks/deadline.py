"""An end to a conversation that a receiver draws out: timeouts count for each word, not for the whole."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def hang_up_after(seconds_s: float, connection: Callable[[], socket.socket | None]) -> Iterator[None]:
    """Shuts the connection down when the block takes longer; what reads or writes then fails with an OSError."""

    def hang_up() -> None:
        with suppress(OSError):
            if (open_socket := connection()) is not None:
                open_socket.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds_s, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
