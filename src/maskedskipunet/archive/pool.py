"""The interface of a pool of workers."""

from collections.abc import Sequence
from typing import Protocol

from maskedskipunet.archive.tasks import Outcome, Task


class Pool(Protocol):
    """Workers that do tasks, each one at a time."""

    @property
    def free(self) -> int:
        """The number of tasks that can be submitted now."""
        ...

    @property
    def busy(self) -> int:
        """The number of tasks whose outcomes are not known yet."""
        ...

    def submit(self, task: Task) -> None:
        """Give a task to a free worker."""
        ...

    def outcomes(self, timeout_s: float) -> Sequence[tuple[Task, Outcome]]:
        """Return tasks that have ended, each with its outcome; wait for one up to a time."""
        ...

    def close(self) -> None:
        """End all workers at once, whatever they do."""
        ...
