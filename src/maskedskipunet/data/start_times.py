"""At which time of day footage starts: by the names of its files and folders, or by what its container says."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import av

from maskedskipunet.errors import ConfigError

ANY = "*"
_NO_YEAR = 1900  # what strptime says where a pattern holds no year
IN_UTC = "utc:"
_HOURS = ("%H", "%I", "%X", "%c", "%s")
_DATES = ("%d", "%j", "%x", "%c", "%s")
_WORD = r"[^\W\d_]+\.?"
_PARTS = {  # of the directives that may stand beside `*`, `/` and `%s`
    "%Y": "[0-9]{4}",
    "%y": "[0-9]{2}",
    "%m": "[0-9]{1,2}",
    "%d": "[0-9]{1,2}",
    "%H": "[0-9]{1,2}",
    "%I": "[0-9]{1,2}",
    "%M": "[0-9]{1,2}",
    "%S": "[0-9]{1,2}",
    "%f": "[0-9]{1,6}",
    "%j": "[0-9]{1,3}",
    "%p": "[AaPp][.]?[Mm][.]?",
    "%a": _WORD,
    "%A": _WORD,
    "%b": _WORD,
    "%B": _WORD,
    "%z": r"Z|[+-][0-9]{2}:?[0-9]{2}",
    "%s": r"[0-9]{9,10}(?:\.[0-9]{1,9})?|[0-9]{13}",  # seconds since 1970, or milliseconds
}
_CURE = "Use a pattern such as %H for 13.mp4, or %Y-%m-%d_%H-%M-%S"


def require_pattern(starts: str) -> None:
    """Raise ConfigError for a pattern that tells no time of day, or tells it in a way that cannot be read."""
    pattern = starts.removeprefix(IN_UTC)
    bare = pattern.replace("%%", "")
    if not any(hours in bare for hours in _HOURS):
        raise ConfigError(f"{starts!r} holds no hour", "starts", _CURE)
    if starts.startswith(IN_UTC) and not any(date in bare for date in _DATES):
        cure = "Add the date to the pattern, as summer time hangs on it"
        raise ConfigError(f"{starts!r} is in UTC and holds no date", "starts", cure)
    try:
        if not _is_own(pattern):
            datetime.strptime(datetime(2000, 1, 1, tzinfo=UTC).strftime(pattern), pattern)
        elif _compiled(pattern) is None:
            raise ValueError(pattern)
    except (ValueError, re.error) as error:
        raise ConfigError(f"{starts!r} is no pattern of times", "starts", _CURE) from error


def start_of_day_s(path: Path, starts: str | None) -> float | None:
    """Return seconds from local midnight to the first frame of a file or a folder of images; None if it is not
    known.

    starts: a strptime pattern of the name without its suffix, and with `/` of the folders before it too. `*` stands
    for any text within a name, `%s` for seconds since 1970. Read as local time, unless `utc:` stands before it or `%z`
    in it. Without one, what the container says in `creation_time`, which is in UTC where it does not say otherwise.
    """
    if starts is not None:
        began = _named_time(path, starts)
    else:
        created = _creation_time(path)
        began = None if created is None else created.astimezone()
    if began is None:
        return None
    return began.hour * 3600 + began.minute * 60 + began.second + began.microsecond / 1e6


def start_unix_s(path: Path, starts: str | None) -> float | None:
    """Return when the first frame of a file or a folder of images was seen, in seconds since 1970; None where it is
    not known.

    starts: a pattern as start_of_day_s takes it; without one, the container says it. A pattern without a date gives
    the last such time of day before the file was changed last.
    """
    try:
        began = _named_time(path, starts) if starts is not None else _creation_time(path)
        if began is not None and began.year == _NO_YEAR:
            changed = datetime.fromtimestamp(path.stat().st_mtime)  # local, as the name is
            began = datetime.combine(changed.date(), began.time())
            began = began if began <= changed else began - timedelta(days=1)
        return None if began is None else began.timestamp()
    except (OSError, ValueError, OverflowError):
        return None


def _named_time(path: Path, starts: str) -> datetime | None:
    """Return the local time that a file's name and folders tell."""
    pattern = starts.removeprefix(IN_UTC)
    depth = pattern.count("/")
    folders = path.absolute().parts[:-1][-depth:] if depth else ()
    name = "/".join((*folders, path.name if path.is_dir() else path.stem))
    try:
        began = _read(name, pattern) if _is_own(pattern) else datetime.strptime(name, pattern)
    except (ValueError, OverflowError, OSError, re.error):  # a pattern that comes from a damaged file may be none
        return None
    if began is None:
        return None
    if began.tzinfo is None and starts.startswith(IN_UTC):
        began = began.replace(tzinfo=UTC)
    return began if began.tzinfo is None else began.astimezone()


def _is_own(pattern: str) -> bool:
    """Return whether a pattern holds what strptime knows nothing of."""
    return ANY in pattern or "/" in pattern or "%s" in pattern.replace("%%", "")


def _read(name: str, pattern: str) -> datetime | None:
    compiled = _compiled(pattern)
    match = None if compiled is None else compiled[0].fullmatch(name)
    if compiled is None or match is None:
        return None
    parts = dict(zip(compiled[1], match.groups(), strict=True))
    if (since := parts.get("%s")) is not None:
        return datetime.fromtimestamp(float(since) / (1000 if re.fullmatch("[0-9]{13}", since) else 1), UTC)
    return datetime.strptime("\n".join(parts.values()), "\n".join(parts))


@lru_cache(maxsize=16)
def _compiled(pattern: str) -> tuple[re.Pattern[str], tuple[str, ...]] | None:
    """Return a pattern as a regular expression with a group a directive, and the directives; None if it cannot be
    one.
    """
    directives: list[str] = []
    expression = ""
    for part in _parts(pattern):
        if part == ANY:
            expression += "[^/]*"
        elif part == "%%":
            expression += "%"
        elif part in _PARTS and part not in directives:
            directives.append(part)
            expression += f"({_PARTS[part]})"
        elif part.startswith("%"):
            return None
        else:
            expression += re.escape(part)
    return re.compile(expression), tuple(directives)


def _parts(pattern: str) -> Iterator[str]:
    """Yield directives, `*` and the text between them."""
    return (match[0] for match in re.finditer(r"%.?|\*|[^%*]+", pattern, re.DOTALL))


def _creation_time(path: Path) -> datetime | None:
    if path.is_dir():
        return None
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            all_metadata = [container.metadata, *(stream.metadata for stream in container.streams.video)]
            began = datetime.fromisoformat(
                next(metadata["creation_time"] for metadata in all_metadata if "creation_time" in metadata)
            )
            return began if began.tzinfo else datetime.fromisoformat(f"{began.isoformat()}+00:00")
    except (av.FFmpegError, OSError, ValueError, OverflowError, StopIteration):
        return None  # whether the file is footage is for reading to say
