"""Calibration: which scores normal footage gives that was not trained on, so that a score has a meaning.

Errors of a network differ from scene to scene and from training to training. How rare a score is among normal frames
does not, and a threshold can be set by it without a label.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskedskipunet import files
from maskedskipunet.detection.budget import AlarmSetting
from maskedskipunet.detection.drift import DriftReference
from maskedskipunet.errors import CalibrationError, ConfigError
from maskedskipunet.files import atomic_write, read_text

CALIBRATION_NAME = "calibration.json"
FORMAT_VERSION = 1
LARGEST_BYTES = 50_000_000
_CURE = "Calibrate the model again"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """The distribution of the scores of normal frames.

    videos: the normal videos it was learned from, none of them trained on. frames: the number of scores. levels: rising
    scores; shares: for each the share of normal frames that score at least as high, falling from 1. alarm: the
    threshold for a budget of alarms; None if none was set. drift: the reference of normal minutes; None if there is too
    little footage.
    """

    videos: tuple[str, ...]
    frames: int
    levels: tuple[float, ...]
    shares: tuple[float, ...]
    alarm: AlarmSetting | None = None
    drift: DriftReference | None = None

    @classmethod
    def of(cls, scores: Mapping[str, Floats]) -> "Calibration":
        """Make a calibration from the scores of normal videos, NaN for a frame without one. Raises
        CalibrationError without any score.
        """
        found = np.concatenate([np.empty(0), *scores.values()])
        ordered = np.sort(found[~np.isnan(found)])[::-1]  # the highest first: the k-th is reached by k of them
        if not len(ordered):
            raise CalibrationError("no normal frame has a score", ", ".join(scores), "Hold longer videos back")
        levels = np.unique(ordered[kept_counts(len(ordered)) - 1])
        shares = np.searchsorted(-ordered, -levels, side="right") / len(ordered)
        return cls(tuple(scores), len(ordered), tuple(levels.tolist()), tuple(shares.tolist()))

    def share(self, scores: Floats) -> Floats:
        """Return the share of normal frames that score at least as high, of each score; NaN for NaN.

        Between the scores that are kept, in a line. Above the highest of them all that is known is that it is rarer
        than one frame in so many, 1 / (frames + 1).

        >>> Calibration.of({"a": np.array([1.0, 2.0, 3.0, 4.0])}).share(np.array([0.5, 2.0, 3.5, 9.0])).tolist()
        [1.0, 0.75, 0.375, 0.2]
        """
        shares = np.interp(scores, self.levels, self.shares)
        return np.where(scores > self.levels[-1], 1 / (self.frames + 1), np.where(np.isnan(scores), np.nan, shares))

    def threshold(self, share: float) -> float:
        """Return the score that a share of normal frames reaches.

        share: above 0, at most 1. Raises CalibrationError for a share too small for the number of frames.

        >>> Calibration.of({"a": np.array([1.0, 2.0, 3.0, 4.0])}).threshold(0.5)
        3.0
        """
        if not 0 < share <= 1:
            raise CalibrationError(f"a share of {share:g} of normal frames", "calibration", "Use above 0, at most 1")
        if share < self.shares[-1]:
            needed = f"{self.frames:,} normal frames cannot tell what one in {1 / share:,.0f} reaches"
            raise CalibrationError(needed, "calibration", "Calibrate on more normal footage, or use a larger share")
        return float(np.interp(share, self.shares[::-1], self.levels[::-1]))

    def share_of(self, score: float) -> float:
        """Return the share of normal frames that score at least as high as one score."""
        return float(self.share(np.array([score]))[0])

    def write(self, folder: Path) -> None:
        """Write `calibration.json` into a model's folder."""
        values: dict[str, Any] = {
            "format": FORMAT_VERSION,
            "videos": list(self.videos),
            "frames": self.frames,
            "normal_scores": {"level": list(self.levels), "share_at_least": list(self.shares)},
        }
        if self.alarm is not None:  # an addition to format 1: a reader that does not know it reads the rest
            values["alarm"] = self.alarm.to_dict()
            if (day := values["alarm"].pop("day", None)) is not None:  # likewise, but for readers of alarms
                values["alarm_by_day"] = day
        if self.drift is not None:
            values["drift"] = self.drift.to_dict()
        with atomic_write(folder / CALIBRATION_NAME) as part:
            part.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Calibration | None":
        """Read a model's calibration; None if it has none. Raises CalibrationError for a damaged one."""
        return cls.read_file(folder / CALIBRATION_NAME)

    @classmethod
    def read_file(cls, path: Path) -> "Calibration | None":
        """Read a calibration's file, also that of an earlier one; None if it is not there. Raises as `read` does."""
        try:
            values = json.loads(read_text(path, max_bytes=LARGEST_BYTES))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise CalibrationError("cannot read the calibration", str(path), _CURE) from error
        try:
            return cls._from_dict(values)
        except (KeyError, TypeError, ValueError, ConfigError) as error:
            raise CalibrationError(f"not a calibration ({error})", str(path), _CURE) from error

    @classmethod
    def _from_dict(cls, values: Any) -> "Calibration":
        if values["format"] != FORMAT_VERSION:
            raise ValueError(f"format {values['format']!r}, this version reads {FORMAT_VERSION}")
        levels, shares = (_numbers(values["normal_scores"][key]) for key in ("level", "share_at_least"))
        frames = int(values["frames"])
        if len(levels) != len(shares) or not len(levels) or shares[0] != 1:
            raise ValueError("its scores and their shares do not belong together")
        if (np.diff(levels) <= 0).any() or (np.diff(shares) >= 0).any():
            raise ValueError("its scores do not rise as they become rarer")
        if frames * shares[-1] < 1 - 1e-9:
            raise ValueError(f"{frames} frames cannot tell its rarest share")
        alarm = None
        if values.get("alarm") is not None:
            alarm = AlarmSetting.from_dict({**values["alarm"], "day": values.get("alarm_by_day")})
        drift = None if values.get("drift") is None else DriftReference.from_dict(values["drift"])
        return cls(
            tuple(map(str, values["videos"])), frames, tuple(levels.tolist()), tuple(shares.tolist()), alarm, drift
        )


def keep_earlier(folder: Path) -> Path | None:
    """Copy a model's calibration to the next free `calibration.N.json`; None if there is none."""
    return files.keep_earlier(folder / CALIBRATION_NAME)


def describe_share(share: float, frames: str = "normal frames") -> str:
    """Return a share of frames in words.

    >>> describe_share(0.32), describe_share(0.00062)
    ('32% of normal frames', '1 in 1,613 normal frames')
    """
    return f"{share:.0%} of {frames}" if share >= 0.05 else f"1 in {1 / share:,.0f} {frames}"


def describe_rarity(share: float, frames: int) -> str:
    """Describe how many normal frames score as high, by a calibration on so many frames.

    >>> describe_rarity(0.32, 356), describe_rarity(1 / 357, 356)
    ('32% of normal frames', 'none of 356 normal frames')
    """
    if share * frames < 1 - 1e-9:
        return f"none of {frames:,} normal frame{'' if frames == 1 else 's'}"
    return describe_share(share)


def kept_counts(frames: int) -> NDArray[np.int64]:
    """Return the ranks of the scores to store, from the highest: all of the rare ones, ever fewer of the common ones.

    >>> kept_counts(3).tolist(), len(kept_counts(1_000_000)) < 600
    ([1, 2, 3], True)
    """
    dense = np.arange(1, min(frames, _DENSE) + 1)
    spread = np.geomspace(1, frames, _SPREAD).round().astype(np.int64)
    even = np.linspace(1, frames, _EVEN).round().astype(np.int64)
    return np.unique(np.concatenate([dense, spread, even]))


_DENSE = 100  # of the highest, where thresholds are, each is kept
_SPREAD, _EVEN = 200, 201


def _numbers(values: Sequence[float]) -> Floats:
    numbers = np.array(values, np.float64)
    if numbers.ndim != 1 or not np.isfinite(numbers).all():
        raise ValueError("its scores are no numbers")
    return numbers
