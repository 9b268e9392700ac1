"""Lists folders, and remembers each listing."""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from maskedskipunet.data.images import is_image
from maskedskipunet.data.naming import is_hidden, natural_key


@dataclass(frozen=True, slots=True)
class Listing:
    """A folder's visible children, each kind in natural order.

    files: also pipes and devices, which no reader accepts. broken: links without a target. is_closed: the folder cannot
    be listed.
    """

    folders: tuple[Path, ...] = ()
    files: tuple[Path, ...] = ()
    broken: tuple[Path, ...] = ()
    is_closed: bool = False

    @property
    def children(self) -> tuple[Path, ...]:
        """Folders and files."""
        return self.folders + self.files


class Folders:
    """A cache of folder listings, so that each folder is read from disk once."""

    def __init__(self) -> None:
        self._listings: dict[Path, Listing] = {}

    def listing(self, folder: Path) -> Listing:
        """Return the content of a folder; empty if it cannot be listed."""
        if folder not in self._listings:
            self._listings[folder] = _list(folder)
        return self._listings[folder]

    def named(self, folders: Iterable[Path], *names: str) -> list[Path]:
        """Return the direct subfolders with one of these names, ignoring case."""
        return [child for folder in folders for child in self.listing(folder).folders if child.name.casefold() in names]

    def subfolders(self, folders: Iterable[Path]) -> set[Path]:
        """Return the folders directly in these."""
        return {child for folder in folders for child in self.listing(folder).folders}

    def files(self, folders: Iterable[Path], *suffixes: str) -> list[Path]:
        """Return the files directly in these folders, of these suffixes where some are given; each once."""
        found = dict.fromkeys(file for folder in folders for file in self.listing(folder).files)
        return [file for file in found if not suffixes or file.suffix.lower() in suffixes]

    def within(self, folder: Path, depth: int) -> list[Path]:
        """Return a folder and those below it, as many levels down as `depth`; no links to folders."""
        below = [child for child in self.listing(folder).folders if not child.is_symlink()] if depth else []
        return [folder, *(inner for child in below for inner in self.within(child, depth - 1))]


def _list(folder: Path) -> Listing:
    folders, files, broken = [], [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                child = folder / entry.name
                if is_hidden(child):
                    continue
                kind = _kind(entry, child)
                if kind == "folder":
                    folders.append(child)
                elif kind == "broken":
                    broken.append(child)
                else:
                    files.append(child)
    except OSError:
        return Listing(is_closed=True)
    return Listing(_in_order(folders), _in_order(files), _in_order(broken))


def _in_order(paths: list[Path]) -> tuple[Path, ...]:
    return tuple(sorted(paths, key=lambda path: natural_key(path.name)))


def _kind(entry: "os.DirEntry[str]", child: Path) -> Literal["folder", "file", "broken"]:
    """Return the kind of a child. A broken link to an image counts as a file: it is a missing frame."""
    with suppress(OSError):  # a link that leads to itself
        if entry.is_dir():
            return "folder"
    is_gone = entry.is_symlink() and not child.exists()
    return "broken" if is_gone and not is_image(child) else "file"
