"""The reading of one cue for one frame, in numbers from which a reason is described."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

RECONSTRUCTION, MOVEMENT, APPEARANCE = "reconstruction", "movement", "appearance"
CUES: dict[str, str | None] = {
    RECONSTRUCTION: None,
    MOVEMENT: "maskedskipunet.cues.movement_cue:MovementCue",
    APPEARANCE: "maskedskipunet.cues.appearance_cue:AppearanceCue",
}
"""The table of cues: the name of each and its class, a `cues.learned_cue.LearnedCue`; None for the network's own error.

The order is that of columns and tables. To add a cue, write its class in a file of its own and add a line here. A class
is given as text and imported when it is used, so that the command line knows the names without loading any library.
"""
FUSED = "fused"
"""The cues' common score of a frame before it is smoothed over time, where a model does that."""
LONGEST_SMOOTHING_S = 600.0


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of footage. video: its name. time_s: seconds from its beginning."""

    video: str
    time_s: float


@dataclass(frozen=True, slots=True)
class CueReading:
    """The surprise of one cue in a frame, and where it lies. Any cue may fill any field.

    surprise: -log10 of the share of normal frames that are as strange to this cue; 3 is one in a thousand.
    box: left, top, right and bottom of the strangest place, shares of the picture's width and height; None if the
    cue does not say. speed_ratio: the speed there, divided by the speed that 99 % of what passes there stays within.
    nearest: the normal moment that looks most alike there. lasting_s: for how long it has looked strange, if the
    duration is what is strange. look: the difference between the strangest places and their nearest normal moments: how
    much lighter each colour is, of a range of 1. spread: the share of places that are strange. centre: across and down,
    of all strange places, in shares of the picture. These three are given only for strange frames. finding: what was
    found, in a few words that a sentence can begin with, by a cue that has no sentence in `view.reasons`.
    """

    surprise: float
    box: tuple[float, float, float, float] | None = None
    speed_ratio: float | None = None
    nearest: Moment | None = None
    lasting_s: float | None = None
    look: tuple[float, ...] | None = None
    spread: float | None = None
    centre: tuple[float, ...] | None = None
    finding: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, without what the cue does not say."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "CueReading":
        """Return the inverse of to_dict. Raises KeyError, TypeError or ValueError for anything else."""
        values = dict(values)
        nearest = values.get("nearest")
        numbers = {name: values[name] for name in ("box", "look", "centre") if values.get(name) is not None}
        return cls(
            **{
                **values,
                **{name: tuple(map(float, sequence)) for name, sequence in numbers.items()},
                "nearest": None if nearest is None else Moment(str(nearest["video"]), float(nearest["time_s"])),
                "finding": None if values.get("finding") is None else str(values["finding"]),
            }
        )
