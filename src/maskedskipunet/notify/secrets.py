"""Secrets are named in a configuration, never written there."""

import os
from dataclasses import dataclass
from pathlib import Path

from maskedskipunet.errors import ConfigError

LONGEST = 10_000  # characters
HOW = "name a secret as env:NAME or file:/path instead of writing it out"


@dataclass(frozen=True)
class Secret:
    """The place of a secret: `env:NAME`, a variable of the environment, or `file:/path`, a file's first line."""

    reference: str

    def __repr__(self) -> str:
        return f"Secret({self.reference!r})" if is_reference(self.reference) else "Secret(not shown)"

    def faults(self) -> list[str]:
        """Return what is wrong with it, without any of what might be the secret itself."""
        try:
            self.reveal()
        except ConfigError as error:
            return [error.what]
        return []

    def reveal(self) -> str:
        """Return the secret. Raises ConfigError when it is not there."""
        kind, _, name = self.reference.partition(":")
        if not is_reference(self.reference):
            raise ConfigError(HOW, "secret")
        if kind == "env":
            if not (found := os.environ.get(name, "")):
                raise ConfigError(f"the environment variable {name} is not set", "secret", "Set it")
            return found
        try:
            with Path(name).open(encoding="utf-8") as file:
                found = file.readline(LONGEST).rstrip("\r\n")
        except (OSError, ValueError) as error:
            told = getattr(error, "strerror", None) or "not a text file"
            raise ConfigError(f"the secret's file {name} cannot be read ({told})", "secret", "Check it") from None
        if not found:
            raise ConfigError(f"the secret's file {name} is empty", "secret", "Write it there")
        return found


def is_reference(text: str) -> bool:
    """Return whether a text names a secret.

    >>> is_reference("env:PASSWORD"), is_reference("hunter2")
    (True, False)
    """
    kind, _, name = text.partition(":")
    return kind in ("env", "file") and bool(name) and name.isprintable() and (kind == "env" or name.startswith("/"))
