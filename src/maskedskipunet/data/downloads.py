"""Video files from web servers, fetched whole: what is read twice is sent once, and no server need give parts of it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.live.web_cameras import pictures_of
from maskedskipunet.data.web import WebAddress, web_fault
from maskedskipunet.errors import VideoError
from maskedskipunet.files import atomic_write, readable_bytes, require_free_space
from maskedskipunet.progress import Advance

PATIENCE_S = 20.0  # for a server's answer, and each further part
PART_BYTES = 1 << 18
MAX_UNSTATED_BYTES = 8_000_000_000  # of a server that does not say how much there is: it may never end
_PLAYLISTS = (b"#EXTM3U", b"ffconcat")


@dataclass(frozen=True)
class Download:
    """A download that has begun.

    size_bytes: None if unknown. version: changes with the file, as far as the server states it. is_live: it is a
    camera's pictures: an endless series, or a single current one.
    """

    address: CameraAddress
    size_bytes: int | None
    version: str
    is_live: bool
    response: HTTPResponse

    def save(self, path: Path, advance: Advance = lambda done: None) -> None:
        """Write all of it to a file, which appears when it is whole. advance: called with numbers of bytes.

        Raises VideoError when it breaks off or is no video file, DiskSpaceError when there is no room for it.
        """
        if self.size_bytes is not None:
            cure = "Free some space, or name another folder"
            require_free_space(path.parent, self.size_bytes, what=f"fetching {self.address}", cure=cure)
        with atomic_write(path) as part, part.open("wb") as file:
            done = 0
            for data in self._parts():
                if done == 0 and data.lstrip().startswith(_PLAYLISTS):
                    raise self._fault("it is a playlist, no video file", "Take it as a stream with --seconds")
                done += len(data)
                if self.size_bytes is None and done > MAX_UNSTATED_BYTES:
                    raise self._fault(
                        f"more than {readable_bytes(MAX_UNSTATED_BYTES)} came and no end", "Download it first"
                    )
                file.write(data)
                advance(len(data))
            if self.size_bytes is not None and done < self.size_bytes:
                sizes = f"{readable_bytes(done)} of {readable_bytes(self.size_bytes)}"
                raise self._fault(f"the download broke off after {sizes}", "Try again")

    def _parts(self) -> Iterator[bytes]:
        while True:
            try:
                data = self.response.read(PART_BYTES)
            except (OSError, HTTPException) as error:
                fault = web_fault(error)
                break
            if not data:
                return
            yield data
        raise self._fault(f"the download broke off ({fault})", "Try again")

    def _fault(self, what: str, cure: str) -> VideoError:
        return VideoError(what, str(self.address), cure)


@contextmanager
def opened_download(address: CameraAddress) -> Iterator[Download]:
    """Ask a web server for a file; its contents are not read yet.

    Raises VideoError, which holds no secret of the address, when the server does not give it.
    """
    web = WebAddress(address, open_s=PATIENCE_S, read_s=PATIENCE_S, fault="cannot fetch it")
    with closing(web.open()) as response:
        size = response.headers.get("Content-Length", "")
        version = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        is_live = pictures_of(response) is not None
        yield Download(address, int(size) if size.isdecimal() else None, version, is_live, response)
