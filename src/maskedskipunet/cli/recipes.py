"""Recipes: YAML files that give settings, the `config.yaml` of a run among them."""

from collections.abc import Iterator
from pathlib import Path

import yaml

from maskedskipunet.cli.values import UsageError
from maskedskipunet.plain_yaml import TextLoader

LARGEST = 1_000_000  # characters; whatever is longer is no recipe
_EMPTY = frozenset({"", "null", "Null", "NULL", "~"})
_EXAMPLE = "Write settings into it, such as `training: {epochs: 3}`"


def read_recipe(path: Path) -> Iterator[tuple[str, str | list[str] | None]]:
    """Yield the settings of a recipe by their full names (`training.epochs`), as text; None if one is left empty.

    A list of values is a list of texts.

    Values stay as written, without YAML's conversions, and nothing in the file is executed. Raises UsageError for what
    is no recipe.
    """
    document = _document(path)
    if not isinstance(document, yaml.MappingNode) or not document.value:
        raise UsageError("the file holds no settings", str(path), _EXAMPLE)
    seen: set[str] = set()
    for name, node in _settings(document):
        where = f"{path}, {name}"
        if name in seen:
            raise UsageError("the setting is given twice", where, "Keep one")
        seen.add(name)
        if _is_list(node):
            yield name, [item.value for item in node.value]
            continue
        if not isinstance(node, yaml.ScalarNode):
            raise UsageError("not a single value", where, "Write `name: value`")
        is_empty = node.style is None and node.value in _EMPTY  # in quotes it would be a word
        yield name, None if is_empty else node.value


def _is_list(node: yaml.Node) -> bool:
    """Return whether it is a plain list of values, without a tag that asks for something else."""
    is_plain = isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq"
    return is_plain and all(isinstance(item, yaml.ScalarNode) for item in node.value)


def _settings(document: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node]]:
    for key, value in document.value:
        if isinstance(value, yaml.MappingNode):
            for inner, setting in value.value:
                yield f"{key.value}.{inner.value}", setting
        else:
            yield str(key.value), value


def _document(path: Path) -> yaml.Node | None:
    try:
        with path.open(encoding="utf-8") as file:  # not asked for its size first: it may be a pipe
            text = file.read(LARGEST + 1)
    except UnicodeDecodeError as error:
        raise UsageError("not a text file", str(path), "Name a YAML file") from error
    except OSError as error:
        raise UsageError(f"cannot read the recipe ({error.strerror})", str(path), "Name a YAML file") from error
    if len(text) > LARGEST:
        raise UsageError("too large for a recipe", str(path), "Name a YAML file")
    try:
        return yaml.compose(text, TextLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"not YAML that holds settings{_place(error)}", str(path), _EXAMPLE) from error


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" (line {mark.line + 1}: {getattr(error, 'problem', '')})" if mark is not None else ""
