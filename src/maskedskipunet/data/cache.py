"""The cache of decoded frames, which may be cleared at any time."""

import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir

from maskedskipunet.errors import ConfigError

CACHE_VARIABLE = "MASKEDSKIPUNET_CACHE"
META_NAME = "meta.json"


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One video's decoded frames. size_bytes: on disk. shape: (N, C, H, W)."""

    folder: Path
    source: str
    shape: tuple[int, int, int, int]
    size_bytes: int


def cache_folder(chosen: Path | None = None) -> Path:
    """Return the folder of the frame store: the one named, $MASKEDSKIPUNET_CACHE, or the user's cache folder.

    A user without a home, as containers have them, gets one of their own among the temporary files. Raises
    ConfigError where another user's lies in its place.
    """
    if chosen is not None:
        return chosen
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "maskedskipunet"
    try:
        return Path.home() / ".cache" / "maskedskipunet"
    except RuntimeError:  # neither HOME nor an entry in the list of users
        return _temporary_folder()


def _temporary_folder() -> Path:
    """Return a folder that only this user can write to: its name can be guessed, and others must not replace frames."""
    folder = Path(gettempdir()) / f"maskedskipunet-{os.getuid()}"
    with suppress(FileExistsError, PermissionError):  # the second is told where it is written to
        folder.mkdir(mode=0o700)
    if folder.is_symlink() or (folder.exists() and folder.stat().st_uid != os.getuid()):
        cure = f"Name another with --data.cache or {CACHE_VARIABLE}"
        raise ConfigError("there is no home folder, and this one is another user's", str(folder), cure)
    return folder


def frames_folder(cache: Path) -> Path:
    """Return the folder of decoded frames in the cache; nothing else is ever cleared."""
    return cache / "frames"


def cache_entries(cache: Path) -> list[CacheEntry]:
    """Return what the store holds, the largest first; unfinished parts are not listed."""
    entries = []
    for meta in frames_folder(cache).glob(f"[!.]*/{META_NAME}"):
        try:
            metadata = json.loads(meta.read_text())
            size_bytes = sum(file.stat().st_size for file in meta.parent.iterdir())
            entries.append(CacheEntry(meta.parent, metadata["source"], tuple(metadata["shape"]), size_bytes))
        except (OSError, ValueError, TypeError, KeyError):
            continue  # cleared or damaged meanwhile: not an entry
    return sorted(entries, key=lambda entry: -entry.size_bytes)


def clear_cache(cache: Path) -> int:
    """Remove every decoded frame, unfinished parts too. Returns the bytes freed."""
    folder = frames_folder(cache)
    if folder.is_symlink():
        raise ConfigError("the frame store is a link, which is not followed", str(folder), "Remove it by hand")
    freed_bytes = sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file())
    if folder.exists():
        shutil.rmtree(folder)
    return freed_bytes
