"""Finds the videos that a person names (files, folders, patterns, lists, addresses), each with its own name."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from itertools import chain, count
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.footage_search import find_footage, notes_of
from maskedskipunet.data.layouts import recognise
from maskedskipunet.data.naming import is_hidden, natural_key
from maskedskipunet.data.non_footage import may_hold_video
from maskedskipunet.data.video.video_files import VIDEO_SUFFIXES, is_video
from maskedskipunet.errors import DataError
from maskedskipunet.files import read_text

LIST_SUFFIX = ".txt"
LARGEST_LIST_BYTES = 100_000_000
LONGEST_NAME = 80
MAX_SEEN = 5

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class NamedVideo:
    """A video file or a folder of images. name: unlike the others', a relative path without a suffix."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class RemoteVideo:
    """A video that a server gives. name: as a NamedVideo's; nothing in it is secret."""

    name: str
    address: CameraAddress


def find_videos(sources: Sequence[str], note: Note | None = None) -> list[NamedVideo]:
    """Return the videos that are named, in order, each once.

    sources: video files, folders (searched through all below them, as `find_footage` does), patterns such as
    `day*/*.mp4` where the shell has not resolved them, and `.txt` lists with one of these a line, relative to the list,
    `#` before a remark. A video is named by its file, and in a folder by its place there; where the folder is one of
    several sources, its own name comes first. note: receives a line about what in folders is no footage.
    Raises DataError for what does not exist, holds no video, or is an address.
    """
    videos = []
    for video in find_sources(sources, note):
        if isinstance(video, RemoteVideo):
            raise DataError("an address, which is not read here", str(video.address), "Download it first")
        videos.append(video)
    return videos


def find_sources(sources: Sequence[str], note: Note | None = None) -> list[NamedVideo | RemoteVideo]:
    """Return the videos that are named, in order, each once; sources may also be addresses, `https://host/day.mp4`.

    Raises ConfigError for an address that cannot be.
    """
    found: dict[Path | CameraAddress, tuple[str, Path | CameraAddress]] = {}
    several = len(sources) > 1
    for name, path in (video for source in sources for video in _expand(source, Path(), several, note)):
        found.setdefault(path.resolve() if isinstance(path, Path) else path, (name, path))
    taken: set[str] = set()
    named: list[NamedVideo | RemoteVideo] = []
    for name, path in found.values():
        if isinstance(path, Path):
            named.append(NamedVideo(_free(name, path, taken), path))
        else:
            named.append(RemoteVideo(_free(name, None, taken), path))
        taken.add(named[-1].name.casefold())
    return named


def is_address(source: str) -> bool:
    """Return whether a source is the address of something on a server, and no path."""
    return "://" in source


def address_name(address: CameraAddress) -> str:
    """Return what to call what an address shows; nothing in it is secret.

    >>> address_name(CameraAddress.parse("https://me:word@host/days/mon day.mp4?key=abc".replace(" ", "%20")))
    'mon_day'
    >>> address_name(CameraAddress.parse("rtsp://me:word@camera:554/live/1"))
    'camera_554_live_1'
    """
    location = unquote(str(address).partition("://")[2])
    if PurePosixPath(location).suffix.lower() in VIDEO_SUFFIXES:
        location = PurePosixPath(location).stem
    return re.sub(r"\W+", "_", location).strip("_")[:LONGEST_NAME] or "video"


def is_one_video(source: str) -> bool:
    """Return whether a single source means one video, so that its results need no folders by name."""
    if is_address(source):
        return True
    path = Path(source)
    if not path.is_dir():
        return not (has_magic(source) and not path.exists()) and path.suffix.lower() != LIST_SUFFIX
    return find_footage(path).videos == [path]


def _expand(source: str, base: Path, several: bool, note: Note | None) -> Iterator[tuple[str, Path | CameraAddress]]:
    if is_address(source):
        address = CameraAddress.parse(source, "SOURCE")
        if address.kind != "stream":
            raise DataError("a file's address", str(address), "Name the file itself")
        yield address_name(address), address
        return
    path = base / source
    if path.is_dir():
        yield from ((_place_in(path, video, several), video) for video in _below(path, note))
    elif path.suffix.lower() == LIST_SUFFIX and path.is_file():
        yield from _listed(path, note)
    elif path.exists():
        recognise(path)  # tells what is wrong with a file that is no video
        yield path.stem, path
    elif has_magic(source):
        matches = sorted(glob(str(path), recursive=True), key=natural_key)  # noqa: PTH207  # Path's needs a base
        videos = [match for match in map(Path, matches) if match.is_dir() or _is_footage(match)]
        if not videos:
            raise DataError("no video matches the pattern", str(path), "Check the pattern")
        for match in videos:
            yield from _expand(str(match), Path(), True, note)
    else:
        raise DataError("no such file or folder", str(path), "Name a video, a folder of images or a folder of videos")


def _listed(path: Path, note: Note | None) -> Iterator[tuple[str, Path | CameraAddress]]:
    try:
        lines = read_text(path, max_bytes=LARGEST_LIST_BYTES).splitlines()
    except (OSError, ValueError) as error:
        raise DataError("cannot read the list", str(path), "Name a text file with a video a line") from error
    entries = dict.fromkeys(line for line in map(str.strip, lines) if line and not line.startswith("#"))
    if not entries:
        raise DataError("the list names nothing", str(path), "Write a video a line")
    for entry in entries:
        if not is_address(entry) and Path(entry).suffix.lower() == LIST_SUFFIX:
            raise DataError(f"the list names a list, {entry}", str(path), "Name videos, folders and patterns in it")
        yield from _expand(entry, path.parent, True, note)


def _below(folder: Path, note: Note | None) -> list[Path]:
    """Return the videos and folders of images at or below a folder."""
    found = find_footage(folder)
    left_out = notes_of(found.left_out, folder)
    if not found.videos:
        seen = f"; seen: {', '.join(left_out[:MAX_SEEN])}" if left_out else ""
        cure = "Name a folder with videos or folders of images"
        raise DataError(f"the folder holds no video{seen}", str(folder), cure)
    if note is not None:
        for line in left_out:
            note(f"left out in {folder}: {line}")
    return found.videos


def _is_footage(path: Path) -> bool:
    return path.is_file() and not is_hidden(path) and may_hold_video(path) and is_video(path)


def _place_in(folder: Path, video: Path, several: bool) -> str:
    """Return a video's place in a folder that was named; the folder itself, where its images are the video."""
    relative = video.relative_to(folder)
    if relative == Path():
        return video.resolve().name
    inside = relative.with_suffix("") if video.is_file() else relative
    return str(folder.resolve().name / inside if several else inside)


def _free(name: str, path: Path | None, taken: set[str]) -> str:
    """Return the name, or where another video has it one that says more; whatever the case, as some file systems see
    it.
    """
    tries = [name] if path is None else [name, f"{name}{path.suffix}", f"{path.resolve().parent.name}/{name}"]
    numbered = (f"{name}-{number}" for number in count(2))
    return next(text for text in chain(tries, numbered) if text.casefold() not in taken)
