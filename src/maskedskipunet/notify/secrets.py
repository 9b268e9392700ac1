"""Reads secrets, which a configuration names but never holds."""

import os
from dataclasses import dataclass
from pathlib import Path

from maskedskipunet.errors import ConfigError

LONGEST = 10_000  # characters
CURE = "name a secret as env:NAME or file:/path instead of writing it out"


@dataclass(frozen=True)
class Secret:
    """A reference to a secret: `env:NAME`, an environment variable, or `file:/path`, the first line of a file."""

    reference: str

    def __repr__(self) -> str:
        return f"Secret({self.reference!r})" if is_reference(self.reference) else "Secret(not shown)"

    def faults(self) -> list[str]:
        """Return what is wrong with it, without any part of the secret itself."""
        try:
            self.reveal()
        except ConfigError as error:
            return [error.what]
        return []

    def reveal(self) -> str:
        """Return the secret. Raises ConfigError if it cannot be read."""
        kind, _, name = self.reference.partition(":")
        if not is_reference(self.reference):
            raise ConfigError(CURE, "secret")
        if kind == "env":
            if not (found := os.environ.get(name, "")):
                raise ConfigError(f"the environment variable {name} is not set", "secret", "Set it")
            return found
        try:
            with Path(name).open(encoding="utf-8") as file:
                found = file.readline(LONGEST).rstrip("\r\n")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a text file"
            raise ConfigError(f"the secret's file {name} cannot be read ({reason})", "secret", "Check it") from None
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
