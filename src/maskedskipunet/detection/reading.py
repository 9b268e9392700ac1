"""The reading of one cue for one frame, in numbers from which a reason is described."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

RECONSTRUCTION, MOVEMENT, APPEARANCE = "reconstruction", "movement", "appearance"
CUES = (RECONSTRUCTION, MOVEMENT, APPEARANCE)
"""What a frame may be judged by, in the order of tables."""
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
    """The surprise of one cue in a frame, and where it lies.

    surprise: -log10 of the share of normal frames that are as strange to this cue; 3 is one in a thousand.
    box: left, top, right and bottom of the strangest place, shares of the picture's width and height; None if the
    cue does not say. speed_ratio: of movement, how many times as fast as 99 % of what passes there. nearest: of
    appearance, the normal moment that looks most alike there. lasting_s: of appearance, for how long it has looked
    strange, where that is what is strange. look: of appearance, how the strangest places depart from their nearest
    normal moments: how much lighter each colour is there, of a range of 1. spread: of appearance, the share of places
    that are strange. centre: across and down, of all strange places, in shares of the picture. These three are told of
    what is strange alone.
    """

    surprise: float
    box: tuple[float, float, float, float] | None = None
    speed_ratio: float | None = None
    nearest: Moment | None = None
    lasting_s: float | None = None
    look: tuple[float, ...] | None = None
    spread: float | None = None
    centre: tuple[float, ...] | None = None

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
            }
        )
