"""Fetches or records an address into a temporary file while it is scored."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.downloads import Download, opened_download
from maskedskipunet.data.live.recording import RECORDED_SUFFIX, record
from maskedskipunet.data.live.streams import LiveSource
from maskedskipunet.data.video.decoding import VIDEO_SUFFIXES
from maskedskipunet.data.web import WEB_SCHEMES
from maskedskipunet.errors import ConfigError, DataError, MaskedSkipUNetError, VideoError
from maskedskipunet.files import existing_folder
from maskedskipunet.progress import Progress

KB = 1000


def require_seconds(address: CameraAddress, seconds: float | None) -> None:
    """Raise ConfigError if it is not said how much of a stream that never ends is wanted."""
    if seconds is not None and not 0 < seconds < float("inf"):
        raise ConfigError(f"{seconds:g} seconds", "--seconds", "Use a number above 0")
    if seconds is None and address.scheme not in WEB_SCHEMES:
        raise ConfigError("a stream never ends", str(address), "Say with --seconds how much of it to score, or `watch`")


@contextmanager
def fetched(
    name: str,
    address: CameraAddress,
    folder: Path,
    progress: Progress,
    *,
    seconds: float | None = None,
    download: Download | None = None,
    snapshot_fps: float | None = None,
) -> Iterator[Path]:
    """Fetch an address into a file on the folder's disk, which is removed when the block ends.

    seconds: how much to record of a stream; None: the address is a file's, and all of it is fetched. download: the
    answer that is there already. snapshot_fps: how often a second a camera that gives single pictures is asked for one.
    Raises VideoError for what cannot be fetched; a DataError in the block names the
    address instead of the file.
    """
    with (
        TemporaryDirectory(prefix=".fetched-", dir=existing_folder(folder)) as temporary,
        _about(address, Path(temporary)),
    ):
        if seconds is not None:
            path = Path(temporary) / f"{PurePosixPath(name).name}{RECORDED_SUFFIX}"
            _record(name, LiveSource(address=address, snapshot_fps=snapshot_fps), path, seconds, progress)
            yield path
            return
        suffix = PurePosixPath(urlsplit(address.secret_url).path).suffix.lower()
        path = Path(temporary) / f"{PurePosixPath(name).name}{suffix if suffix in VIDEO_SUFFIXES else '.mp4'}"
        if download is not None:
            _save(name, download, path, progress)
        else:
            with opened_download(address) as answer:
                _save(name, answer, path, progress)
        yield path


@contextmanager
def _about(address: CameraAddress, temporary: Path) -> Iterator[None]:
    """Raise errors about a temporary file with its original address."""
    try:
        yield
    except (DataError, ConfigError) as error:
        if not error.where.startswith(str(temporary)):
            raise
        raise of_address(error, address) from error


def of_address(error: MaskedSkipUNetError, address: CameraAddress) -> MaskedSkipUNetError:
    """Return this fault as one of what an address shows."""
    return type(error)(error.what, str(address), error.cure)


def _record(name: str, source: LiveSource, path: Path, seconds: float, progress: Progress) -> None:
    with progress.stage(f"recording {name}", round(seconds), "seconds") as advance:
        pending = 0.0

        def came(more: float) -> None:
            nonlocal pending
            pending += more
            whole = int(pending)
            pending -= whole
            advance(whole)

        recorded = record(source, path, seconds, came)
    if recorded.damaged:
        frames = f"{recorded.damaged} frame{'' if recorded.damaged == 1 else 's'}"
        progress.note(f"{source.address}: {frames} are damaged or depend on damaged ones: they are bad frames")
    if recorded.fault is not None:
        progress.note(f"{source.address} ended after {recorded.seconds:.1f} of {seconds:g} seconds ({recorded.fault})")


def _save(name: str, download: Download, path: Path, progress: Progress) -> None:
    if download.is_live:
        what = "it is a camera, whose pictures never end"
        raise VideoError(what, str(download.address), "Say with --seconds how much of it to score, or `watch`")
    if download.size_bytes is None:
        progress.note(f"fetching {name}, size unknown")
        download.save(path)
        return
    with progress.stage(f"fetching {name}", download.size_bytes // KB, "kB") as advance:
        rest = 0

        def came(more: int) -> None:
            nonlocal rest
            whole, rest = divmod(rest + more, KB)
            advance(whole)

        download.save(path, came)
