"""Variables of MATLAB's files, by scipy."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.errors import LabelError


def mat_variable(path: Path, name: str) -> NDArray[Any] | None:
    """A variable of a `.mat` file as MATLAB shows it, two-dimensional at least; None where there is no such one.

    A cell array is an array of objects. Nothing in the file is executed.
    Raises LabelError when the file cannot be read, and for MATLAB 7.3's format, which is another.
    """
    from scipy.io import loadmat

    try:
        found = loadmat(path, variable_names=[name]).get(name)
    except NotImplementedError as error:
        raise LabelError("the file is of MATLAB 7.3's format", str(path), "Save it again with -v7") from error
    except Exception as error:  # on damaged files loadmat raises nearly any kind
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise LabelError(f"cannot read the .mat file ({reason})", str(path), "Copy it again or leave it out") from error
    return None if found is None else np.asarray(found)
