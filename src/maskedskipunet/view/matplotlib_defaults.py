"""matplotlib as it comes, whatever the caller's environment and settings files make of it."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

BACKEND_VARIABLE = "MPLBACKEND"


def load_matplotlib() -> None:
    """Import matplotlib, also where MPLBACKEND names a backend that is not installed here.

    Commands of a notebook inherit the notebook's backend. Pictures are drawn on canvases of their own, so that none
    is needed; one that is there is set as matplotlib would have set it.
    """
    if "matplotlib" in sys.modules:
        return
    named = os.environ.pop(BACKEND_VARIABLE, None)
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.ERROR)  # that a user without a home folder gets a temporary one is no news
    try:
        import matplotlib

        matplotlib.get_cachedir()
    finally:
        log.setLevel(level)
        if named is not None:
            os.environ[BACKEND_VARIABLE] = named
    if named:
        with suppress(ValueError):
            matplotlib.rcParams["backend"] = named


@contextmanager
def default_style() -> Iterator[None]:
    """Draw with matplotlib's own settings: a matplotlibrc that asks for LaTeX or another size is for other pictures.

    The caller's settings are there again afterwards.
    """
    load_matplotlib()
    from matplotlib import style

    with style.context("default"):
        yield
