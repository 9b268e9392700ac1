"""`python -m maskedskipunet`."""

from maskedskipunet.cli.main import command

command()
