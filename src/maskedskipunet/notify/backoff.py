"""Computes the wait before the next try."""

from dataclasses import dataclass
from random import Random

from maskedskipunet.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """Exponential backoff with jitter: the wait doubles after each failure, up to a limit.

    first_s, longest_s: seconds. jitter: the random share of each wait, 0 to 1.
    """

    first_s: float = 1.0
    longest_s: float = 300.0
    jitter: float = 0.5

    def __post_init__(self) -> None:
        if not (0 < self.first_s <= self.longest_s < float("inf") and 0 <= self.jitter <= 1):
            raise ConfigError("waits that cannot be", "backoff", "Use 0 < first_s <= longest_s and 0 <= jitter <= 1")

    def wait_s(self, failures: int, chance: Random) -> float:
        """Return the wait in seconds after so many failures in a row, 1 or more.

        >>> Backoff(jitter=0).wait_s(3, Random(0))
        4.0
        """
        longest = min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 60))
        return longest * (1 - self.jitter * chance.random())
