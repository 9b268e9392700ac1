"""Reading the command line: dataclasses become options, a recipe may give them too, each fault becomes one sentence."""

import argparse
import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from maskedskipunet.cli.recipes import read_recipe
from maskedskipunet.cli.values import UsageError, placeholder, read_value, shown
from maskedskipunet.data.config import DataConfig
from maskedskipunet.files import require_writable

PROGRAM = "maskedskipunet"
SHORT_FORMS: Mapping[str, str] = {"data.path": "--data", "data.on_bad_frame": "--on-bad-frame"}

T = TypeVar("T")


LIST_WORDS = "--list-words"  # asks a command for what may be typed, for the completion of shells


class WordsListed(Exception):  # noqa: N818  # no error: a command's answer
    """The words that may follow a command, as Parser lists them."""

    def __init__(self, words: dict[str, tuple[str, ...]]) -> None:
        super().__init__(words)
        self.words = words


class Options(argparse.Namespace):
    """The parsed options: `options.seed`, or `options["training.epochs"]` if a name is no Python name."""

    def __getitem__(self, name: str) -> Any:
        return vars(self)[name]


class Parser:
    """The options of one command.

    usage: the arguments that it cannot do without, for the first line of its help.
    """

    def __init__(self, command: str, usage: str, description: str) -> None:
        self.command = f"{PROGRAM} {command}"
        self._parser = argparse.ArgumentParser(
            usage=" ".join(filter(None, [self.command, usage, "[options]"])),
            description=description,
            formatter_class=partial(argparse.HelpFormatter, max_help_position=26),
            allow_abbrev=False,  # an option added later must not change what an old command means
            exit_on_error=False,
            add_help=False,
        )
        self._alone = self._parser.add_argument_group("arguments")
        self._options = self._parser.add_argument_group("options")
        self._options.add_argument("-h", "--help", action="help", help="Show this help and exit.")
        self._groups: dict[str, Any] = {}  # of the options KEY.FIELD, by KEY
        self._defaults: dict[str, Any] = {}
        self._required: dict[str, str] = {}
        self._in_recipe: dict[str, Any] = {}
        self._not_here: dict[str, str] = {}
        self._left_out: set[str] = set()
        self._many: set[str] = set()

    def add(
        self,
        *names: str,
        type: Any,
        help: str,
        default: Any = None,
        metavar: str | None = None,
        dest: str | None = None,
        required: bool = False,
        in_recipe: bool = False,
    ) -> None:
        """Add an option, or a positional argument if the name has no dashes.

        type: as for read_value, or tuple[TYPE, ...] for an argument or option that may be repeated; its value is a
        list. help: a sentence; the default is added to it, unless it is None. in_recipe: a recipe may set it.
        """
        if many := get_origin(type) is tuple:
            type = get_args(type)[0]
        name, metavar = names[0], metavar or placeholder(type)
        dest = dest or name.lstrip("-").replace("-", "_")
        is_option = name.startswith("-")
        kind: dict[str, Any] = {"nargs": "*" if many else "?"}
        if is_option:
            kind = {"dest": dest} | ({"action": "append"} if many else {})
        group = self._groups.get(dest.rpartition(".")[0], self._options)
        (group if is_option else self._alone).add_argument(
            *names,
            type=partial(_read, type, name if is_option else metavar),
            metavar=metavar,
            help=f"{help.rstrip('.')}{_shown_default(default)}.".replace("%", "%%"),
            **kind,
        )
        self._defaults[dest] = default
        if required:
            self._required[dest] = f"{name} {metavar}" if is_option else metavar
        if in_recipe:
            self._in_recipe[dest] = type
        if many:
            self._many.add(dest)

    def add_switch(self, name: str, *, dest: str, help: str) -> None:
        """Add an option without a value."""
        self._options.add_argument(name, dest=dest, action="store_const", const=True, help=help)
        self._defaults[dest] = False

    def add_config(self, config: type, key: str) -> None:
        """Give each field of a dataclass an option `--key.field`, explained by the dataclass's docstring."""
        title, descriptions = _explained(config)
        hints = get_type_hints(config)
        self._groups[key] = self._parser.add_argument_group(title)
        for field in fields(config):
            name = f"{key}.{field.name}"
            short = [SHORT_FORMS[name]] if name in SHORT_FORMS else []
            text = descriptions.get(field.name, "")
            self.add(
                *short,
                f"--{name}",
                dest=name,
                type=hints[field.name],
                metavar="SHAPE" if get_origin(hints[field.name]) is tuple else None,
                default=field.default,
                help=text[:1].upper() + text[1:],
                in_recipe=True,
            )

    def add_recipe(self) -> None:
        self.add(
            "--config",
            type=Path,
            metavar="PATH",
            help="Read options from a YAML recipe or a run's config.yaml; other options override it (default: none).",
        )

    def add_json(self) -> None:
        self.add("--json", type=Path, metavar="PATH", help="Also write the results to this file, as JSON.")

    def add_ignore(self, more: str = "") -> None:
        """Add `--ignore`; the text `more` is added to its help."""
        self.add(
            "--ignore",
            type=tuple[str, ...],
            metavar="SHAPE",
            default=(),
            help="Ignore this shape too: a box x,y,width,height, a polygon 'x,y x,y x,y' or a mask image, in pixels "
            f"or in percent with %. Repeat the option for several shapes{more} (default: none).",
        )

    def add_device(self) -> None:
        self.add("--device", type=str, default="auto", metavar="NAME", help="Score on this device: auto, cpu or cuda.")

    def add_precision(self) -> None:
        self.add(
            "--precision",
            type=Literal["float32", "bfloat16"],
            default="float32",
            help="Score with these numbers; bfloat16 is faster on some machines, and its scores differ a little.",
        )

    def refuse(self, setting: str, reason: str) -> None:
        """Refuse a setting in recipes unless it is empty, as in the config.yaml of a run."""
        self._not_here[setting] = reason

    def leave_out(self, setting: str) -> None:
        """Accept a setting in recipes and ignore it."""
        self._left_out.add(setting)

    def parse(self, arguments: Sequence[str]) -> Options:
        """Return the options: from the command line, else from the recipe, else the defaults.

        Raises UsageError with one sentence; exits only for --help.
        """
        if list(arguments) == [LIST_WORDS]:
            raise WordsListed(self._words())
        try:
            known, unknown = self._parser.parse_known_args(arguments)
        except argparse.ArgumentError as error:
            raise _clearer_message(error) from error
        if unknown:
            raise self._refuse_unknown(unknown[0])
        given = {name: value for name, value in vars(known).items() if value is not None and value != []}
        recipe = self._recipe(given["config"]) if "config" in given else {}
        options = Options(**self._defaults | recipe | given)
        missing = [name for dest, name in self._required.items() if options[dest] is None]
        if missing:
            raise UsageError(f"{' and '.join(missing)} must be given", cure=self._see_help())
        if "json" in given:
            _require_place_for_file(given["json"])
        return options

    def _words(self) -> dict[str, tuple[str, ...]]:
        """Return what may be typed: each option with the values that it may take, and those of arguments that stand
        alone.
        """
        words: dict[str, tuple[str, ...]] = {"": ()}
        for action in self._parser._actions:
            hint = action.type.args[0] if isinstance(action.type, partial) else None
            choices = tuple(map(str, get_args(hint))) if get_origin(hint) is Literal else ()
            for name in action.option_strings:
                words[name] = choices
            if not action.option_strings:
                words[""] += choices
        return words

    def _recipe(self, path: Path) -> dict[str, Any]:
        settings = {}
        for name, text in read_recipe(path):
            where = f"{path}, {name}"
            groups = [setting for setting in self._in_recipe if setting.startswith(f"{name}.")]
            if groups:
                if text is not None:
                    inner = groups[0].removeprefix(f"{name}.")
                    raise UsageError("a group of settings, not one", where, f"Write `{name}: {{{inner}: …}}`")
            elif name in self._left_out:
                continue
            elif name in self._not_here:
                if text is not None:
                    raise UsageError(self._not_here[name], where, "Leave it out")
            elif name not in self._in_recipe:
                raise UsageError("there is no such setting", where, self._perhaps(name, list(self._in_recipe)))
            elif name in self._many:
                texts = [text] if isinstance(text, str) else text or []
                settings[name] = [read_value(self._in_recipe[name], item, where) for item in texts]
            elif isinstance(text, list):
                raise UsageError("not a single value", where, "Write `name: value`")
            elif text is not None:
                settings[name] = read_value(self._in_recipe[name], text, where)
        return settings

    def _refuse_unknown(self, argument: str) -> UsageError:
        if not argument.startswith("-"):
            return UsageError(f"{shown(argument)} is one argument too many", cure=self._see_help())
        name = argument.split("=")[0]
        return UsageError(f"there is no option {shown(name)}", cure=self._perhaps(name, self._option_names()))

    def _perhaps(self, name: str, known: Sequence[str]) -> str:
        ending = [option for option in known if option.split(".")[-1] == name.lstrip("-").replace("-", "_")]
        near = ending or get_close_matches(name, known, 1)
        return f"Perhaps you mean {near[0]}" if near else self._see_help()

    def _option_names(self) -> list[str]:
        return [option for action in self._parser._actions for option in action.option_strings]

    def _see_help(self) -> str:
        return f"See `{self.command} --help`"


def build(config: type[T], options: Options, key: str) -> T:
    """Return the dataclass from its parsed options."""
    return config(**{field.name: options[f"{key}.{field.name}"] for field in fields(config)})  # type: ignore[arg-type]


def data_config(path: Path | None, base: DataConfig | None = None, **changes: Any) -> DataConfig:
    """Return settings with footage named on the command line, and the other settings of `base`."""
    values = asdict(base) if base is not None else {}
    if path is not None:
        values["path"] = path
    return DataConfig(**values | {name: value for name, value in changes.items() if value is not None})


def _shown_default(default: Any) -> str:
    if default is None or default == ():
        return ""
    text = (
        str(default).lower() if isinstance(default, bool) else f"{default:g}" if isinstance(default, float) else default
    )
    return f" (default: {text})"


def _read(hint: Any, where: str, text: str) -> Any:
    return read_value(hint, text, where)


def _clearer_message(error: argparse.ArgumentError) -> UsageError:
    name = (error.argument_name or "").split("/")[0]
    if error.message.startswith("ignored"):
        return UsageError(f"{name} takes no value", cure=f"Write {name} alone")
    return UsageError(f"{name} needs a value", cure=f"Write {name}=VALUE where the value starts with a dash")


def _explained(config: type) -> tuple[str, dict[str, str]]:
    """Return the first sentence of a dataclass's docstring, and the description of each argument."""
    title, _, arguments = inspect.cleandoc(config.__doc__ or "").partition("\n\nArgs:\n")
    lines = re.findall(r"^    (\w+): (.+(?:\n        .+)*)", arguments, re.MULTILINE)
    return title.rstrip("."), {name: " ".join(text.split()) for name, text in lines}


def _require_place_for_file(path: Path) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a folder", "--json", "Name a file in it")
    require_writable(path.parent)
