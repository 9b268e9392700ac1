"""Parses values of the command line into the types of settings; an error is one sentence."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NewType, Union, get_args, get_origin

from maskedskipunet.errors import MaskedSkipUNetError

LONGEST_SHOWN = 60
PathText = NewType("PathText", str)  # a path as it was written: patterns and addresses would not survive as a Path


class UsageError(MaskedSkipUNetError):
    """The command line, or a recipe, cannot be understood."""


def read_value(hint: Any, text: str, where: str) -> Any:
    """Return a value of a type: int, float, bool, str, Path, PathText, a Literal of words, or one of these or None.

    where: the option or setting, for the error. Raises UsageError.

    >>> read_value(int | None, "3", "--training.epochs")
    3
    """
    hint = _without_none(hint)
    if get_origin(hint) is not Literal:
        return _READERS[hint](text, where)
    if text not in get_args(hint):
        raise UsageError(f"{shown(text)} is not among the choices", where, f"Use {_either(get_args(hint))}")
    return text


def placeholder(hint: Any) -> str:
    """Return what stands for a value of the type in a help text.

    >>> placeholder(Literal["skip", "stop"] | None)
    '{skip,stop}'
    """
    hint = _without_none(hint)
    return f"{{{','.join(get_args(hint))}}}" if get_origin(hint) is Literal else _PLACEHOLDERS[hint]


def shown(text: str) -> str:
    """Return a text in quotes, shortened if it is long."""
    return repr(text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…")


def _whole_number(text: str, where: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise UsageError(f"{shown(text)} is not a whole number", where, "Use digits alone") from error


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise UsageError(f"{shown(text)} is not a number", where, "Use one such as 10 or 0.5")
    return value


def _truth(text: str, where: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise UsageError(f"{shown(text)} is not among the choices", where, "Use true or false")
    return text.lower() == "true"


def _path(text: str, where: str) -> Path:
    if not text or "\0" in text:
        raise UsageError(f"{shown(text)} is no path", where, "Name a file or a folder")
    return Path(text)


def _path_text(text: str, where: str) -> PathText:
    _path(text, where)
    return PathText(text)


def _text(text: str, where: str) -> str:
    return text


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
    return hint


def _either(choices: Sequence[str]) -> str:
    return " or ".join([", ".join(choices[:-1]), choices[-1]])


_READERS: Mapping[Any, Callable[[str, str], Any]] = {
    int: _whole_number,
    float: _number,
    bool: _truth,
    Path: _path,
    PathText: _path_text,
    str: _text,
}
_PLACEHOLDERS = {int: "N", float: "NUMBER", bool: "{true,false}", Path: "PATH", PathText: "PATH", str: "NAME"}
