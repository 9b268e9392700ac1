"""Score maps and reconstructions of one video, on disk until its comparison video is drawn.

One colour scale a video means that the whole video is scored before its first picture is drawn, and a long video's
maps do not fit into memory.
"""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.files import disk_full_as_error, existing_folder, require_free_space

SHOWN_IN_FULL = 0.999  # the share of a video's pixels whose errors the colour scale covers
_BINS = 4096


class MapBuffer:
    """A temporary file that vanishes with the process. Use it in a `with` block.

    folder: on whose disk; it need not exist yet. frames: how many there will be at most. highest: what maps reach at
    most.
    Raises DiskSpaceError when they will not fit.
    """

    def __init__(
        self, folder: Path, *, frames: int, height_px: int, width_px: int, channels: int, highest: float = 1.0
    ) -> None:
        self._map_shape = (height_px, width_px)
        self._image_shape = (channels, height_px, width_px)
        self._row_bytes = (2 + channels) * height_px * width_px
        self._folder = folder
        self._highest = highest
        self._places: dict[int, int] = {}
        self._unrebuilt: set[int] = set()  # positions whose map is there without a reconstruction
        self._histogram = np.zeros(_BINS, np.int64)
        require_free_space(
            folder,
            frames * self._row_bytes,
            what=f"drawing a comparison video of {frames:,} frames",
            cure="Use --videos false, or name another folder with --out",
        )
        self._file = TemporaryFile(dir=existing_folder(folder))  # noqa: SIM115  # closed by __exit__

    def add(self, position: int, scored: FrameScore) -> None:
        """Keep what was found at a frame; a frame without a map keeps nothing."""
        if scored.map is None:
            return
        self._places[position] = len(self._places)
        image = scored.reconstruction
        if image is None:
            self._unrebuilt.add(position)
            image = np.zeros(self._image_shape, np.uint8)
        self._histogram += np.histogram(scored.map, _BINS, (0.0, self._highest))[0]
        with disk_full_as_error(self._folder):
            self._file.write(scored.map.astype(np.float16).tobytes())
            self._file.write(image.tobytes())
            self._file.flush()

    def read(self, position: int) -> tuple[NDArray[np.uint8] | None, NDArray[np.float32] | None]:
        """Return a frame's reconstruction, uint8 (H, W, 3), and score map, (H, W); None if it has none."""
        if position not in self._places:
            return None, None
        self._file.seek(self._places[position] * self._row_bytes)
        row = self._file.read(self._row_bytes)
        errors = np.frombuffer(row, np.float16, np.prod(self._map_shape)).reshape(self._map_shape)
        if position in self._unrebuilt:
            return None, errors.astype(np.float32)
        image = np.frombuffer(row, np.uint8, offset=errors.nbytes).reshape(self._image_shape)
        return np.broadcast_to(image.transpose(1, 2, 0), (*self._map_shape, 3)), errors.astype(np.float32)

    def error_scale(self) -> float:
        """Return the error that all but the largest thousandth of the video's pixels stay below; above 0."""
        if not self._places:
            return 1.0
        below = np.searchsorted(np.cumsum(self._histogram), SHOWN_IN_FULL * self._histogram.sum())
        return self._highest * float(below + 1) / _BINS

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(OSError):  # on a full disk what was not written yet fails once more, and is not needed any more
            self._file.close()
