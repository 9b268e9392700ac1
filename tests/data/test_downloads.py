import threading
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from maskedskipunet.data import downloads
from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.downloads import opened_download
from maskedskipunet.errors import DiskSpaceError, VideoError

CONTENT = bytes(range(256)) * 4000  # about a megabyte
Answer = Callable[[BaseHTTPRequestHandler], None]
SECRET = "hunter2"


def whole(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(CONTENT)))
    request.send_header("ETag", '"one"')
    request.end_headers()
    request.wfile.write(CONTENT)


def of_no_stated_length(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    request.wfile.write(CONTENT)


def broken_off(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(CONTENT)))
    request.end_headers()
    request.wfile.write(CONTENT[:300_000])


def only_for_me(request: BaseHTTPRequestHandler) -> None:
    if request.headers.get("Authorization") != "Basic bWU6aHVudGVyMg==":
        request.send_error(401)
        return
    whole(request)


def playlist(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    request.wfile.write(b"#EXTM3U\nfile:///etc/passwd\n")


def leads_to_a_file(request: BaseHTTPRequestHandler) -> None:
    request.send_response(302)
    request.send_header("Location", "file:///etc/passwd")
    request.end_headers()


def huge(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(10**18))
    request.end_headers()


def never(request: BaseHTTPRequestHandler) -> None:
    request.connection.recv(1)  # until the caller gives up


def camera(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=cut")
    request.end_headers()


ANSWERS: dict[str, Answer] = {
    name: answer
    for name, answer in globals().items()
    if callable(answer) and getattr(answer, "__module__", "") == __name__ and isinstance(answer, type(whole))
}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a web server whose paths are named after what they do."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.strip("/").split("?")[0]
            if path == "moved":
                self.send_response(302)
                self.send_header("Location", "/whole")
                self.end_headers()
            elif path == "moved_inside":
                self.send_response(301)
                self.send_header("Location", f"http://127.0.0.1:{web.server_port}/only_for_me")
                self.end_headers()
            elif path == "moved_round":
                self.send_response(302)
                self.send_header("Location", "/moved_round")
                self.end_headers()
            elif path == "moved_away":  # to another host, so that a login must not follow
                self.send_response(302)
                self.send_header("Location", f"http://localhost:{web.server_port}/only_for_me")
                self.end_headers()
            elif path in ANSWERS:
                ANSWERS[path](self)
            else:
                self.send_error(404)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        web.daemon_threads = True
        threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://me:{SECRET}@127.0.0.1:{web.server_port}"
        web.shutdown()


def fetch(url: str, path: Path) -> list[int]:
    done: list[int] = []
    with opened_download(CameraAddress.parse(url)) as download:
        download.save(path, done.append)
    return done


@pytest.mark.parametrize("path", ["whole", "of_no_stated_length", "only_for_me", "moved", "moved_inside"])
def test_a_file_comes_whole_whether_or_not_its_length_is_stated(server: str, tmp_path: Path, path: str) -> None:
    done = fetch(f"{server}/{path}?key={SECRET}", tmp_path / "a.mp4")

    assert (tmp_path / "a.mp4").read_bytes() == CONTENT
    assert sum(done) == len(CONTENT)


def test_a_server_tells_size_and_version_before_anything_is_read(server: str) -> None:
    with opened_download(CameraAddress.parse(f"{server}/whole")) as download:
        assert (download.size_bytes, download.version, download.is_live) == (len(CONTENT), '"one"', False)
    with opened_download(CameraAddress.parse(f"{server}/camera")) as download:
        assert (download.size_bytes, download.version, download.is_live) == (None, "", True)


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("broken_off", r"the download broke off after 300 kB of 1.0 MB"),
        ("nosuch", r"cannot fetch it \(404 Not Found\)"),
        ("moved_away", r"cannot fetch it \(401 Unauthorized\)"),
        ("moved_round", r"cannot fetch it \(it redirects too often\)"),
        ("leads_to_a_file", r"cannot fetch it \(302 Found\)"),
        ("playlist", "it is a playlist, no video file"),
    ],
)
def test_what_cannot_be_fetched_is_told_without_secrets_and_leaves_nothing(
    server: str, tmp_path: Path, path: str, fault: str
) -> None:
    with pytest.raises(VideoError, match=fault) as caught:
        fetch(f"{server}/{path}?key={SECRET}", tmp_path / "a.mp4")

    shown = "".join(traceback.format_exception(caught.value))
    assert f"127.0.0.1:{server.rpartition(':')[2]}/{path}" in str(caught.value)
    assert SECRET not in shown
    assert list(tmp_path.iterdir()) == []


def test_where_no_one_answers_or_nothing_comes_it_is_given_up(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "PATIENCE_S", 0.2)
    for url, fault in (
        (f"{server}/never", "nothing was received for too long"),
        ("http://127.0.0.1:1/a", "Connection refused"),
    ):
        with pytest.raises(VideoError, match=fault):
            fetch(url, tmp_path / "a.mp4")


def test_what_does_not_fit_on_the_disk_is_refused_before_it_comes(server: str, tmp_path: Path) -> None:
    with pytest.raises(DiskSpaceError, match=r"fetching http://127.0.0.1:\d+/huge needs 1000000.0 TB"):
        fetch(f"{server}/huge", tmp_path / "a.mp4")


def test_a_server_that_states_no_length_may_not_send_for_ever(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "MAX_UNSTATED_BYTES", 500_000)
    with pytest.raises(VideoError, match="more than 500 kB came and no end"):
        fetch(f"{server}/of_no_stated_length", tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []
