"""The frame store: every frame decoded and resized once, then read from disk as if it were memory.

A folder a video: `frames.u8` (uint8, (N, C, H, W), raw), `index.npz` (each frame's place in its source, its time,
whether it is good) and `meta.json`. The folder's name is a hash of all that the frames depend on, so that a
changed source, size or rate is stored anew; it appears when it is whole.
"""

import errno
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from uuid import uuid4
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.data.cache import CACHE_VARIABLE, META_NAME, frames_folder
from maskedskipunet.data.images import image_files
from maskedskipunet.data.resizing import network_frame
from maskedskipunet.data.sources import Source
from maskedskipunet.errors import DataError
from maskedskipunet.files import disk_full_as_error, readable_bytes, require_free_space, require_writable
from maskedskipunet.progress import Advance, Progress, Silent

STORE_VERSION = 3
ABANDONED_AFTER_S = 600
TOLD_FROM_BYTES = 10_000_000  # less is no news on any disk
TOO_MANY_FILES = frozenset({errno.EMFILE, errno.ENFILE})  # no fault of the store's


@dataclass(frozen=True, kw_only=True)
class StoreFormat:
    """The format of stored frames: their size, and 1 or 3 channels."""

    height_px: int
    width_px: int
    channels: int

    @property
    def frame_bytes(self) -> int:
        return self.height_px * self.width_px * self.channels


@dataclass(frozen=True)
class StoredVideo:
    """The frames of one video.

    frames: uint8 (N, C, H, W), memory-mapped, read-only. index: (N,), each frame's place in its source.
    good: (N,), False if a frame was bad and skipped; its pixels are then zeros. ignored: (H, W), where nothing is
    looked at, None for nowhere: the store holds frames as they are, and whoever reads them paints. time_s: (N,),
    seconds since the source's first frame; None if it is not known.
    """

    name: str
    frames: NDArray[np.uint8]
    index: NDArray[np.int64]
    good: NDArray[np.bool_]
    ignored: NDArray[np.bool_] | None = None
    time_s: NDArray[np.float64] | None = None


@dataclass(frozen=True, kw_only=True)
class StoreRequest:
    """One video to have in the store. max_frames: at most so many, from its start."""

    name: str
    source: Source
    max_frames: int | None = None


def store_videos(
    requests: Sequence[StoreRequest],
    store_format: StoreFormat,
    cache: Path,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[StoredVideo]:
    """Store every video, decoding those that are not stored yet, several at a time.

    Interrupted, it keeps the videos that are whole and goes on from there when called again.
    Raises DiskSpaceError before it starts when they would not fit, ConfigError when the cache cannot be written,
    DataError for a source that cannot be read.
    """
    folder = frames_folder(cache)
    _remove_abandoned(folder)
    homes = [folder / _key(request, store_format) for request in requests]
    missing = [(request, home) for request, home in zip(requests, homes, strict=True) if not home.exists()]
    if missing:
        require_writable(folder, cure=f"Name another with --data.cache or {CACHE_VARIABLE}")
        counts = [_expected_frames(request) for request, _ in missing]
        needed_bytes = int(sum(counts) * store_format.frame_bytes * 1.02)
        require_free_space(
            folder,
            needed_bytes,
            what=f"storing {sum(counts):,} frames of {store_format.width_px}x{store_format.height_px}",
            cure="Use --data.stride, --data.max_frames or a smaller --data.height_px and --data.width_px",
        )
        folder.mkdir(parents=True, exist_ok=True)
        if needed_bytes >= TOLD_FROM_BYTES and progress is not None:
            kept = f"the decoded frames take {readable_bytes(needed_bytes)} in {cache}"
            progress.note(f"{kept}, kept for the next training; `maskedskipunet cache clear` frees it")
        with (progress or Silent()).stage("decoding footage", sum(counts)) as advance:
            _build_all(missing, store_format, workers or os.cpu_count() or 1, advance)
    return [_open(home, request.name) for request, home in zip(requests, homes, strict=True)]


def _build_all(
    missing: Sequence[tuple[StoreRequest, Path]], store_format: StoreFormat, workers: int, advance: Advance
) -> None:
    stop = threading.Event()
    # Threads, not processes: decoding and resizing run outside Python's lock.
    with ThreadPoolExecutor(workers) as pool:
        try:
            tasks = [pool.submit(_build, request, home, store_format, advance, stop) for request, home in missing]
            done, _ = wait(tasks, return_when=FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _build(
    request: StoreRequest, home: Path, store_format: StoreFormat, advance: Advance, stop: threading.Event
) -> None:
    part = home.with_name(f".{home.name}.{uuid4().hex}.part")  # process ids repeat between containers
    part.mkdir()
    index, time_s, good = [], [], []
    empty = np.zeros((store_format.channels, store_format.height_px, store_format.width_px), np.uint8)
    try:
        with disk_full_as_error(home), (part / "frames.u8").open("wb") as file:
            for frame in islice(request.source.frames(), request.max_frames):
                if stop.is_set():
                    return
                image = frame.image
                file.write(
                    empty.data
                    if image is None
                    else network_frame(
                        image,
                        height_px=store_format.height_px,
                        width_px=store_format.width_px,
                        channels=store_format.channels,
                    ).data
                )
                index.append(frame.index)
                time_s.append(frame.time_s)
                good.append(image is not None)
                advance(1)
        with disk_full_as_error(home):
            np.savez(part / "index.npz", index=np.array(index, np.int64), time_s=np.array(time_s), good=np.array(good))
            shape = (len(index), store_format.channels, store_format.height_px, store_format.width_px)
            meta = {"version": STORE_VERSION, "source": str(request.source.path.absolute()), "shape": shape}
            (part / META_NAME).write_text(json.dumps(meta))
        try:
            part.rename(home)
        except OSError:
            if not home.exists():  # else another process has stored the same frames meanwhile
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _open(home: Path, name: str) -> StoredVideo:
    try:
        count, *frame_shape = json.loads((home / META_NAME).read_text())["shape"]
        with (home / "index.npz").open("rb") as file, np.load(file) as index:
            index_column, good, time_s = index["index"], index["good"], index["time_s"]
        frames: NDArray[np.uint8] = np.zeros((0, *frame_shape), np.uint8)
        if count:
            frames = _mapped(home / "frames.u8").reshape(count, *frame_shape)
        if not count == len(index_column) == len(good) == len(time_s):
            raise ValueError(f"{count} frames, but {len(index_column)} places")
    except (OSError, EOFError, BadZipFile, ValueError, TypeError, KeyError) as error:
        if isinstance(error, OSError) and error.errno in TOO_MANY_FILES:
            raise
        raise DataError(
            f"the stored frames are damaged ({error})", str(home), "Run `maskedskipunet cache clear`"
        ) from error
    return StoredVideo(name, frames, index_column, good, time_s=time_s)


def _mapped(path: Path) -> NDArray[np.uint8]:
    """Return the bytes of a file, mapped into memory and read-only; the file itself is closed.

    numpy keeps each file that it maps open, and a process may often have no more than 1,024 of them.
    """
    import pyarrow  # takes some tenths of a second, and only training reads stored frames

    with pyarrow.memory_map(os.fsencode(path)) as file:
        return np.frombuffer(file.read_buffer(), np.uint8)


def _expected_frames(request: StoreRequest) -> int:
    count = request.source.expected_frames()
    return count if request.max_frames is None else min(count, request.max_frames)


def _key(request: StoreRequest, store_format: StoreFormat) -> str:
    source = request.source
    path = source.path.resolve()
    files = image_files(path) if path.is_dir() else [path]
    facts = [
        STORE_VERSION,
        str(path),
        [_identity(file) for file in files],
        (store_format.height_px, store_format.width_px, store_format.channels),
        (source.fps, source.stride, source.image_fps, source.on_bad_frame, request.max_frames),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


def _identity(file: Path) -> tuple[str, int, int]:
    try:
        status = file.stat()
    except OSError:  # a broken link among images: whether that matters is for reading to say
        return file.name, 0, 0
    return file.name, status.st_size, status.st_mtime_ns


def _remove_abandoned(folder: Path) -> None:
    """Clear what killed processes left unfinished: a living one writes all the time."""
    for part in folder.glob(".*.part"):
        with suppress(OSError):  # its owner may finish it meanwhile
            newest_s = max(file.stat().st_mtime for file in (part, *part.iterdir()))
            if time.time() - newest_s > ABANDONED_AFTER_S:
                shutil.rmtree(part)
