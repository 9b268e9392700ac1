"""At which time of day footage starts: by the names of its files, or by what its container says."""

import re
from datetime import datetime
from pathlib import Path

import av

from maskedskipunet.errors import ConfigError

_HOURS = ("%H", "%I", "%X", "%c")


def require_pattern(starts: str) -> None:
    """Raises ConfigError for a strptime pattern that tells no time of day."""
    cure = "Use a pattern such as %H for 13.mp4, or %Y-%m-%d_%H-%M-%S"
    if not any(hours in starts.replace("%%", "") for hours in _HOURS):
        raise ConfigError(f"{starts!r} holds no hour", "starts", cure)
    try:
        datetime.strptime(datetime(2000, 1, 1).strftime(starts), starts)
    except (ValueError, re.error) as error:
        raise ConfigError(f"{starts!r} is no pattern of times", "starts", cure) from error


def start_of_day_s(path: Path, starts: str | None) -> float | None:
    """Seconds from local midnight to the first frame of a file or a folder of images; None where it is not known.

    starts: a strptime pattern of the name without its suffix, read as local time. Without one, what the container says
    in `creation_time`, which is in UTC where it does not say otherwise.
    """
    if starts is not None:
        name = path.name if path.is_dir() else path.stem
        try:
            began = datetime.strptime(name, starts)
        except (ValueError, re.error):  # a pattern that comes from a damaged file may be none
            return None
    else:
        told = _creation_time(path)
        if told is None:
            return None
        began = told.astimezone()
    return began.hour * 3600 + began.minute * 60 + began.second + began.microsecond / 1e6


def _creation_time(path: Path) -> datetime | None:
    if path.is_dir():
        return None
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            told = [container.metadata, *(stream.metadata for stream in container.streams.video)]
            began = datetime.fromisoformat(next(said["creation_time"] for said in told if "creation_time" in said))
            return began if began.tzinfo else datetime.fromisoformat(f"{began.isoformat()}+00:00")
    except (av.FFmpegError, OSError, ValueError, OverflowError, StopIteration):
        return None  # whether the file is footage is for reading to say
