"""Single frames out of a long video, found by seeking: a picture of a moment costs no second decoding of it all."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain, islice
from math import ceil, floor
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from maskedskipunet.data.frames import Image
from maskedskipunet.data.images import numbered_image
from maskedskipunet.data.sources import Source
from maskedskipunet.data.video.decoding import opened
from maskedskipunet.errors import DataError

FROM_FRAME = 500  # of the last one wanted; before it, reading from the start is as fast
SEEKABLE = ("mp4", "matroska")  # their times are those of an index, and never jump
TOLERANCE_S = 0.002  # between a frame's time and what it was read with: times of the file are rounded
LONGEST_LOOK = 2000  # pictures decoded from a key frame on, before it is given up
LATEST_S = 0.5  # after a moment, that a picture may be to show it

Moment = tuple[int, float]  # a frame's number in its source, and its time in seconds


def frames_at(source: Source, moments: Sequence[Moment], *, seek_from: int = FROM_FRAME) -> dict[int, Image]:
    """Return the pictures of some frames, by their numbers; one that cannot be had is missing.

    moments: as `source.frames()` gave them. seek_from: the frame from which on a video is not read from its start.
    """
    if not moments:
        return {}
    found: dict[int, Image] = {}
    if not source.path.is_dir() and max(index for index, _ in moments) >= seek_from:
        with suppress(DataError, av.FFmpegError, OSError):
            found = dict(_sought(source.path, sorted(moments)))
    if left := {index for index, _ in moments} - found.keys():
        with suppress(DataError):
            found |= dict(_read(source, left))
    return found


def frames_between(source: Source, start_s: float, end_s: float) -> Iterator[tuple[float, Image]]:
    """Yield the times and pictures of all frames from one time to another, counted as `source.frames()` counts times.

    A video with an index is read from there on, another one from its start. Nothing is raised where footage is gone or
    damaged: what can be read is all there is.
    """
    if source.path.is_dir():
        for index in range(max(0, ceil(start_s * source.image_fps)), floor(end_s * source.image_fps) + 1):
            with suppress(DataError, OSError):
                if (image := numbered_image(source.path, index)) is not None:
                    yield index / source.image_fps, image
        return
    with suppress(DataError, av.FFmpegError, OSError), opened(source.path) as (container, stream):
        first = next(_pictures(container, stream), None)
        if first is not None and first.pts is not None and any(name in container.format.name for name in SEEKABLE):
            base_s = float(stream.time_base or 1)
            zero_s = first.pts * base_s
            container.seek(round(max(first.pts, (start_s + zero_s - TOLERANCE_S) / base_s)), stream=stream)
            for picture in _pictures(container, stream):
                time_s = np.nan if picture.pts is None else picture.pts * base_s - zero_s
                if time_s > end_s + TOLERANCE_S:
                    return
                if time_s >= start_s - TOLERANCE_S and not picture.is_corrupt:
                    yield time_s, _shown(picture)
            return
    with suppress(DataError):
        for frame in replace(source, fps=None, stride=1).frames():
            if frame.time_s > end_s + TOLERANCE_S:
                return
            if frame.time_s >= start_s - TOLERANCE_S and frame.image is not None:
                yield frame.time_s, frame.image


def image_at(source: Source, time_s: float) -> Image | None:
    """Return the picture of one moment of footage, by its time alone, counted as `source.frames()` counts times.

    None if there is none: the footage is gone or damaged, or the moment cannot be reached without long reading.
    """
    with suppress(DataError, av.FFmpegError, OSError):
        if source.path.is_dir():
            return numbered_image(source.path, round(time_s * source.image_fps))
        return _image_of_video(source.path, time_s)
    return None


def _image_of_video(path: Path, time_s: float) -> Image | None:
    with opened(path) as (container, stream):
        first = next(_pictures(container, stream), None)
        if first is None or first.pts is None:
            return None
        base_s = float(stream.time_base or 1)
        wanted_s = time_s + first.pts * base_s
        if any(name in container.format.name for name in SEEKABLE):
            container.seek(round((wanted_s - TOLERANCE_S) / base_s), stream=stream)
            first = next(_pictures(container, stream), None)
        for picture in islice(chain(filter(None, [first]), _pictures(container, stream)), LONGEST_LOOK):
            ahead_s = np.nan if picture.pts is None else picture.pts * base_s - wanted_s
            if ahead_s >= -TOLERANCE_S:
                return None if ahead_s > LATEST_S or picture.is_corrupt else _shown(picture)
    return None


def _read(source: Source, indices: set[int]) -> Iterator[tuple[int, Image]]:
    last = max(indices)
    for frame in source.frames():
        if frame.index in indices and frame.image is not None:
            yield frame.index, frame.image
        if frame.index >= last:
            return


def _sought(path: Path, moments: Sequence[Moment]) -> Iterator[tuple[int, Image]]:
    with opened(path) as (container, stream):
        first = next(_pictures(container, stream), None)
        if first is None or first.pts is None or not any(name in container.format.name for name in SEEKABLE):
            return
        base_s = float(stream.time_base or 1)
        for index, time_s in moments:
            wanted_s = time_s + first.pts * base_s
            container.seek(round((wanted_s - TOLERANCE_S) / base_s), stream=stream)
            for number, picture in enumerate(_pictures(container, stream)):
                ahead_s = np.nan if picture.pts is None else picture.pts * base_s - wanted_s
                if abs(ahead_s) <= TOLERANCE_S and not picture.is_corrupt:
                    yield index, _shown(picture)
                if not ahead_s < -TOLERANCE_S or number >= LONGEST_LOOK:
                    break


def _pictures(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    for packet in container.demux(stream):
        with suppress(av.FFmpegError):  # of a damaged one
            yield from packet.decode()


def _shown(picture: VideoFrame) -> Image:
    image = picture.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    return np.ascontiguousarray(np.rot90(image, round(picture.rotation / 90) % 4))
