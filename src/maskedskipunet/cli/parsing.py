"""Reading the command line: dataclasses become options, faults become one line."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from maskedskipunet.data.config import DataConfig
from maskedskipunet.errors import MaskedSkipUNetError

PROGRAM = "maskedskipunet"
SHORT_FORMS: Mapping[str, str] = {"--data": "--data.path", "--on-bad-frame": "--data.on_bad_frame"}

T = TypeVar("T")


class UsageError(MaskedSkipUNetError):
    """The command line cannot be understood."""


def make_parser(command: str, description: str) -> ArgumentParser:
    return ArgumentParser(prog=f"{PROGRAM} {command}", description=description, exit_on_error=False)


def add_config(parser: ArgumentParser, config: type, key: str, *, skip: set[str] | None = None) -> None:
    """Give each field of a dataclass an option `--key.field`."""
    parser.add_class_arguments(config, key, skip=skip)
    for action in parser._actions:
        if action.dest == key:
            if key == "data":
                action.metavar, action.help = "PATH", "Short for --data.path."
            else:
                action.help = "A YAML file with these options."


def add_json(parser: ArgumentParser) -> None:
    parser.add_argument("--json", type=Path | None, metavar="PATH", help="Also write the figures to this file.")


def add_device(parser: ArgumentParser) -> None:
    parser.add_argument("--device", type=str, default="auto", help="auto, cpu or cuda.")


def parse(parser: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """Raises UsageError with one line; exits only for --help."""
    options = {option for action in parser._actions for option in action.option_strings}
    try:
        return parser.parse_args([_in_full(argument, options) for argument in arguments])
    except ArgumentError as error:
        fault = " ".join(str(error).split())
        raise UsageError(fault, cure=f"See `{parser.prog} --help`") from error


def build(config: type[T], values: Namespace) -> T:
    """The dataclass from its parsed options."""
    names = {field.name for field in fields(config)}  # type: ignore[arg-type]
    return config(**{name: value for name, value in vars(values).items() if name in names})


def data_config(path: Path | None, base: DataConfig | None = None, **changes: Any) -> DataConfig:
    """Footage named on the command line, other settings as in `base`."""
    values = asdict(base) if base is not None else {}
    if path is not None:
        values["path"] = path
    return DataConfig(**values | {name: value for name, value in changes.items() if value is not None})


def _in_full(argument: str, options: set[str]) -> str:
    name, equals, value = argument.partition("=")
    full = SHORT_FORMS.get(name)
    return f"{full}{equals}{value}" if full in options else argument
