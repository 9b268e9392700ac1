"""Masks of a whole clip: Avenue's cells of MATLAB matrices, ShanghaiTech's arrays, folders of images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.arrays import array_file
from maskedskipunet.data.mask_images import MaskImages, background_of, mask_files, masks_of
from maskedskipunet.data.matlab import mat_variable
from maskedskipunet.errors import LabelError

CELLS = "volLabel"
_NUMBERS = "biuf"
_ONE_A_FRAME = "Use the file the data set ships, with one mask for each frame of the clip"


Planes = Sequence[NDArray[Any]] | NDArray[Any]


@dataclass(frozen=True, slots=True)
class Volume:
    """The masks of one clip. planes: (H, W) of numbers or (H, W, 3) of colours, a mask each, in order."""

    path: Path
    planes: Planes

    def __len__(self) -> int:
        return len(self.planes)

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width of the masks."""
        height_px, width_px = self.planes[0].shape[:2]
        return height_px, width_px

    def file_of(self, number: int) -> Path:
        """Return the file that a mask stands in."""
        return self.planes.files[number] if isinstance(self.planes, MaskImages) else self.path

    def background(self, labels: NDArray[np.uint8] | None = None) -> NDArray[Any]:
        """Return the colour of pixels that are not anomalous: 0 but where masks are inverted (see `background_of`)."""
        return background_of(self.planes, labels)

    def masks(self, labels: NDArray[np.uint8] | None = None) -> Iterator[NDArray[np.bool_]]:
        """Yield masks (H, W) in order, True where anomalous. labels: of the masks' frames, if they are known."""
        return masks_of(self.planes, labels)

    def labels(self) -> NDArray[np.uint8]:
        """Return (masks,), 1 for a mask with any pixel."""
        return np.array([mask.any() for mask in self.masks()], np.uint8)


def read_volume(path: Path) -> Volume:
    """Return the masks in a folder of images, in a `.mat` file with the cell array `volLabel`, or in a `.npy`.

    An array is of shape (N, H, W), or (N, H, W, C), and is mapped, not read.
    Raises LabelError for a file that cannot be read or holds anything else.
    """
    if path.is_dir():
        files = mask_files(path)
        if not files:
            raise LabelError("the folder holds no images of masks", str(path), "Put a mask for each frame into it")
        return Volume(path, MaskImages(tuple(files)))
    return Volume(path, _cells(path) if path.suffix.lower() == ".mat" else _mapped(path))


def _cells(path: Path) -> Sequence[NDArray[Any]]:
    found = mat_variable(path, CELLS)
    if found is None:
        raise LabelError(f"the file holds no variable {CELLS}", str(path), _ONE_A_FRAME)
    if found.dtype != object or not found.size:
        raise LabelError(
            f"found {_describe(found)} as {CELLS}, expected a cell array of masks", str(path), _ONE_A_FRAME
        )
    cells = [np.asarray(cell) for cell in found.ravel(order="F")]
    for number, cell in enumerate(cells, start=1):
        if cell.ndim != 2 or not cell.size or cell.dtype.kind not in _NUMBERS:
            fault = f"found {_describe(cell)}, expected a mask, one number a pixel"
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
    if array.ndim == 4 and array.shape[3] in (1, 3):
        array = array[..., 0] if array.shape[3] == 1 else array
    elif array.ndim == 4 and array.shape[1] == 1:
        array = array[:, 0]
    elif array.ndim != 3:
        raise LabelError(
            f"found {_describe(array)}, expected masks of shape (frames, height, width)", str(path), _ONE_A_FRAME
        )
    if not array.size or array.dtype.kind not in _NUMBERS:
        fault = f"found {_describe(array)}, expected masks of shape (frames, height, width)"
        raise LabelError(fault, str(path), _ONE_A_FRAME)
    planes: NDArray[Any] = array
    return planes


def _size(mask: NDArray[Any]) -> str:
    return f"{mask.shape[1]}x{mask.shape[0]}"


def _describe(array: NDArray[Any]) -> str:
    return f"an array of shape {array.shape} and type {array.dtype}"
