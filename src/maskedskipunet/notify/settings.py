"""What the settings of every kind of sink have in common, and how a sink comes of them."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

from maskedskipunet.detection.events import Phase
from maskedskipunet.errors import ConfigError
from maskedskipunet.notify.secrets import Secret
from maskedskipunet.notify.sink import Sink
from maskedskipunet.records.routes import BETWEEN, PHASES, Route, StateChoice
from maskedskipunet.records.store import Records

LONGEST_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class SinkContext:
    """What a sink is built for.

    route: its name and what it is told. records: what it tells of; None: it only hands over messages, for a trial.
    cameras: those that are announced before their first event.
    """

    route: Route
    records: Records | None = None
    cameras: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every kind of sink has: nothing, but its faults told together."""

    phases: ClassVar[tuple[Phase, ...]] = PHASES  # that are told where the configuration does not say
    states: ClassVar[tuple[StateChoice, ...]] = ()
    events_per_hour: ClassVar[int | None] = None

    def __post_init__(self) -> None:
        if faults := [*self.faults()]:
            raise ConfigError(BETWEEN.join(faults), "sink", "Correct the setting")

    def faults(self) -> Iterator[str]:
        """Yield all that cannot be, each in a few words."""
        yield from ()

    @abstractmethod
    def build(self, context: SinkContext) -> Sink:
        """Return a sink with these settings. Raises ConfigError where it cannot be had."""
        raise NotImplementedError


def secret_faults(secret: Secret | None) -> list[str]:
    """Why a secret cannot be used, in a few words."""
    return [] if secret is None else secret.faults()


def timeout_faults(timeout_s: float) -> Iterator[str]:
    """What is wrong with a timeout."""
    if not (isfinite(timeout_s) and 0 < timeout_s <= LONGEST_TIMEOUT_S):
        yield f"timeout_s must be above 0, at most {LONGEST_TIMEOUT_S:.0f}"


def port_faults(port: int | None) -> Iterator[str]:
    """What is wrong with a port."""
    if port is not None and not 0 < port < 65536:
        yield "port must be 1 to 65535"


def host_faults(host: str) -> Iterator[str]:
    """What is wrong with the name of a machine."""
    if not host or not host.isprintable() or set(host) & set(" /@"):
        yield "host is not the name of a machine"
