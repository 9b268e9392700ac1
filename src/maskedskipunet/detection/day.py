"""Parts of the day, each with its own threshold, because noon and night differ."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.detection.events import EventRule, Levels
from maskedskipunet.errors import ConfigError

DAY_S = 86400
_USE = "Use NAME=FROM-TO, parted by commas: day=7-20,night=20:30-7"

_STORED_NAMES = {"median_score": "usual"}  # fields that have other names in calibration files


@dataclass(frozen=True)
class DayPart:
    """A part of every day. start_s, end_s: seconds since midnight, the end excluded; an end not later than the start is
    on the next day.
    """

    name: str
    start_s: int
    end_s: int

    def holds(self, time_of_day_s: NDArray[np.float64] | float) -> NDArray[np.bool_]:
        """Return whether times, in seconds since some midnight, lie in it; an unknown time (NaN) does not.

        >>> DayPart("night", 20 * 3600, 7 * 3600).holds(np.array([3600.0, 43200.0, 86400.0])).tolist()
        [True, False, True]
        """
        length_s = (self.end_s - self.start_s - 1) % DAY_S + 1
        return np.asarray((np.asarray(time_of_day_s) - self.start_s) % DAY_S < length_s)

    def __str__(self) -> str:
        return f"{self.name} ({_clock(self.start_s)} to {_clock(self.end_s)})"


@dataclass(frozen=True)
class PartAlarms:
    """The alarms of a part of the day.

    rule: its own; None if there was too little footage, so that the common one applies. median_score: of its normal
    frames, None if there are none. footage_h: hours of its normal footage. alarms: how many alarms this footage gives.
    """

    part: DayPart
    rule: EventRule | None
    median_score: float | None
    footage_h: float
    alarms: int


@dataclass(frozen=True)
class DayAlarms:
    """The parts of the day that have their own thresholds.

    starts: the strptime pattern of file names that gave the footage's time of day; None if the container gave it.
    """

    parts: tuple[PartAlarms, ...]
    starts: str | None = None

    def rule_at(self, time_of_day_s: float) -> EventRule | None:
        """Return the rule at a time in seconds since some midnight; None if the common one holds."""
        return next((part.rule for part in self.parts if part.part.holds(time_of_day_s)), None)

    def to_dict(self) -> dict[str, Any]:
        parts = [with_stored_names(asdict(part)) for part in self.parts]
        return {"parts": parts, "starts": self.starts}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "DayAlarms":
        """Return the inverse of to_dict. Raises KeyError, TypeError, ValueError or ConfigError for anything else."""
        parts = []
        for stored in values["parts"]:
            rule = None if stored["rule"] is None else EventRule(**stored["rule"])
            part = PartAlarms(**{**from_stored_names(stored), "part": DayPart(**stored["part"]), "rule": rule})
            if not all(isfinite(figure) for figure in (part.footage_h, part.alarms, part.median_score or 0.0)):
                raise ValueError("its parts of the day are no numbers")
            parts.append(part)
        require_apart([part.part for part in parts])
        starts = values["starts"]
        if starts is not None and not isinstance(starts, str):
            raise TypeError("its pattern of file names is no text")
        return cls(tuple(parts), starts)


def with_stored_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values under the names that calibration files have had from the start."""
    return {_STORED_NAMES.get(name, name): value for name, value in values.items()}


def from_stored_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inverse of with_stored_names. Raises TypeError for a name that no file has."""
    if unknown := values.keys() & _STORED_NAMES:
        raise TypeError(f"unknown {', '.join(sorted(unknown))}")
    names = {stored: name for name, stored in _STORED_NAMES.items()}
    return {names.get(stored, stored): value for stored, value in values.items()}


def rule_of_day(common: EventRule, day: DayAlarms | None, time_of_day_s: float | None) -> EventRule:
    """Return the rule at a time of day, in seconds since midnight; the common one where no other holds, or it is not
    known.
    """
    own = None if day is None or time_of_day_s is None else day.rule_at(time_of_day_s)
    return own or common


def levels_of_day(common: EventRule, day: DayAlarms | None, times_of_day_s: NDArray[np.float64]) -> Levels:
    """Return the thresholds and release levels at times of day, (N,), NaN if one is not known."""
    levels = Levels.of(common, len(times_of_day_s))
    for part in () if day is None else day.parts:
        if part.rule is not None:
            inside = part.part.holds(times_of_day_s)
            levels.threshold[inside], levels.release[inside] = part.rule.threshold, part.rule.release
    return levels


def time_of_day_s(unix_s: float) -> float:
    """Return seconds since midnight, by the clock on the wall."""
    local = time.localtime(unix_s)
    return local.tm_hour * 3600 + local.tm_min * 60 + local.tm_sec


def read_parts(text: str) -> tuple[DayPart, ...]:
    """Parse parts of the day, such as `day=7-20,night=20:30-7`. Raises ConfigError for anything else.

    >>> [str(part) for part in read_parts("day=7-20,night=20:30-7")]
    ['day (07:00 to 20:00)', 'night (20:30 to 07:00)']
    """
    parts = []
    for word in text.split(","):
        match = re.fullmatch(r"\s*([^\s=,][^=,]*?)\s*=\s*([\d:]+)\s*-\s*([\d:]+)\s*", word)
        if match is None:
            raise ConfigError(f"{word.strip()[:60]!r} is no part of the day", "parts", _USE)
        parts.append(DayPart(match[1], _seconds(match[2]), _seconds(match[3])))
    require_apart(parts)
    return tuple(parts)


def require_apart(parts: Sequence[DayPart]) -> None:
    """Raise ConfigError for parts that overlap, have one name, or are none."""
    for part in parts:
        if not (0 <= part.start_s < DAY_S and 0 <= part.end_s <= DAY_S and part.start_s != part.end_s):
            raise ConfigError(f"{part} is no part of a day", "parts", _USE)
    for index, part in enumerate(parts):
        for other in parts[:index]:
            if part.name == other.name:
                raise ConfigError(f"{part.name} is named twice", "parts", "Use another name")
            if part.holds(other.start_s) or other.holds(part.start_s):
                raise ConfigError(f"{other} and {part} overlap", "parts", "Let one end where the other begins")


def _seconds(text: str) -> int:
    match = re.fullmatch(r"(\d{1,2})(?::(\d{2}))?", text)
    if (
        match is None
        or (hours := int(match[1])) > 24
        or (minutes := int(match[2] or 0)) > 59
        or hours * 60 + minutes > 1440
    ):
        raise ConfigError(f"{text[:60]!r} is no time of day", "parts", "Use 7, 07:30 or 24")
    return (hours * 60 + minutes) * 60


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}"
