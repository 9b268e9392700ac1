"""How cameras are now, read once for all browsers that look, and not at all where none does."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

from maskedskipunet.web.refusals import BusyError

State = TypeVar("State")
EVERY_S = 1.0
MOST_LISTENERS = 100


class LiveFeed(Generic[State]):
    """Reads a state again and again while somebody listens; whoever is slow misses some, and holds up nobody.

    read: gives the state; it may take its time, in a thread of its own, and must not raise.
    """

    def __init__(self, read: Callable[[], State], *, every_s: float = EVERY_S) -> None:
        self._read, self._every_s = read, every_s
        self._state: State | None = None
        self._changed: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self.listeners = 0

    async def states(self) -> AsyncGenerator[State]:
        """Yield the newest state whenever there is another, without end. Raises BusyError for too many listeners."""
        async with self._listening():
            while True:
                changed, state = self._changed, self._state
                assert changed is not None
                if state is not None:
                    yield state
                await changed.wait()

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        if self.listeners >= MOST_LISTENERS:
            raise BusyError("too many browsers look at the live page", "", "Close some of them")
        self.listeners += 1
        if self._task is None:
            self._state, self._changed = None, asyncio.Event()
            self._task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self.listeners -= 1
            if self.listeners == 0 and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _run(self) -> None:
        while True:
            state = await run_in_threadpool(self._read)
            changed, self._changed = self._changed, asyncio.Event()
            self._state = state
            assert changed is not None
            changed.set()
            await asyncio.sleep(self._every_s)
