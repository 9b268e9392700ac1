"""What a receiver of events is to the courier."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from maskedskipunet.records.outbox import Delivery


class AwayError(Exception):
    """The receiver cannot be reached, or takes nothing now: all messages wait for it, in their order.

    reason: in a few words of ours, without addresses, answers or secrets. retry_after_s: as it asked for.
    """

    def __init__(self, reason: str, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class RefusedError(Exception):
    """The receiver does not take this message; it waits longer each time, and the others go on."""


@dataclass(frozen=True)
class Attachments:
    """An event's files as they lie there now; None where there is none, and for what is no event's."""

    clip: Path | None = None
    picture: Path | None = None
    normal_picture: Path | None = None


class Sink(Protocol):
    """One receiver. Both calls come from one thread, and may take no longer than some timeouts."""

    def send(self, delivery: Delivery, files: Attachments) -> None:
        """Hand over one message; it returns when the receiver has it.

        The same delivery may come again: its key is the same then. Raises AwayError or RefusedError.
        """
        ...

    def close(self) -> None:
        """Say goodbye, if that is usual."""
        ...


@runtime_checkable
class AnnouncingSink(Sink, Protocol):
    """A sink that says what holds, before any message and again whenever its receiver may have forgotten it."""

    def when_due(self, wake: Callable[[], None]) -> None:
        """`wake` is called, from any thread, when there may be something to announce."""
        ...

    def announce(self) -> bool:
        """Say what has changed since the last call, or all. Returns whether anything was said.

        Called before each message and within half a minute. Raises AwayError.
        """
        ...
