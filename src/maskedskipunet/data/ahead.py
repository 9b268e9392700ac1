"""Making things in a thread of their own while others are used, so that decoding and computing overlap."""

import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")

LOOK_S = 0.1  # how long a thread waits before it looks whether it is still wanted
_END = object()


class _Failed:
    def __init__(self, error: BaseException) -> None:
        self.error = error


@dataclass
class _Places:
    """Places for items that wait. Ctrl-C may strike anywhere, so nothing here is of a kind that stays locked then:
    of the queues and signals between threads, SimpleQueue alone.
    """

    free: SimpleQueue[None]
    wanted: bool = True


def read_ahead(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    """Yield the items in their order, up to `depth` of them made ahead in a thread.

    An error in making one is raised where that item would have come. When the iterator is closed, or an error is
    raised where it is used, the thread ends within LOOK_S after the item in hand, and `items` is closed if it can be.
    """
    ready: SimpleQueue[object] = SimpleQueue()
    places = _Places(SimpleQueue())
    for _ in range(depth):
        places.free.put(None)
    maker = threading.Thread(target=_make, args=(items, ready, places), daemon=True, name="read ahead")
    maker.start()
    try:
        while (item := ready.get()) is not _END:
            places.free.put(None)
            if isinstance(item, _Failed):
                raise item.error
            yield item  # type: ignore[misc]
    finally:
        places.wanted = False
        maker.join()


def _make(items: Iterable[T], ready: SimpleQueue[object], places: _Places) -> None:
    try:
        for item in items:
            if not _take(places):
                return
            ready.put(item)
        ready.put(_END)
    except BaseException as error:  # noqa: BLE001  # it belongs to whoever asked for the items
        ready.put(_Failed(error))
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


def _take(places: _Places) -> bool:
    """Wait for a place; False when no more items are wanted."""
    while places.wanted:
        try:
            places.free.get(timeout=LOOK_S)
            return True
        except Empty:
            continue
    return False
