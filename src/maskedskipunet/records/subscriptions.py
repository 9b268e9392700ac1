"""Subscriptions of sinks: the messages that each gets, and how many may wait for it."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal

from maskedskipunet.detection.events import Phase
from maskedskipunet.errors import ConfigError

PHASES: tuple[Phase, ...] = ("new", "update", "end")
StateChoice = Literal["all", "lost", "frozen", "dark", "defocused", "moved", "night", "slow", "drift"]
FAULTS: tuple[StateChoice, ...] = ("lost", "frozen", "dark", "defocused", "moved", "slow", "drift")  # night is none
LATEST_DUE_S = 3600.0  # no message is delayed for longer; one due later was written while the clock was wrong
BETWEEN = "; "  # separates faults in one message; no fault contains it


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """The messages that one sink gets.

    sink: its name. phases: the phases of events to send. states: the kinds of camera states to send, "all" for every
    kind. states_after_s: a state that ends sooner is not sent. update_every_s: seconds between two updates of one
    event; updates in between are left out. events_per_hour: further new events, or states, are dropped; None for no
    limit. waiting_at_most, waiting_s: how many messages wait for a receiver that cannot be reached, and for how long;
    the oldest are dropped first, updates before others.
    """

    sink: str
    phases: tuple[Phase, ...] = PHASES
    states: tuple[StateChoice, ...] = ()
    states_after_s: float = 10.0
    update_every_s: float = 10.0
    events_per_hour: int | None = None
    waiting_at_most: int = 10_000
    waiting_s: float = 7 * 86400.0

    def __post_init__(self) -> None:
        if faults := [*self.faults()]:
            raise ConfigError(BETWEEN.join(faults), f"sink {self.sink}", "Correct the setting")

    def takes_state(self, kind: str) -> bool:
        """Return whether the sink gets camera states of this kind."""
        return "all" in self.states or kind in self.states

    def faults(self) -> list[str]:
        """Return every fault, each in a few words."""
        found = []
        if not self.sink:
            found.append("a sink needs a name")
        if not self.phases or not set(self.phases) <= set(PHASES):
            found.append(f"phases are of {', '.join(PHASES)}, at least one")
        if not (isfinite(self.states_after_s) and 0 <= self.states_after_s < LATEST_DUE_S):
            found.append(f"states_after_s is 0 or more, below {LATEST_DUE_S:.0f}")
        if not (isfinite(self.update_every_s) and self.update_every_s >= 0):
            found.append("update_every_s is 0 or more")
        if self.events_per_hour is not None and self.events_per_hour < 1:
            found.append("events_per_hour is 1 or more")
        if self.waiting_at_most < 1:
            found.append("waiting_at_most is 1 or more")
        if not (isfinite(self.waiting_s) and self.waiting_s > 0):
            found.append("waiting_s is above 0")
        return found
