"""Making things in a thread of their own while others are used, so that decoding and computing overlap."""

import threading
from collections.abc import Generator, Iterable
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import TypeVar

T = TypeVar("T")

LOOK_S = 0.1  # how long a thread waits before it looks whether it is still wanted
_END = object()


class _Failed:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def read_ahead(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    """The items in their order, up to `depth` of them made ahead in a thread.

    An error in making one is raised where that item would have come. When the iterator is closed, or an error is
    raised where it is used, the thread ends within LOOK_S after the item in hand, and `items` is closed if it can be.
    """
    ready: Queue[object] = Queue(depth)
    wanted = threading.Event()
    wanted.set()
    maker = threading.Thread(target=_make, args=(items, ready, wanted), daemon=True, name="read ahead")
    maker.start()
    try:
        while (item := ready.get()) is not _END:
            if isinstance(item, _Failed):
                raise item.error
            yield item  # type: ignore[misc]
    finally:
        wanted.clear()
        with suppress(Empty):
            while True:
                ready.get_nowait()
        maker.join()


def _make(items: Iterable[T], ready: Queue[object], wanted: threading.Event) -> None:
    try:
        for item in items:
            if not _put(item, ready, wanted):
                return
        _put(_END, ready, wanted)
    except BaseException as error:  # noqa: BLE001  # it belongs to whoever asked for the items
        _put(_Failed(error), ready, wanted)
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


def _put(item: object, ready: Queue[object], wanted: threading.Event) -> bool:
    while wanted.is_set():
        try:
            ready.put(item, timeout=LOOK_S)
            return True
        except Full:
            continue
    return False
