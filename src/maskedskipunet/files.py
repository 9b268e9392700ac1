"""Writes files whole or not at all, reads them with a limit, and locks them."""

import errno
import os
import platform
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from maskedskipunet.errors import ConfigError, DiskSpaceError

UNSUPPORTED = (
    "this system has no file locks as Linux and macOS have them",
    platform.system() or sys.platform,
    "Use Linux, or on Windows the Windows Subsystem for Linux (WSL 2)",
)
DISK_FULL_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to; it is renamed to `path` when the block ends without an error.

    Creates the folder. After an error nothing is left. Raises DiskSpaceError when the disk is full.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with disk_full_as_error(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            _to_disk(part)
            part.replace(path)
        except OSError as error:
            if error.filename == str(part):  # a name that means nothing to the user
                raise type(error)(error.errno, error.strerror, str(path)) from error
            raise
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `folder` to write into; it is renamed to `folder` when the block ends without an
    error. After an error nothing is left.

    Raises ConfigError if there is something at `folder` already, DiskSpaceError when the disk is full.
    """
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    with disk_full_as_error(folder):
        _require_free_name(folder)
        try:
            part.mkdir(parents=True)
            yield part
            for file in part.iterdir():
                _to_disk(file)
            _require_free_name(folder)
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _require_free_name(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))):
        raise ConfigError("there is something of that name already", str(folder), "Name another folder, or remove it")


def keep_earlier(path: Path) -> Path | None:
    """Copy a file that will be replaced to the next free `NAME.N.SUFFIX` beside it; return None if there is none."""
    if not path.exists():
        return None
    number = 1
    while (kept := path.with_name(f"{path.stem}.{number}{path.suffix}")).exists():
        number += 1
    with atomic_write(kept) as part:
        part.write_bytes(path.read_bytes())
    return kept


@contextmanager
def disk_full_as_error(path: Path) -> Iterator[None]:
    """Turn the operating system's "no space left" into a DiskSpaceError that names the file."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL_ERRORS:
            raise DiskSpaceError(
                "no space left on the disk", str(path), "Free some space, or name another folder"
            ) from error
        raise


def require_plain_file(path: Path) -> None:
    """Require a plain file: reading a pipe would wait for ever, a device has no end. Raises OSError otherwise."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a plain file", str(path))


def read_text(path: Path, *, max_bytes: int, encoding: str = "utf-8", errors: str = "strict") -> str:
    """Return the text of a plain file. Raises OSError, also if it is too large, and UnicodeDecodeError."""
    return read_content(path, max_bytes=max_bytes).decode(encoding, errors)


def read_content(path: Path, *, max_bytes: int) -> bytes:
    """Return the bytes of a plain file. Raises OSError, also if it is too large."""
    require_plain_file(path)
    with path.open("rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"larger than {readable_bytes(max_bytes)}", str(path))
    return content


def require_free_space(folder: Path, needed_bytes: int, *, what: str, cure: str) -> None:
    """Require free space on the disk of `folder`, which need not exist yet. Raises DiskSpaceError."""
    free_bytes = shutil.disk_usage(existing_folder(folder)).free
    if needed_bytes > free_bytes:
        raise DiskSpaceError(
            f"{what} needs {readable_bytes(needed_bytes)}, {readable_bytes(free_bytes)} are free", str(folder), cure
        )


def require_writable(folder: Path, *, cure: str = "Name another") -> None:
    """Require that `folder` can be written to, or created. Raises ConfigError."""
    existing = existing_folder(folder)
    if not existing.is_dir():
        raise ConfigError("there is a file where a folder is wanted", str(existing), "Name another folder")
    try:
        with TemporaryFile(dir=existing):  # permissions alone do not show every restriction
            pass
    except OSError as error:
        raise ConfigError(f"cannot write into the folder ({error.strerror})", str(existing), cure) from error


def existing_folder(folder: Path) -> Path:
    """Return the folder, or its nearest existing parent, which is on the same disk."""
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    return existing


def lock_file(file: IO[Any], *, wait: bool) -> None:
    """Lock an open file until it is closed, or until the process ends however it ends.

    wait: wait until the lock is free; otherwise BlockingIOError is raised while another process holds it. Raises
    ConfigError on systems without such locks.
    """
    # Plain flock rather than the filelock package: a waiting process queues in the kernel and goes on at once, while
    # filelock polls; and where flock is missing, filelock falls back to marker files, which outlive a killed process.
    try:
        import fcntl
    except ModuleNotFoundError as error:
        raise ConfigError(*UNSUPPORTED) from error
    fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def unlock_file(file: IO[Any]) -> None:
    """Unlock a file that stays open."""
    import fcntl  # available wherever the lock was taken

    fcntl.flock(file, fcntl.LOCK_UN)


def require_supported_system() -> None:
    """Require an operating system with file locks. Raises ConfigError."""
    if find_spec("fcntl") is None:
        raise ConfigError(*UNSUPPORTED)


def readable_bytes(count: float) -> str:
    """Return a number of bytes as readable text.

    >>> readable_bytes(1_400_000_000)
    '1.4 GB'
    """
    for unit, digits in (("bytes", 0), ("kB", 0), ("MB", 1), ("GB", 1)):
        if round(count, digits) < 1000:
            return f"{count:.{digits}f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
