"""Score maps on disk: 16 bits a pixel, one file a clip, written and read a chunk at a time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.arrays import array_file
from maskedskipunet.data.naming import visible_children
from maskedskipunet.errors import DataError
from maskedskipunet.evaluation.frame_alignment import FrameAlignment, align_scores, match
from maskedskipunet.evaluation.readers import Clip, Series
from maskedskipunet.files import atomic_write, disk_full_as_error

LEVELS = 2**16
SCALE = 1 / (LEVELS - 1)  # what one step of the stored numbers means, where maps reach 1 at most
CHUNK_FRAMES = 16
_COPY = "Make it again with `maskedskipunet test --maps`"

Map = NDArray[np.uint16]  # (H, W), 0 to LEVELS - 1


class Maps(Protocol):
    """A clip's score maps, read a few at a time."""

    def maps(self) -> Iterator[tuple[int, Map]]:
        """Yield each frame that has a map, under its number, in order."""
        ...


@dataclass(frozen=True)
class MapFile:
    """A file written by map_writer. last: the number of the last frame with a map, -1 if none has one. scale: a stored
    step in units of the score.
    """

    path: Path
    frames: int
    last: int
    height_px: int
    width_px: int
    scale: float

    def maps(self) -> Iterator[tuple[int, Map]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self.path, page_checksum_verification=True) as file:
                for group in range(file.num_row_groups):
                    rows = file.read_row_group(group, columns=["frame", "map"])
                    for frame, cell in zip(rows["frame"].to_pylist(), rows["map"], strict=True):
                        yield frame, np.frombuffer(cell.as_buffer(), "<u2").reshape(self.height_px, self.width_px)
        except (OSError, pa.ArrowException) as error:
            raise DataError("the file of score maps is damaged", str(self.path), _COPY) from error


@dataclass(frozen=True)
class MapArray:
    """Another method's maps, rounded to 16 bits between the smallest and largest value of all its clips.

    values: numbers (frames, H, W), read from the disk as they are needed. first: the frame of the first map.
    """

    path: Path
    values: NDArray[Any]
    first: int
    low: float
    high: float

    def maps(self) -> Iterator[tuple[int, Map]]:
        span = self.high - self.low
        for number, values in enumerate(self.values, start=self.first):
            shares = (values.astype(np.float64) - self.low) / span if span > 0 else np.zeros(values.shape)
            yield number, as_stored(shares)


@dataclass(frozen=True)
class AveragedMaps:
    """Maps averaged over a square around each pixel, like the patches of the published score.

    patch_px: side of the square, in pixels of the map. Single high pixels, which any edge has, no longer decide.
    """

    of: Maps
    patch_px: int

    def maps(self) -> Iterator[tuple[int, Map]]:
        from scipy.ndimage import uniform_filter

        for number, values in self.of.maps():
            means = uniform_filter(values.astype(np.float64), self.patch_px, mode="nearest")
            yield number, means.round().astype(np.uint16)


def maps_bytes(frames: int, height_px: int, width_px: int) -> int:
    """Return the most that maps of so many frames take on the disk, should nothing of them be compressed."""
    return frames * (2 * height_px * width_px + 64) + 4096


@contextmanager
def map_writer(
    path: Path, *, height_px: int, width_px: int, highest: float = 1.0
) -> Iterator[Callable[[int, NDArray[np.floating]], None]]:
    """Write a clip's maps: the function that this gives takes a frame's number and its map, (H, W) in [0, highest].

    The file is there whole when the block ends well, or not at all. Raises DiskSpaceError when the disk is full.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    size = 2 * height_px * width_px
    metadata = {"height": str(height_px), "width": str(width_px), "scale": repr(highest * SCALE)}
    schema = pa.schema([("frame", pa.int64()), ("map", pa.binary(size))], metadata=metadata)
    frames: list[int] = []
    maps: list[bytes] = []
    with (
        disk_full_as_error(path),
        atomic_write(path) as part,
        pq.ParquetWriter(
            part,
            schema,
            compression="zstd",
            use_dictionary=False,
            write_statistics=["frame"],  # those of maps would be maps
            write_page_checksum=True,
        ) as writer,
    ):

        def flush() -> None:
            columns = [pa.array(frames, pa.int64()), pa.array(maps, pa.binary(size))]
            writer.write_table(pa.table(columns, schema=schema))
            frames.clear()
            maps.clear()

        def add(frame: int, score_map: NDArray[np.floating]) -> None:
            frames.append(frame)
            maps.append(as_stored(score_map / highest).tobytes())
            if len(frames) == CHUNK_FRAMES:
                flush()

        yield add
        if frames:
            flush()


def as_stored(score_map: NDArray[np.floating]) -> Map:
    """Return a map in [0, 1] in 16 bits."""
    stored: Map = np.rint(np.clip(score_map, 0, 1) * (LEVELS - 1)).astype("<u2")
    return stored


def read_maps(
    folder: Path, names: Sequence[str], frames: Sequence[int], alignment: FrameAlignment
) -> tuple[list[Maps], str]:
    """Return the maps of each clip, from a file for each, and how they were matched.

    A folder of what `test --maps` writes, or of .npy arrays (frames, H, W), higher where more anomalous, whose first
    and last frames are as `alignment` states for scores. names, frames: of the test clips.
    Raises DataError for what is no maps, or does not fit its clip.
    """
    files = [child for child in visible_children(folder) if child.suffix.lower() in (".parquet", ".npy")]
    order, matching = match([file.stem for file in files], names, str(folder))
    files = [files[index] for index in order]
    if all(file.suffix.lower() == ".parquet" for file in files):
        found = [_checked(open_maps(file), count) for file, count in zip(files, frames, strict=True)]
        if other := next((maps for maps in found if maps.scale != found[0].scale), None):
            raise DataError(f"not in the units of {found[0].path.name}", str(other.path), _COPY)
        return [*found], matching
    arrays = [_array(file) for file in files]
    clips = tuple(Clip(file.stem, np.empty(len(array))) for file, array in zip(files, arrays, strict=True))
    align_scores(
        Series(folder, clips, of="maps"), names, frames, alignment
    )  # as many as stated, or it says which clip has not
    ends = np.array([(array.min(), array.max()) for array in arrays], np.float64)
    if not np.isfinite(ends).all():
        index = int(np.flatnonzero(~np.isfinite(ends).all(axis=1))[0])
        raise DataError("the maps hold values that are no numbers", str(files[index]), "Mend the maps")
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    first = alignment.bounds(1)[0]
    return [MapArray(file, array, first, low, high) for file, array in zip(files, arrays, strict=True)], matching


def _checked(maps: MapFile, frames: int) -> MapFile:
    if maps.last >= frames:
        fault = f"found a map of frame {maps.last}, the last frame is {frames - 1}"
        raise DataError(fault, str(maps.path), "Check that the maps are of this data set")
    return maps


def _array(path: Path) -> NDArray[Any]:
    try:
        with array_file(path):
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError("cannot read the array of maps", str(path), "Save numbers (frames, H, W)") from error
    if not isinstance(array, np.ndarray) or array.ndim != 3 or not array.size or array.dtype.kind not in "biuf":
        fault = f"found an array of shape {getattr(array, 'shape', '?')}, expected numbers (frames, H, W)"
        raise DataError(fault, str(path), "Save one array a clip")
    return array


def open_maps(path: Path) -> MapFile:
    """Return a file that map_writer wrote. Raises DataError when it is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            metadata = file.schema_arrow.metadata or {}
            height_px, width_px, scale = (metadata[key] for key in (b"height", b"width", b"scale"))
            last = max(file.read(columns=["frame"])["frame"].to_pylist(), default=-1)
            found = MapFile(path, file.metadata.num_rows, last, int(height_px), int(width_px), float(scale))
            if file.schema_arrow.field("map").type != pa.binary(2 * found.height_px * found.width_px):
                raise KeyError("map")
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise DataError("not a file of score maps", str(path), _COPY) from error
    return found


def nearest(length: int, shown: int) -> NDArray[np.intp]:
    """Return for each of `shown` pixels of a line the one of `length` pixels that contains its centre.

    >>> nearest(2, 5).tolist()
    [0, 0, 1, 1, 1]
    """
    return ((2 * np.arange(shown) + 1) * length // (2 * shown)).astype(np.intp)


def enlarged(score_map: Map, height_px: int, width_px: int) -> Map:
    """Return a map at the size of its source by nearest-neighbour interpolation."""
    rows, columns = nearest(score_map.shape[0], height_px), nearest(score_map.shape[1], width_px)
    return score_map[rows[:, None], columns]
