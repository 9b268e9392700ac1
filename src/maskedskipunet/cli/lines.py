"""Keeps a line one line, whatever a file is called, and wraps it between words on a terminal."""

import re
import shutil
import textwrap
from typing import TextIO

NARROWEST = 20  # columns; below it lines are left to the terminal
INDENT = "  "  # of what follows on the next line
_KEPT_TOGETHER = re.compile(r"`[^`]*`")  # a command: broken, it could not be copied
_BLANK = "\0"  # no line holds one: see one_line


def one_line(text: str) -> str:
    r"""Return a text with whatever would break or colour its line written out.

    >>> print(one_line("a\nb"))
    a\nb
    """
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def shown_on(stream: TextIO, text: str) -> str:
    """Return a text as one line, wrapped to the width of a terminal."""
    line = one_line(text)
    if not stream.isatty():
        return line
    return wrapped(line, shutil.get_terminal_size().columns)


def wrapped(line: str, width: int) -> str:
    """Return a line broken between words, never in one and never in a command in backticks.

    >>> print(wrapped("calibrate again with `maskedskipunet calibrate NORMAL`", 24))
    calibrate again with
      `maskedskipunet calibrate NORMAL`
    """
    if width < NARROWEST or len(line) <= width:
        return line
    kept = _KEPT_TOGETHER.sub(lambda command: command[0].replace(" ", _BLANK), line)
    parts = textwrap.wrap(
        kept, width, subsequent_indent=INDENT, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )
    return "\n".join(parts).replace(_BLANK, " ")
