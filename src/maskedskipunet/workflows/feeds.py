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
from maskedskipunet.workflows.gathering import NamedVideo, address_name, find_sources, is_address
from maskedskipunet.workflows.remote import fetched

Footage: TypeAlias = "str | PathLike[str] | int | Iterable[Image | None] | Sequence[Footage]"


@dataclass(frozen=True)
class Feed:
    """One source.

    frames: to be closed by whoever takes them. is_live: whether it never ends. path: of a video at hand.
    """

    name: str
    frames: Iterator[Frame]
    is_live: bool = False
    path: Path | None = None


def feeds(footage: Footage, input_format: InputFormat, on_bad_frame: OnBadFrame, *, rate: float | None) -> list[Feed]:
    """Return the sources that are meant, in order; nothing is opened yet but what must be looked at to tell them.

    footage: a path, pattern or address as find_sources takes it; `usb:0`, or 0 alone; frames, uint8 (H, W, 3), one
    after another, None for one that is bad; or a list of several of these. input_format: which frames are kept of a
    source that has a clock. rate: frames a second of those that have none, None: as the input format says.
    Raises DataError for what does not exist, ConfigError for what is no source.
    """
    if isinstance(footage, np.ndarray) and footage.ndim != 4:
        raise ShapeError(f"an array of shape {footage.shape}", "source", "Give frames one after another, (N, H, W, 3)")
    if isinstance(footage, (list, tuple)) and not _are_frames(footage):
        found = [feed for one in footage for feed in _feeds(one, input_format, on_bad_frame, rate, "frames")]
        return _told_apart(found)
    return _feeds(footage, input_format, on_bad_frame, rate, "frames")


def _told_apart(found: Sequence[Feed]) -> list[Feed]:
    """Return each under a name of its own."""
    taken: set[str] = set()
    named = []
    for feed in found:
        names = (feed.name, *(f"{feed.name}-{number}" for number in range(2, len(found) + 1)))
        named.append(replace(feed, name=next(name for name in names if name not in taken)))
        taken.add(named[-1].name)
    return named


def _are_frames(several: Sequence[Any]) -> bool:
    if not several:
        raise ConfigError("there is no source", "source", "Name a video, an address or frames")
    return all(one is None or (isinstance(one, np.ndarray) and one.ndim == 3) for one in several)


def _feeds(
    footage: Any, input_format: InputFormat, on_bad_frame: OnBadFrame, rate: float | None, name: str
) -> list[Feed]:
    if isinstance(footage, int) and not isinstance(footage, bool):
        footage = f"usb:{footage}"
    if isinstance(footage, str | PathLike):
        return _named(str(footage), input_format, on_bad_frame)
    if not isinstance(footage, Iterable):
        raise ConfigError(f"{type(footage).__name__} is no source", "source", "Name a video, an address or frames")
    rate = rate or (input_format.fps or input_format.image_fps) / input_format.stride
    return [Feed(name, _handed_over(footage, name, on_bad_frame, rate))]


def _named(text: str, input_format: InputFormat, on_bad_frame: OnBadFrame) -> list[Feed]:
    address = CameraAddress.parse(text)
    if address.kind == "usb":
        return [_live(str(address), address, input_format)]
    if address.kind == "file" and is_address(text):
        text = address.secret_url
    found = []
    for video in find_sources([text]):
        if isinstance(video, NamedVideo):
            found.append(Feed(video.name, _of(source_of(video.path, input_format, on_bad_frame)), path=video.path))
        elif video.address.scheme not in WEB_SCHEMES or _never_ends(video.address):
            found.append(_live(address_name(video.address), video.address, input_format))
        else:
            found.append(Feed(video.name, _fetched(video.name, video.address, input_format, on_bad_frame)))
    return found


def _live(name: str, address: CameraAddress, input_format: InputFormat) -> Feed:
    fps = input_format.fps or input_format.footage_fps
    return Feed(name, _of(LiveSource(address=address, fps=fps, stride=input_format.stride)), is_live=True)


def _of(source: Source | LiveSource) -> Iterator[Frame]:
    """Yield its frames; nothing is opened before the first is asked for."""
    yield from source.frames()


def _never_ends(address: CameraAddress) -> bool:
    with opened_download(address) as download:
        return download.is_live


def _fetched(name: str, address: CameraAddress, input_format: InputFormat, on_bad_frame: OnBadFrame) -> Iterator[Frame]:
    with fetched(name, address, Path(gettempdir()), Silent()) as path:
        yield from source_of(path, input_format, on_bad_frame).frames()


def _handed_over(frames: Iterable[Image | None], name: str, on_bad_frame: OnBadFrame, rate: float) -> Iterator[Frame]:
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
