"""An end to a conversation that a receiver draws out: timeouts count for each word, not for the whole."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def hang_up_after(seconds_s: float, connection: Callable[[], socket.socket | None]) -> Iterator[None]:
    """Shuts the connection down when the block takes longer; what reads or writes then fails with an OSError.

    Raises TimeoutError when the block ends well all the same: a part of an answer may pass for a whole one.
    """
    is_late = threading.Event()

    def hang_up() -> None:
        is_late.set()
        with suppress(OSError):
            if (open_socket := connection()) is not None:
                socket.socket.shutdown(open_socket, socket.SHUT_RDWR)  # the plain one, also below TLS

    timer = threading.Timer(seconds_s, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if is_late.is_set():
        raise TimeoutError("the conversation took too long")
