"""YAML of plain values: what a person writes into a recipe or a file of cameras, and nothing that grows when read."""

from typing import Any

import yaml

LARGEST_BYTES = 1_000_000  # whatever is longer is no settings


class _NoAliases:
    """Refuses a value that stands for another (`*name`): a few lines of them, nested, fill any memory."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        if self.check_event(yaml.AliasEvent):  # type: ignore[attr-defined]  # of the loader beside it
            mark = self.peek_event().start_mark  # type: ignore[attr-defined]
            raise yaml.composer.ComposerError(None, None, "a value that stands for another, write it out", mark)
        return super().compose_node(parent, index)  # type: ignore[misc]


class TextLoader(_NoAliases, yaml.BaseLoader):  # type: ignore[misc]  # yaml states no types
    """Leaves every value as the text that it was written as."""


class ValueLoader(_NoAliases, yaml.SafeLoader):  # type: ignore[misc]
    """Makes numbers, truth values and text of what was written, and executes nothing."""
