"""Settings that all kinds of sinks share, and how they build a sink."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

from maskedskipunet.detection.events import Phase
from maskedskipunet.errors import ConfigError
from maskedskipunet.notify.secrets import Secret
from maskedskipunet.notify.sink import Sink
from maskedskipunet.records.store import Records
from maskedskipunet.records.subscriptions import BETWEEN, PHASES, StateChoice, Subscription

LONGEST_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class SinkContext:
    """The context in which a sink is built.

    subscription: its name and the messages it gets. records: those it reports on; None: it only delivers messages, for
    a trial. cameras: announced before their first event.
    """

    subscription: Subscription
    records: Records | None = None
    cameras: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of the settings of a kind of sink; all faults are reported together."""

    phases: ClassVar[tuple[Phase, ...]] = PHASES  # defaults of the subscription
    states: ClassVar[tuple[StateChoice, ...]] = ()
    events_per_hour: ClassVar[int | None] = None

    def __post_init__(self) -> None:
        if faults := [*self.faults()]:
            raise ConfigError(BETWEEN.join(faults), "sink", "Correct the setting")

    def faults(self) -> Iterator[str]:
        """Yield every fault, each in a few words."""
        yield from ()

    @abstractmethod
    def build(self, context: SinkContext) -> Sink:
        """Return a sink with these settings. Raises ConfigError if it cannot be built."""
        raise NotImplementedError


def secret_faults(secret: Secret | None) -> list[str]:
    """Return why a secret cannot be used, in a few words."""
    return [] if secret is None else secret.faults()


def timeout_faults(timeout_s: float) -> Iterator[str]:
    """Yield what is wrong with a timeout."""
    if not (isfinite(timeout_s) and 0 < timeout_s <= LONGEST_TIMEOUT_S):
        yield f"timeout_s must be above 0, at most {LONGEST_TIMEOUT_S:.0f}"


def port_faults(port: int | None) -> Iterator[str]:
    """Yield what is wrong with a port."""
    if port is not None and not 0 < port < 65536:
        yield "port must be 1 to 65535"


def host_faults(host: str) -> Iterator[str]:
    """Yield what is wrong with a host name."""
    if not host or not host.isprintable() or set(host) & set(" /@"):
        yield "host is not the name of a machine"
