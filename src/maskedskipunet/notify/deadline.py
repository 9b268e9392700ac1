"""Limits the time of a whole conversation with a receiver; socket timeouts limit only each step."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def hang_up_after(seconds_s: float, connection: Callable[[], socket.socket | None]) -> Iterator[None]:
    """Shut the connection down when the block takes longer; reads and writes then fail with an OSError.

    Raises TimeoutError also if the block ends without an error, because part of an answer may look like a whole one.
    """
    is_late = threading.Event()

    def hang_up() -> None:
        is_late.set()
        with suppress(OSError):
            if (open_socket := connection()) is not None:
                socket.socket.shutdown(open_socket, socket.SHUT_RDWR)  # of the plain socket, also below TLS

    timer = threading.Timer(seconds_s, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if is_late.is_set():
        raise TimeoutError("the conversation took too long")
