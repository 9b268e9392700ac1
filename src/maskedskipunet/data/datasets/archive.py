"""Labels of many clips in one .npz, an array a clip under its name, as NWPU Campus has them."""

from pathlib import Path

import numpy as np

from maskedskipunet.data.arrays import array_file
from maskedskipunet.data.labels import LabelSource, ranges_of
from maskedskipunet.errors import LabelError

_PLAIN = "Save one array of 0 and 1 for each clip, under the clip's name"


def read_archive(path: Path) -> dict[str, LabelSource]:
    """The labels of each clip, by its name.

    An array holds one 0 or 1 a frame, whatever axes of length 1 it has. Raises LabelError for anything else; no
    pickle is ever opened.
    """
    try:
        with array_file(path), path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise LabelError(f"cannot read the arrays ({reason})", str(path), _PLAIN) from error
    if not arrays:
        raise LabelError("the file holds no array", str(path), _PLAIN)
    return {name: _source(path, name, np.asarray(array)) for name, array in arrays.items()}


def _source(path: Path, name: str, array: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> LabelSource:
    where = f"{path}, {name}"
    if array.dtype.kind not in "biuf" or array.size != max(array.shape, default=1):
        fault = f"found shape {array.shape} and type {array.dtype}, expected one row of numbers"
        raise LabelError(fault, where, _PLAIN)
    flat = array.reshape(-1)
    wrong = np.flatnonzero((flat != 0) & (flat != 1))
    if wrong.size:
        raise LabelError(f"found {flat[wrong[0]]}, expected 0 or 1", f"{where}, entry {wrong[0]}", _PLAIN)
    return LabelSource(path, "npy", ranges_of(flat.astype(np.uint8)), frames=flat.size)
