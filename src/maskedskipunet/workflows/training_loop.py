"""Loading the training loop, whatever the environment makes of the libraries that come with it."""

from collections.abc import Callable

from maskedskipunet.training.one_process import in_one_process
from maskedskipunet.view.matplotlib_defaults import load_matplotlib


def load_fit() -> Callable[..., None]:
    """Return the function `fit` of maskedskipunet.training.fit; Lightning takes seconds to import, so it comes late."""
    load_matplotlib()  # which Lightning's metrics import too, and MPLBACKEND may name what is not installed here
    with in_one_process():  # Lightning reads ranks when it is imported
        from maskedskipunet.training.fit import fit
    return fit
