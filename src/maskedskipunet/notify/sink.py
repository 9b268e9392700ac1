"""The interface between the dispatcher and a sink."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from maskedskipunet.records.outbox import Delivery


class RetryLaterError(Exception):
    """The receiver cannot be reached, or accepts nothing now; all its messages wait, in their order.

    reason: a short text of our own, without addresses, answers or secrets. retry_after_s: the wait that the receiver
    asked for.
    """

    def __init__(self, reason: str, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class RefusedError(Exception):
    """The receiver refuses this message, which waits longer each time; other messages continue."""


@dataclass(frozen=True)
class Attachments:
    """The files of an event as they exist now; None if there is none, and for other messages."""

    clip: Path | None = None
    picture: Path | None = None
    normal_picture: Path | None = None


class Sink(Protocol):
    """One receiver. Both calls come from one thread, and may take no longer than some timeouts."""

    def send(self, delivery: Delivery, files: Attachments) -> None:
        """Deliver one message. Return when the receiver has it.

        The same delivery may come again, with the same key. Raises RetryLaterError or RefusedError.
        """
        ...

    def close(self) -> None:
        """Close the connection, if there is one."""
        ...


@runtime_checkable
class AnnouncingSink(Sink, Protocol):
    """A sink that announces current states before any message, and again when its receiver may have lost them."""

    def when_due(self, wake: Callable[[], None]) -> None:
        """Store `wake`, which the sink calls from any thread when there may be something to announce."""
        ...

    def announce(self) -> bool:
        """Announce what has changed since the last call, or everything. Return whether anything was announced.

        Called before each message and within half a minute. Raises RetryLaterError.
        """
        ...
