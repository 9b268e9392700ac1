"""Overwrites passwords of the command line, which the list of processes would show."""

import sys
from collections.abc import Sequence

from maskedskipunet.cli.values import UsageError
from maskedskipunet.machine import hide_in_process_list


def hide_passwords(secrets: Sequence[str]) -> None:
    """Write over those that stand there. Raises UsageError if the system does not let us."""
    typed = [secret for secret in secrets if any(secret in argument for argument in sys.argv)]
    if not typed:
        return
    cure = "Write it as ${NAME} in single quotes, or into a file"
    if not hide_in_process_list(typed):
        raise UsageError("an address with a password on the command line can be seen by every user", "SOURCE", cure)
    print(f"a password on the command line can be seen while a command starts. {cure}.", file=sys.stderr, flush=True)
