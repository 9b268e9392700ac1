"""Prefetches items in a thread, so that decoding and computing overlap."""

import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.1  # how often the thread checks that its items are still needed
_END = object()


class _Failed:
    def __init__(self, error: BaseException) -> None:
        self.error = error


@dataclass
class _Slots:
    """Free slots for prefetched items.

    Ctrl-C may interrupt anywhere, so only SimpleQueue is used, which cannot stay locked then.
    """

    free: SimpleQueue[None]
    is_open: bool = True


def read_ahead(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    """Yield the items in order, up to `depth` of them prefetched in a thread.

    An error in producing an item is raised in its place. When the iterator is closed, or an error is raised in its
    consumer, the thread ends within POLL_S after the current item, and `items` is closed if possible.
    """
    ready: SimpleQueue[object] = SimpleQueue()
    slots = _Slots(SimpleQueue())
    for _ in range(depth):
        slots.free.put(None)
    producer = threading.Thread(target=_produce, args=(items, ready, slots), daemon=True, name="read ahead")
    producer.start()
    try:
        while (item := ready.get()) is not _END:
            slots.free.put(None)
            if isinstance(item, _Failed):
                raise item.error
            yield item  # type: ignore[misc]
    finally:
        slots.is_open = False
        producer.join()


def _produce(items: Iterable[T], ready: SimpleQueue[object], slots: _Slots) -> None:
    try:
        for item in items:
            if not _acquire(slots):
                return
            ready.put(item)
        ready.put(_END)
    except BaseException as error:  # noqa: BLE001  # it is raised in the consumer
        ready.put(_Failed(error))
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


def _acquire(slots: _Slots) -> bool:
    """Wait for a free slot; return False if no more items are needed."""
    while slots.is_open:
        try:
            slots.free.get(timeout=POLL_S)
            return True
        except Empty:
            continue
    return False
