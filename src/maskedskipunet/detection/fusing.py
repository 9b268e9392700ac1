"""Fuses the cues of a frame into one score, and finds the cue that caused it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.detection.reading import CueReading

NORM = 4.0  # of the cues' surprises: the strangest cue leads, others that agree add a little


def fused(surprises: Sequence[NDArray[np.float32] | np.float32]) -> NDArray[np.float32]:
    """Return one surprise of several cues', all of one shape: their NORM-norm.

    >>> round(float(fused([np.float32(3), np.float32(1)])), 2)
    3.01
    """
    powers = [np.maximum(surprise, 0) ** NORM for surprise in surprises]
    return np.asarray(sum(powers) ** (1 / NORM), np.float32)


@dataclass(frozen=True, slots=True)
class EventReason:
    """Why an event was raised, by the frame of its highest score.

    cue: the name of the cue that raised it. shares: the part of each cue in the score, which add up to 1, the largest
    first. readings: of each cue.
    """

    cue: str
    shares: Mapping[str, float]
    readings: Mapping[str, CueReading]

    @classmethod
    def of(cls, readings: Mapping[str, CueReading]) -> "EventReason | None":
        """Return the reason from the cues' readings of a frame; None if there are none."""
        if not readings:
            return None
        powers = {name: max(reading.surprise, 0.0) ** NORM for name, reading in readings.items()}
        whole = sum(powers.values()) or 1.0
        order = sorted(powers, key=lambda name: -powers[name])
        return cls(order[0], {name: round(powers[name] / whole, 3) for name in order}, dict(readings))

    @property
    def reading(self) -> CueReading:
        """The reading of the cue that raised the alarm."""
        return self.readings[self.cue]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `events.json` and the records hold them."""
        readings = {name: self.readings[name].to_dict() for name in self.shares if name in self.readings}
        return {"cue": self.cue, "shares": dict(self.shares), "readings": readings}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "EventReason":
        """Return the inverse of to_dict. Raises KeyError, TypeError or ValueError for anything else."""
        readings = {str(name): CueReading.from_dict(reading) for name, reading in dict(values["readings"]).items()}
        shares = {str(name): float(share) for name, share in dict(values["shares"]).items()}
        if values["cue"] not in readings:
            raise ValueError(f"{values['cue']!r} says nothing")
        return cls(str(values["cue"]), shares, readings)
