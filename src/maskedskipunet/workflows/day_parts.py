"""Requires the time of day of footage if thresholds depend on it."""

from collections.abc import Sequence
from pathlib import Path

from maskedskipunet.data.start_times import require_pattern, start_of_day_s
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.errors import ConfigError
from maskedskipunet.progress import Progress
from maskedskipunet.workflows.input_selection import NamedVideo


def require_start_times(videos: Sequence[NamedVideo], starts: str | None) -> list[float]:
    """Return the time of day at which each video starts, in seconds since midnight.

    Raises ConfigError if one is not known, or `starts` is no pattern.
    """
    if starts is not None:
        require_pattern(starts)
    known = []
    for video in videos:
        if (start_s := start_of_day_s(video.path, starts)) is None:
            if starts is None:
                fault, cure = "the file does not say when it was recorded", "Give the pattern of names with --starts"
            else:
                fault, cure = f"its name is no {starts!r}", "Give a pattern that fits, such as %H for 13.mp4"
            raise ConfigError(fault, str(video.path), cure)
        known.append(start_s)
    return known


def note_unknown_times(calibration: Calibration | None, paths: Sequence[Path], progress: Progress) -> None:
    """Say once which videos use the common threshold because their time of day is not known."""
    day = None if calibration is None or calibration.alarm is None else calibration.alarm.day
    if day is None or all(part.rule is None for part in day.parts):  # there is one threshold alone
        return
    starts = day.starts
    unknown = [path.name for path in paths if start_of_day_s(path, starts) is None]
    if unknown:
        names = ", ".join(unknown[:3]) + (" …" if unknown[3:] else "")
        progress.note(f"the time of day is not known of {names}: the common threshold is used")
