"""Video files wherever they lie: on a disk, or in an object store that is read by ranges (through fsspec)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.images import image_files
from maskedskipunet.data.naming import natural_key
from maskedskipunet.data.ranged_files import RangedFile, Window, describe
from maskedskipunet.data.video.video_files import VIDEO_SUFFIXES
from maskedskipunet.errors import ConfigError, DataError, VideoError

WEB = ("http", "https")
_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
_LEFT_OUT = ("file", "local", "memory", "rtsp", "rtsps", "usb")
_CHECK = "Check the address and the right to read it"


@dataclass(frozen=True)
class FileVersion:
    """What changes when a file does. mark: its etag, or the time of its last change. changed_s: that time, if known."""

    size: int
    mark: str
    changed_s: float | None = None

    def __str__(self) -> str:
        return f"{self.size}:{self.mark}"


@dataclass(frozen=True)
class FootageFile:
    """A video file, or a folder of images on a disk.

    address: an absolute path, or an address such as `s3://bucket/day.mp4`, without secrets in it.

    `${NAME}` in an address is taken from the environment when it is opened.
    """

    address: str

    @property
    def is_local(self) -> bool:
        return "://" not in self.address

    @property
    def path(self) -> Path:
        """The path of a local file."""
        return Path(self.address)

    def version(self) -> FileVersion:
        """Return the file's version. Raises DataError if there is no such file, or it cannot be looked at."""
        if not self.is_local:
            files, path = _file_system(self.address)
            with _store_errors(self.address):
                return _version(files.info(path))
        try:
            stats = [path.stat() for path in (image_files(self.path) if self.path.is_dir() else [self.path])]
        except OSError as error:
            raise DataError(f"cannot read it ({error.strerror})", self.address, "Check the path") from error
        size, changed_ns = sum(stat.st_size for stat in stats), max((stat.st_mtime_ns for stat in stats), default=0)
        mark = str(changed_ns) if len(stats) == 1 else f"{changed_ns}-{len(stats)}"
        return FileVersion(size, mark, changed_ns / 1e9)

    @contextmanager
    def opened(self, window: Window | None = None) -> Iterator[BinaryIO | None]:
        """Open an object for reading by ranges; None for a local file, which FFmpeg reads by itself.

        window: see RangedFile. Raises VideoError if there is no such object.
        """
        if self.is_local:
            yield None
            return
        files, path = _file_system(self.address)
        with _store_errors(self.address):
            size = int(files.info(path).get("size") or 0)
        if not size:
            raise VideoError("the video is empty, or its server does not state its size", self.address, _CHECK)

        def fetch(first: int, end: int) -> bytes:
            return cast(bytes, files.cat_file(path, start=first, end=end))

        yield cast(BinaryIO, RangedFile(fetch, size, self.address, window))


def objects_below(address: str) -> list[tuple[FootageFile, FileVersion]]:
    """Return the videos of an object store below a folder (`s3://bucket/days/`), or that a pattern names, in order.

    Raises DataError if there is none, or the store cannot be listed, ConfigError for an address that cannot be.
    """
    files, path = _file_system(address)
    with _store_errors(address):
        found = files.glob(path, detail=True) if _is_pattern(address) else files.find(path.rstrip("/"), detail=True)
    scheme = address.partition("://")[0]
    videos = []
    for name in sorted(found, key=natural_key):
        is_video = Path(name).suffix.lower() in VIDEO_SUFFIXES
        if is_video and found[name].get("type") == "file":
            whole = name if "://" in name else f"{scheme}://{name.lstrip('/')}"
            videos.append((FootageFile(whole), _version(found[name])))
    if not videos:
        raise DataError("there is no video", address, "Name a folder (with / at its end), a pattern or a video")
    return videos


def names_many(address: str) -> bool:
    """Return whether an address means a folder or a pattern, and not one object."""
    return address.endswith("/") or _is_pattern(address)


def require_object_address(address: str, where: str) -> None:
    """Require an address that can be read and kept in files: with a known scheme and without a password in it.

    Raises ConfigError, whose message shows nothing that could be a secret.
    """
    scheme = address.partition("://")[0].lower()
    if scheme in WEB:
        bare = address.replace("${", "").replace("}", "")
        if CameraAddress.parse(bare, where).secrets and "${" not in address:
            cure = "Put it into the environment and write ${NAME} for it"
            raise ConfigError("the address holds a user, a password or a key, and would be stored", where, cure)
    _require_scheme(scheme, where)


def _is_web(address: str) -> bool:
    return address.partition("://")[0].lower() in WEB


def _is_pattern(address: str) -> bool:
    return not _is_web(address) and any(sign in address for sign in "*[")


def _require_scheme(scheme: str, where: str) -> None:
    cure = "Install it with `pip install 'maskedskipunet[cloud]'`, in a clone with `uv sync --extra cloud`"
    try:
        from fsspec.registry import known_implementations
    except ImportError as error:
        fault = "object stores are read by fsspec, which is not installed (the extra `cloud`)"
        raise ConfigError(fault, where, cure) from error
    if scheme in _LEFT_OUT or scheme not in known_implementations:
        raise ConfigError(f"{scheme}:// is no object store", where, "Use s3://, gs://, az://, https:// or a path")


def _file_system(address: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path in it."""
    scheme = address.partition("://")[0].lower()
    _require_scheme(scheme, "SOURCE")
    import fsspec

    whole = CameraAddress.parse(address).secret_url if scheme in WEB else address
    try:
        files, path = fsspec.core.url_to_fs(whole, use_listings_cache=False)
    except ImportError as error:
        package = _PACKAGES.get(scheme, "its package")
        raise ConfigError(
            f"{scheme}:// is read by {package}, which is not installed", "SOURCE", f"Install {package}"
        ) from error
    return files, path


@contextmanager
def _store_errors(address: str) -> Iterator[None]:
    """Raise errors of a store as VideoError with the address."""
    try:
        yield
    except FileNotFoundError as error:
        cause = error.__cause__  # of http, where every fault is told as this one
        is_other = isinstance(cause, Exception) and not isinstance(cause, FileNotFoundError) and _is_web(address)
        what = f"cannot read it ({describe(cause)})" if is_other and cause else "there is no such object"
        raise VideoError(what, address, _CHECK) from error
    except DataError:
        raise
    except Exception as error:  # of whichever library reads the store
        raise VideoError(f"cannot read it ({describe(error)})", address, _CHECK) from error


def _version(info: dict[str, Any]) -> FileVersion:
    """Return the version of an object from what its store says of it."""
    changed = next((info[key] for key in ("LastModified", "updated", "last_modified", "mtime") if info.get(key)), None)
    mark = next((str(info[key]) for key in ("ETag", "etag", "md5Hash", "content_settings") if info.get(key)), changed)
    changed_s = changed.timestamp() if isinstance(changed, datetime) else None
    return FileVersion(int(info.get("size") or 0), str(mark).strip('"'), changed_s)
