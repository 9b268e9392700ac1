"""Videos in an object store: what is read of them, and what happens when a connection is cut."""

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import av
import boto3
import numpy as np
import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from maskedskipunet.data.footage_files import FootageFile, names_many, objects_below, require_object_address
from maskedskipunet.data.ranged_files import LARGEST_BYTES, RangedFile
from maskedskipunet.data.video.index import index_video
from maskedskipunet.data.video.parts import read_part
from maskedskipunet.errors import ConfigError, DataError, VideoError

SECONDS = 24


class Store:
    """An S3 server that counts the bytes of objects that it gives, and can cut a connection."""

    def __init__(self) -> None:
        self._app: Any = DomainDispatcherApplication(create_backend_app)
        self.sent: list[int] = []
        self.cut_after: int | None = None  # answers with an object's bytes, after which one is cut
        self.server = make_server("127.0.0.1", 0, self._serve, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _serve(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = b"".join(self._app(environ, start_response))
        if environ["REQUEST_METHOD"] != "GET" or environ.get("HTTP_RANGE") is None:
            return [body]
        if self.cut_after == len(self.sent):
            self.cut_after = None
            body = body[: len(body) // 2]  # the header promised all of it
        self.sent.append(len(body))
        return [body]


def write(path: Path) -> Path:
    random = np.random.default_rng(0)
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream("libx264", rate=10, options={"g": "10", "preset": "ultrafast", "qp": "8"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for _ in range(10 * SECONDS):
            picture = av.VideoFrame.from_ndarray(random.integers(0, 255, (240, 320, 3), dtype=np.uint8), format="rgb24")
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    found = Store()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": found.url,
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="archive")
        path = write(tmp_path_factory.mktemp("store") / "noise.mp4")
        client.upload_file(str(path), "archive", "days/mon day.mp4")
        client.put_object(Bucket="archive", Key="days/deep/short.mp4", Body=b"x")
        client.put_object(Bucket="archive", Key="days/notes.txt", Body=b"x")
        client.put_object(Bucket="archive", Key="days/empty.mp4", Body=b"")
        yield found
    found.server.shutdown()


NOISE = FootageFile("s3://archive/days/mon day.mp4")


def test_a_folder_and_a_pattern_of_a_store_name_their_videos(store: Store) -> None:
    below = [file.address for file, _ in objects_below("s3://archive/days/")]

    assert below == [
        "s3://archive/days/deep/short.mp4",
        "s3://archive/days/empty.mp4",
        "s3://archive/days/mon day.mp4",
    ]
    ((file, version),) = objects_below("s3://archive/days/mon*.mp4")
    assert file == NOISE
    assert (version.size, version.mark) == (NOISE.version().size, NOISE.version().mark)
    with pytest.raises(DataError, match="there is no video"):
        objects_below("s3://archive/nothing/")


def test_a_part_of_an_object_is_read_by_ranges_and_little_besides(store: Store) -> None:
    store.sent.clear()
    index = index_video(NOISE)
    size = NOISE.version().size
    assert len(index.times_s) == 10 * SECONDS
    headers = sum(store.sent)
    assert headers < 0.03 * size

    first, last = index.keys[8], 140
    start, limit = int(index.ends[first.index - 1]), int(index.ends[last + 16])
    needed = limit - start
    store.sent.clear()
    frames = read_part(NOISE, first, index.start_s, "stop", limit)
    found = [next(frames) for _ in range(last - first.index)]
    frames.close()

    assert [frame.index for frame in found] == [*range(first.index, last)]
    assert sum(store.sent) <= 1.1 * needed
    assert len(store.sent) <= 4 + needed // LARGEST_BYTES + 4


def test_a_connection_that_is_cut_is_made_again(store: Store) -> None:
    index = index_video(NOISE)
    whole = [frame.image for frame in read_part(NOISE, index.keys[-3], index.start_s, "stop")]
    store.sent.clear()
    store.cut_after = 2

    again = [frame.image for frame in read_part(NOISE, index.keys[-3], index.start_s, "stop")]

    assert store.cut_after is None
    assert len(whole) == len(again)
    for image, other in zip(whole, again, strict=True):
        np.testing.assert_array_equal(image, other)


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("s3://archive/days/gone.mp4", "there is no such object"),
        ("s3://nothing/a.mp4", "there is no such object|cannot read it"),
        ("s3://archive/days/empty.mp4", "is empty"),
        ("s3://archive/days/notes.txt", "cannot open the video"),
        ("http://127.0.0.1:9/a.mp4", "cannot read it"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_address(store: Store, address: str, fault: str) -> None:
    with pytest.raises(VideoError, match=fault) as error:
        index_video(FootageFile(address))
    assert address in str(error.value)


def test_addresses_that_cannot_be_kept_or_read_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("https://me:hunter2@host/a.mp4", "https://host/a.mp4?key=hunter2"):
        with pytest.raises(ConfigError, match="would be stored") as error:
            require_object_address(address, "SOURCE")
        assert "hunter2" not in str(error.value)
    require_object_address("https://me:${WORD}@host/a.mp4", "SOURCE")
    require_object_address("s3://bucket/a.mp4", "SOURCE")
    for address in ("rtsp://camera/1", "file:///a.mp4", "nonsense://a"):
        with pytest.raises(ConfigError, match="is no object store"):
            require_object_address(address, "SOURCE")
    assert [names_many(text) for text in ("s3://b/a/", "s3://b/*.mp4", "https://h/a[1].mp4", "s3://b/a.mp4")] == [
        True,
        True,
        False,
        False,
    ]


# -- ranges -----------------------------------------------------------------------------------------------------------

CONTENT = bytes(range(256)) * 4096


def test_ranges_give_the_bytes_of_the_file() -> None:
    file = RangedFile(lambda first, end: CONTENT[first:end], len(CONTENT), "x")
    random = np.random.default_rng(0)
    for _ in range(200):
        first, size = int(random.integers(len(CONTENT) + 10)), int(random.integers(70_000))
        file.seek(first)
        assert file.read(size) == CONTENT[first : first + size]
        assert file.tell() == min(first + size, max(first, len(CONTENT)))
    assert file.seek(-3, 2) == len(CONTENT) - 3
    assert file.read() == CONTENT[-3:]


def test_reading_in_one_go_takes_few_requests_and_little_more_than_asked_for() -> None:
    file = RangedFile(lambda first, end: bytes(end - first), 400_000_000, "x")
    for _ in range(3000):
        file.read(10_000)
    assert file.read_bytes <= 1.07 * 30_000_000
    assert file.requests < 80

    known = RangedFile(lambda first, end: bytes(end - first), 400_000_000, "x", window=(0, 30_000_000))
    for _ in range(3000):
        known.read(10_000)
    assert known.read_bytes == 30_000_000
    assert known.requests == 8


def test_a_range_that_never_comes_is_an_error_after_some_tries() -> None:
    tries = []

    def fetch(first: int, end: int) -> bytes:
        tries.append(first)
        if len(tries) % 2:
            raise ConnectionResetError("the server went away")
        return bytes(end - first - 1)

    with pytest.raises(VideoError, match=r"cannot read on .* 5 times"):
        RangedFile(fetch, 100, "x", pause_s=0).read(10)
    assert len(tries) == 5
    with pytest.raises(VideoError, match="Permission"):
        RangedFile(_refused, 100, "x", pause_s=0).read(10)


def _refused(first: int, end: int) -> bytes:
    raise PermissionError("no")
