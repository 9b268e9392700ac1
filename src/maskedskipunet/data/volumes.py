"""Masks of a whole clip in one file: Avenue's cells of MATLAB matrices, ShanghaiTech's arrays."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.arrays import array_file
from maskedskipunet.data.matlab import mat_variable
from maskedskipunet.errors import LabelError

CELLS = "volLabel"
_NUMBERS = "biuf"
_ONE_A_FRAME = "Use the file the data set ships, with one mask for each frame of the clip"


@dataclass(frozen=True, slots=True)
class Volume:
    """The masks of one clip. planes: a (H, W) array of numbers a frame, all of one size, above 0 where anomalous."""

    path: Path
    planes: Sequence[NDArray[Any]] | NDArray[Any]

    def __len__(self) -> int:
        return len(self.planes)

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width of the masks."""
        height_px, width_px = self.planes[0].shape
        return height_px, width_px

    def masks(self) -> Iterator[NDArray[np.bool_]]:
        """(H, W) a frame, in order, True where anomalous."""
        for plane in self.planes:
            yield np.asarray(plane) > 0

    def labels(self) -> NDArray[np.uint8]:
        """(frames,): 1 where a frame's mask has any pixel."""
        return np.array([mask.any() for mask in self.masks()], np.uint8)


def read_volume(path: Path) -> Volume:
    """The masks in a `.mat` file with the cell array `volLabel`, or in a `.npy` of shape (N, H, W), mapped, not read.

    Raises LabelError for a file that cannot be read or holds anything else.
    """
    return Volume(path, _cells(path) if path.suffix.lower() == ".mat" else _mapped(path))


def _cells(path: Path) -> Sequence[NDArray[Any]]:
    found = mat_variable(path, CELLS)
    if found is None:
        raise LabelError(f"the file holds no variable {CELLS}", str(path), _ONE_A_FRAME)
    if found.dtype != object or not found.size:
        raise LabelError(f"found {_told(found)} as {CELLS}, expected a cell array of masks", str(path), _ONE_A_FRAME)
    cells = [np.asarray(cell) for cell in found.ravel(order="F")]
    for number, cell in enumerate(cells, start=1):
        if cell.ndim != 2 or not cell.size or cell.dtype.kind not in _NUMBERS:
            fault = f"found {_told(cell)}, expected a mask, one number a pixel"
            raise LabelError(fault, f"{path}, cell {number}", _ONE_A_FRAME)
        if cell.shape != cells[0].shape:
            fault = f"the mask is {_size(cell)}, but the first is {_size(cells[0])}"
            raise LabelError(fault, f"{path}, cell {number}", _ONE_A_FRAME)
    return cells


def _mapped(path: Path) -> NDArray[Any]:
    try:
        with array_file(path):
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise LabelError(f"cannot read the masks ({reason})", str(path), _ONE_A_FRAME) from error
    if not isinstance(array, np.ndarray):
        array.close()
        fault = "found several arrays, expected one of shape (frames, height, width)"
        raise LabelError(fault, str(path), _ONE_A_FRAME)
    if array.ndim != 3 or not array.size or array.dtype.kind not in _NUMBERS:
        fault = f"found {_told(array)}, expected masks of shape (frames, height, width)"
        raise LabelError(fault, str(path), _ONE_A_FRAME)
    return array


def _size(mask: NDArray[Any]) -> str:
    return f"{mask.shape[1]}x{mask.shape[0]}"


def _told(array: NDArray[Any]) -> str:
    return f"an array of shape {array.shape} and type {array.dtype}"
