"""What all tests share: where real footage lies, the rule that it must not be skipped where it is, and miniatures."""

import base64
import hashlib
import io
import os
import re
import resource
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image as Picture

# Before torch is imported: small networks gain nothing from threads, and threads that wait for each other on
# cores shared with other work make a test take fifty times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("no deadline", deadline=None)  # how long an example takes says nothing of the code
settings.load_profile("no deadline")

DATA_VARIABLE = "MASKEDSKIPUNET_DATA"
_skipped_on_real_data: list[str] = []


@pytest.fixture
def real_data() -> Path:
    """The folder of real footage that the environment names; without one the test is skipped, and says so."""
    named = os.environ.get(DATA_VARIABLE)
    if not named:
        pytest.skip(f"no real footage: set {DATA_VARIABLE} to the folder that holds UCSDped2 and upcam")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"{DATA_VARIABLE} names {folder}, which is no folder")
    return folder


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What fixtures of a module or session decode and measure does not reach the person's own cache either."""
    folder = tmp_path_factory.mktemp("session-cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MASKEDSKIPUNET_CACHE", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, session_cache: Path) -> Path:
    """Tests never touch the person's own cache of decoded frames.

    The timings that fixtures measured are known: on a busy machine a test would choose other forms of a network by
    timings of its own, and its scores would differ from the fixtures' by rounding.
    """
    folder = tmp_path_factory.mktemp("cache")
    if (measured := session_cache / "timings.json").exists():
        shutil.copy(measured, folder)
    monkeypatch.setenv("MASKEDSKIPUNET_CACHE", str(folder))
    return folder


@pytest.fixture
def nothing_measured(own_cache: Path) -> None:
    """The forms of networks are measured anew."""
    (own_cache / "timings.json").unlink(missing_ok=True)


@pytest.fixture
def no_file_larger_than() -> Callable[[int], AbstractContextManager[None]]:
    """A block in which the system lets no file grow beyond some bytes: what a full disk does to a writer."""

    @contextmanager
    def limited(size_bytes: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


class Miniatures:
    """Makes data sets as they are shipped, with two training clips of 5 frames and a few test clips of 6, 48x32.

    In all of them a square crosses the frame. In the first test clip it is large, and marked in its mask, in frames
    1, 2 and 4; in the others, in the last frame.
    """

    FRAMES = 6
    SIZE_PX = (32, 48)
    ANOMALOUS = ((1, 2, 4), (5,), (5,))

    def mask(self, clip: int, frame: int) -> "np.ndarray[Any, np.dtype[np.uint8]]":
        """The mask of a frame of a test clip, both counted from 0."""
        mask = np.zeros(self.SIZE_PX, np.uint8)
        if frame in self.ANOMALOUS[clip]:
            mask[4:20, 2 * frame : 2 * frame + 16] = 1
        return mask

    def ped1(self, root: Path) -> Path:
        """Three test clips, masks for the second alone, ground truth with commas."""
        for number in (1, 2):
            self._images(root / "Train" / f"Train{number:03}", "{:03}.tif", range(1, 6))
        for clip in range(3):
            self._images(root / "Test" / f"Test{clip + 1:03}", "{:03}.tif", range(1, self.FRAMES + 1), clip)
        self._save(root / "Test" / "Test002_gt", "{:03}.bmp", [255 * self.mask(1, frame) for frame in range(6)], 1)
        (root / "Test" / "UCSDped1.m").write_text(
            "TestVideoFile = {};\n"
            "TestVideoFile{end+1}.gt_frame = [2:3, 5:5];\n"
            "TestVideoFile{end+1}.gt_frame = [6:6];\n"
            "TestVideoFile{end+1}.gt_frame = [6];\n"
        )
        return root

    def avenue(self, root: Path) -> Path:
        """Two test videos; both archives unpacked into one folder."""
        home, truth = root / "Avenue Dataset", root / "ground_truth_demo" / "testing_label_mask"
        for number in (1, 2):
            self._video(home / "training_videos" / f"{number:02}.avi", 5)
            self._video(home / "testing_videos" / f"{number:02}.avi", self.FRAMES, number - 1)
            for part in ("training", "testing"):
                self._mat(home / f"{part}_vol" / f"vol{number:02}.mat", vol=np.zeros((2, 2, 3), np.uint8))
            self.volume(truth / f"{number}_label.mat", number - 1)
        return root

    def volume(self, path: Path, clip: int, frames: int = FRAMES) -> Path:
        """Avenue's masks of a test clip."""
        cells = np.empty((1, frames), dtype=object)
        for frame in range(frames):
            cells[0, frame] = self.mask(clip, frame)
        return self._mat(path, volLabel=cells)

    def shanghaitech(self, root: Path) -> Path:
        """Two scenes, 01 and 02, with a training video and a test clip each."""
        testing = root / "testing"
        for part in ("test_frame_mask", "test_pixel_mask"):
            (testing / part).mkdir(parents=True)
        for clip, (train, test) in enumerate((("01_001", "01_0014"), ("02_003", "02_0007"))):
            self._video(root / "training" / "videos" / f"{train}.avi", 5)
            self._images(testing / "frames" / test, "{:03}.jpg", range(self.FRAMES), clip)
            masks = np.stack([self.mask(clip, frame) for frame in range(self.FRAMES)])
            np.save(testing / "test_pixel_mask" / f"{test}.npy", masks)
            np.save(testing / "test_frame_mask" / f"{test}.npy", masks.any(axis=(1, 2)).astype(np.int8))
        return root

    def street_scene(self, root: Path) -> Path:
        """Two test clips; each has a file with a box a line, its frame's image, its track and its centre and size."""
        for number in (1, 2):
            self._images(root / "Train" / f"Train{number:03}", "{:03}.jpg", range(1, 6))
            clip = root / "Test" / f"Test{number:03}"
            self._images(clip, "{:03}.jpg", range(1, self.FRAMES + 1), number - 1)
            boxes = [f"{frame + 1:03}.jpg 0 {2 * frame + 8} 12 16 16" for frame in self.ANOMALOUS[number - 1]]
            (clip / f"{clip.name}_gt.txt").write_text("\n".join(boxes) + "\n")
        return root

    def ucf_crime(self, root: Path) -> Path:
        """Two normal videos for training and one for the test, an anomalous one of either split, and a copy."""
        for number in ("001", "002"):
            self._video(root / "Training-Normal-Videos-Part-1" / f"Normal_Videos{number}_x264.mp4", 5)
        self._video(root / "Normal_Videos_event" / "Normal_Videos001_x264.mp4", 5)
        self._video(root / "Anomaly-Videos-Part-1" / "Abuse" / "Abuse001_x264.mp4", self.FRAMES, 0)
        self._video(root / "Anomaly-Videos-Part-1" / "Abuse" / "Abuse028_x264.mp4", self.FRAMES, 0)
        self._video(root / "Testing_Normal_Videos_Anomaly" / "Normal_Videos_003_x264.mp4", self.FRAMES)
        lists = root / "Anomaly_Detection_splits"
        lists.mkdir()
        (lists / "Anomaly_Test.txt").write_text(
            "Abuse/Abuse028_x264.mp4\nTesting_Normal_Videos_Anomaly/Normal_Videos_003_x264.mp4\n"
        )
        (root / "Temporal_Anomaly_Annotation_for_Testing_Videos.txt").write_text(
            "Abuse028_x264.mp4  Abuse  2  3  5  5  \nNormal_Videos_003_x264.mp4  Normal  -1  -1  -1  -1  \n"
        )
        return root

    def xd_violence(self, root: Path) -> Path:
        """Two normal videos for training, a violent one beside them, and a violent and a normal one for the test."""
        for name, clip in (("A.Film.2001__#00-01-45_00-02-50_label_A", None), ("v=abc__#1_label_A", None)):
            self._video(root / "1-1004" / f"{name}.mp4", 5, clip)
        self._video(root / "1-1004" / "B.Film.2002__#00-00-01_00-00-09_label_B1-0-0.mp4", self.FRAMES, 0)
        self._video(root / "videos" / "C.Film.2003__#00-00-01_00-00-09_label_B2-G-0.mp4", self.FRAMES, 0)
        self._video(root / "videos" / "D.Film.2004__#00-00-01_00-00-09_label_A.mp4", self.FRAMES)
        (root / "annotations.txt").write_text("C.Film.2003__#00-00-01_00-00-09_label_B2-G-0.mp4 1 3 4 5\n")
        return root

    def ubnormal(self, root: Path) -> Path:
        """A scene with two normal videos for training, an abnormal and a normal one for the test, and others."""
        scene = root / "Scene1"
        for number in (1, 2):
            self._video(scene / f"normal_scene_1_scenario_{number}.mp4", 5)
        self._video(scene / "normal_scene_1_scenario_3.mp4", self.FRAMES)
        for number in (1, 2):
            name = f"abnormal_scene_1_scenario_{number}"
            self._video(scene / f"{name}.mp4", self.FRAMES, 0)
            annotations = scene / f"{name}_annotations"
            self._save(annotations, f"{name}_{{:04}}_gt.png", [2 * self.mask(0, frame) for frame in range(6)], 0)
            (annotations / f"{name}_tracks.txt").write_text("1,1,2\n2,4,4\n")
        lists = root / "scripts"
        lists.mkdir()
        (lists / "normal_training_video_names.txt").write_text("normal_scene_1_scenario_1\nnormal_scene_1_scenario_2")
        (lists / "normal_test_video_names.txt").write_text("normal_scene_1_scenario_3")
        (lists / "abnormal_test_video_names.txt").write_text("abnormal_scene_1_scenario_1")
        (lists / "abnormal_training_video_names.txt").write_text("abnormal_scene_1_scenario_2")
        return root

    def nwpu_campus(self, root: Path) -> Path:
        """Two cameras with a training and a test video each, and their labels in one file."""
        for camera in (1, 2):
            self._video(root / "videos" / "Train" / f"D{camera:03}_01.avi", 5)
            self._video(root / "videos" / "Test" / f"D{camera:03}_02.avi", self.FRAMES, camera - 1)
        labels = {f"D{camera:03}_02": self.labels(camera - 1) for camera in (1, 2)}
        np.savez(root / "gt.npz", **labels)  # type: ignore[arg-type]
        return root

    def msad(self, root: Path) -> Path:
        """Two normal videos for training, an anomalous and a normal one for the test, and a table of ranges."""
        home = root / "MSAD_blur"
        for number in (1, 2):
            self._video(home / "MSAD_normal_training_blur" / f"airport_{number}.mp4", 5)
        self._video(home / "MSAD_normal_testing_blur" / "MSAD_normal_testing_001.mp4", self.FRAMES)
        self._video(home / "MSAD_anomaly_blur" / "Assault" / "Assault_1.mp4", self.FRAMES, 1)
        (root / "anomaly_annotation.csv").write_text(
            "name,scenario,total frames,starting frame of anomaly,ending frame of anomaly\nAssault_1,shop,6,6,6\n"
        )
        return root

    def corridor(self, root: Path) -> Path:
        """Two training and two test videos, both archives unpacked into one folder."""
        for number in (1, 2):
            train, test = f"{number:06}", f"{208 + number:06}"
            self._video(root / "Train_IITB-Corridor" / "Train" / train / f"{train}.avi", 5)
            self._video(root / "Test_IITB-Corridor" / "Test" / test / f"{test}.avi", self.FRAMES, number - 1)
            truth = root / "Test_IITB-Corridor" / "Test_Annotation" / "Annotation" / test
            truth.mkdir(parents=True)
            np.save(truth / f"{test}.npy", self.labels(number - 1).astype(np.float64))
        return root

    def labels(self, clip: int) -> "np.ndarray[Any, np.dtype[np.uint8]]":
        """The labels of a test clip's frames."""
        return np.array([int(frame in self.ANOMALOUS[clip]) for frame in range(self.FRAMES)], np.uint8)

    def _pictures(self, frames: int, clip: int | None) -> "list[np.ndarray[Any, np.dtype[np.uint8]]]":
        pictures = []
        for frame in range(frames):
            picture = np.full((*self.SIZE_PX, 3), 40, np.uint8)
            picture[4:12, 2 * frame : 2 * frame + 8] = 220
            if clip is not None:
                picture[self.mask(clip, frame) > 0] = 220
            pictures.append(picture)
        return pictures

    def _images(self, folder: Path, name: str, numbers: range, clip: int | None = None) -> None:
        self._save(folder, name, self._pictures(len(numbers), clip), numbers[0])

    def _save(self, folder: Path, name: str, pictures: "list[np.ndarray[Any, np.dtype[np.uint8]]]", first: int) -> None:
        from PIL import Image as Picture

        folder.mkdir(parents=True)
        for number, picture in enumerate(pictures, start=first):
            Picture.fromarray(picture).save(folder / name.format(number))

    def _video(self, path: Path, frames: int, clip: int | None = None) -> None:
        import av

        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.height, stream.width = self.SIZE_PX
            stream.pix_fmt = "yuv420p"
            for picture in self._pictures(frames, clip):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))

    def _mat(self, path: Path, **variables: object) -> Path:
        from scipy.io import savemat

        path.parent.mkdir(parents=True, exist_ok=True)
        savemat(path, variables, do_compression=True)
        return path


@pytest.fixture(scope="session")
def miniatures() -> Miniatures:
    """Makers of miniature copies of the data sets that others publish figures on."""
    return Miniatures()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note tests that were skipped although real footage is there; where several processes test, the first does it."""
    if report.skipped and "real_data" in report.keywords and os.environ.get(DATA_VARIABLE):
        _skipped_on_real_data.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _skipped_on_real_data and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
    for test in _skipped_on_real_data:
        terminalreporter.write_line(f"real footage is there, but this test was skipped: {test}", red=True)


def camera_jpeg(level: int) -> bytes:
    """A picture of one colour, with a small picture of itself in its head, as many cameras send them."""
    data = io.BytesIO()
    thumbnail = io.BytesIO()
    Picture.new("RGB", (16, 12), (level,) * 3).save(thumbnail, "jpeg")
    exif = b"Exif\0\0" + thumbnail.getvalue()
    Picture.new("RGB", (48, 32), (level,) * 3).save(data, "jpeg", exif=exif)
    return data.getvalue()


class WebCamera:
    """A camera on loopback that speaks HTTP, and does what tests set.

    levels: brightness of its pictures, one after another. parts: how a picture of a stream is wrapped. login:
    USER:PASSWORD. asks: how it asks for it. answers: statuses in place of pictures, one a request. requests: paths that
    were asked for. refused: how often a login was wrong.
    """

    def __init__(self) -> None:
        self.levels = [20 * level for level in range(10)]
        self.part: Callable[[bytes], bytes] = lambda data: b"--cut\r\nContent-Type: image/jpeg\r\n\r\n" + data + b"\r\n"
        self.content_type = "multipart/x-mixed-replace; boundary=cut"
        self.single_type = "image/jpeg"
        self.login = ""
        self.asks: list[str] = []
        self.answers: list[int] = []
        self.pause_s = 0.02
        self.requests: list[str] = []
        self.refused = 0
        self.port = 0
        self.scheme = "http"

    @staticmethod
    def jpeg(level: int) -> bytes:
        """One of its pictures."""
        return camera_jpeg(level)

    def url(self, path: str, login: str = "") -> str:
        return f"{self.scheme}://{login + '@' if login else ''}127.0.0.1:{self.port}{path}"

    def is_let_in(self, given: str | None, path: str) -> bool:
        if not self.login or given is None:
            return not self.login
        if given.startswith("Basic"):
            return given == f"Basic {base64.b64encode(self.login.encode()).decode()}"
        fields = dict(re.findall(r'(\w+)="?([^",]*)"?', given))
        name = "sha256" if fields.get("algorithm") == "SHA-256" else "md5"

        def hashed(text: str) -> str:
            return hashlib.new(name, text.encode()).hexdigest()

        user, _, password = self.login.partition(":")
        first, second = hashed(f"{user}:cam:{password}"), hashed(f"GET:{path}")
        middle = f"{fields['nonce']}:{fields['nc']}:{fields['cnonce']}:auth" if "qop" in fields else fields["nonce"]
        return fields["uri"] == path and fields["response"] == hashed(f"{first}:{middle}:{second}")

    @contextmanager
    def serve(self, certificate: Path | None = None) -> Iterator["WebCamera"]:
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with suppress(OSError):  # who asked has seen enough
                    camera._answer(self)

            def log_message(self, *_: object) -> None:
                return

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = True
            self.port = server.server_port
            if certificate is not None:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate)
                server.socket = context.wrap_socket(server.socket, server_side=True)
                self.scheme = "https"
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            yield self
            server.shutdown()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        self.requests.append(request.path)
        given = request.headers.get("Authorization")
        if not self.is_let_in(given, request.path):
            self.refused += given is not None
            request.send_response(401)
            for way in self.asks:
                request.send_header("WWW-Authenticate", way)
            request.end_headers()
        elif self.answers and (status := self.answers.pop(0)) != 200:
            request.send_error(status)
        elif request.path.startswith("/snapshot"):
            data = self.jpeg(self.levels[len(self.requests) % len(self.levels)])
            request.send_response(200)
            request.send_header("Content-Type", self.single_type)
            request.send_header("Content-Length", str(len(data)))
            request.end_headers()
            request.wfile.write(data)
        else:
            request.send_response(200)
            request.send_header("Content-Type", self.content_type)
            request.end_headers()
            for level in self.levels:
                request.wfile.write(self.part(self.jpeg(level)))
                time.sleep(self.pause_s)


@pytest.fixture
def http_camera() -> Iterator[WebCamera]:
    with WebCamera().serve() as camera:
        yield camera


@pytest.fixture
def https_camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebCamera]:
    """One that signs its certificate itself."""
    folder = tmp_path_factory.mktemp("certificate")
    key, certificate = folder / "key.pem", folder / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=camera"]
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not here")
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    certificate.write_text(key.read_text() + certificate.read_text())
    with WebCamera().serve(certificate) as camera:
        yield camera
