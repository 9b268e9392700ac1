"""Yields frames from whatever a program passes in (paths, addresses, cameras, frames), source after source."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from tempfile import gettempdir
from typing import Any, TypeAlias

import numpy as np

from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.downloads import opened_download
from maskedskipunet.data.frames import Frame, Image, OnBadFrame
from maskedskipunet.data.live.streams import LiveSource
from maskedskipunet.data.sources import Source
from maskedskipunet.data.web import WEB_SCHEMES
from maskedskipunet.errors import ConfigError, FrameError, ShapeError
from maskedskipunet.input_format import InputFormat
from maskedskipunet.progress import Silent
from maskedskipunet.workflows.footage import source_of
from maskedskipunet.workflows.input_selection import NamedVideo, address_name, find_sources, is_address
from maskedskipunet.workflows.remote import fetched

Footage: TypeAlias = "str | PathLike[str] | int | Iterable[Image | None] | Sequence[Footage]"


@dataclass(frozen=True)
class FrameSource:
    """A named source of frames.

    frames: the reader has to close them. is_live: it never ends. path: of a video file.
    """

    name: str
    frames: Iterator[Frame]
    is_live: bool = False
    path: Path | None = None


def frame_sources(
    footage: Footage, input_format: InputFormat, on_bad_frame: OnBadFrame, *, rate: float | None
) -> list[FrameSource]:
    """Return the sources that footage names, in order. It opens only what it must, to tell their kinds.

    footage: a path, pattern or address as find_sources takes it; `usb:0` or 0; an iterable of frames, uint8 (H, W, 3),
    None for a bad one; or a list of several of these. input_format: selects frames of a source that has a clock. rate:
    frames a second of a source that has none; None: as the input format says.
    Raises DataError for what does not exist, ConfigError for anything else that is no source.
    """
    if isinstance(footage, np.ndarray) and footage.ndim != 4:
        raise ShapeError(f"an array of shape {footage.shape}", "source", "Give frames one after another, (N, H, W, 3)")
    if isinstance(footage, (list, tuple)) and not _are_frames(footage):
        found = [source for item in footage for source in _sources_of(item, input_format, on_bad_frame, rate, "frames")]
        return _with_distinct_names(found)
    return _sources_of(footage, input_format, on_bad_frame, rate, "frames")


def _with_distinct_names(found: Sequence[FrameSource]) -> list[FrameSource]:
    """Return the sources under distinct names."""
    taken: set[str] = set()
    named = []
    for source in found:
        names = (source.name, *(f"{source.name}-{number}" for number in range(2, len(found) + 1)))
        named.append(replace(source, name=next(name for name in names if name not in taken)))
        taken.add(named[-1].name)
    return named


def _are_frames(items: Sequence[Any]) -> bool:
    if not items:
        raise ConfigError("there is no source", "source", "Name a video, an address or frames")
    return all(item is None or (isinstance(item, np.ndarray) and item.ndim == 3) for item in items)


def _sources_of(
    footage: Any, input_format: InputFormat, on_bad_frame: OnBadFrame, rate: float | None, name: str
) -> list[FrameSource]:
    if isinstance(footage, int) and not isinstance(footage, bool):
        footage = f"usb:{footage}"
    if isinstance(footage, str | PathLike):
        return _named(str(footage), input_format, on_bad_frame)
    if not isinstance(footage, Iterable):
        raise ConfigError(f"{type(footage).__name__} is no source", "source", "Name a video, an address or frames")
    rate = rate or (input_format.fps or input_format.image_fps) / input_format.stride
    return [FrameSource(name, _passed_frames(footage, name, on_bad_frame, rate))]


def _named(text: str, input_format: InputFormat, on_bad_frame: OnBadFrame) -> list[FrameSource]:
    address = CameraAddress.parse(text)
    if address.kind == "usb":
        return [_live(str(address), address, input_format)]
    if address.kind == "file" and is_address(text):
        text = address.secret_url
    found = []
    for video in find_sources([text]):
        if isinstance(video, NamedVideo):
            frames = _of(source_of(video.path, input_format, on_bad_frame))
            found.append(FrameSource(video.name, frames, path=video.path))
        elif video.address.scheme not in WEB_SCHEMES or _is_endless(video.address):
            found.append(_live(address_name(video.address), video.address, input_format))
        else:
            found.append(FrameSource(video.name, _fetched(video.name, video.address, input_format, on_bad_frame)))
    return found


def _live(name: str, address: CameraAddress, input_format: InputFormat) -> FrameSource:
    fps = input_format.fps or input_format.footage_fps
    return FrameSource(name, _of(LiveSource(address=address, fps=fps, stride=input_format.stride)), is_live=True)


def _of(source: Source | LiveSource) -> Iterator[Frame]:
    """Yield the frames of a source; it is opened when the first is asked for."""
    yield from source.frames()


def _is_endless(address: CameraAddress) -> bool:
    with opened_download(address) as download:
        return download.is_live


def _fetched(name: str, address: CameraAddress, input_format: InputFormat, on_bad_frame: OnBadFrame) -> Iterator[Frame]:
    with fetched(name, address, Path(gettempdir()), Silent()) as path:
        yield from source_of(path, input_format, on_bad_frame).frames()


def _passed_frames(frames: Iterable[Image | None], name: str, on_bad_frame: OnBadFrame, rate: float) -> Iterator[Frame]:
    try:
        for index, image in enumerate(frames):
            if image is None and on_bad_frame == "stop":
                cure = "Leave it out, or go on with on_bad_frame='skip'"
                raise FrameError(f"frame {index} is None", name, cure)
            if image is not None:
                _require_picture(image, index, name)
            yield Frame(index, index / rate, image)
    finally:
        close = getattr(frames, "close", None)
        if close is not None:
            close()


def _require_picture(image: Any, index: int, name: str) -> None:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        is_array = isinstance(image, np.ndarray)
        seen = f"{image.dtype} of shape {image.shape}" if is_array else type(image).__name__
        raise ShapeError(f"frame {index} is {seen}", name, "Use uint8 (height, width, 3), RGB")
    if not image.size:
        raise ShapeError(f"frame {index} has no pixel", name, "Use uint8 (height, width, 3), RGB")
