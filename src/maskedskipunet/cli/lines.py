"""One line stays one line, whatever a file is called."""


def one_line(text: str) -> str:
    r"""A text with whatever would break or colour its line written out.

    >>> print(one_line("a\nb"))
    a\nb
    """
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
