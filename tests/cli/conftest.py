"""What the tests of the command line share: tiny footage, a run trained on it by a command, and a way to call one."""

import io
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from maskedskipunet.cli.main import main
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.detection.budget import AlarmSetting, Budget
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.events import EventRule

SMALL = [
    "--data.height_px=32",
    "--data.width_px=32",
    "--model.latent_dim=8",
    "--training.epochs=1",
    "--training.batch_size=4",
]


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str

    def refusal(self) -> str:
        """The one line of a command that was refused, which printed nothing else."""
        assert (self.code, self.out) == (2, "")
        assert self.err.startswith("error: ")
        assert self.err.endswith(".\n")
        assert self.err.count("\n") == 1
        return self.err


Call = Callable[..., Answer]
SHARED: dict[Path, dict[str, tuple[int, int]]] = {}  # runs that were made once for many tests, and what they held
RULE = EventRule(threshold=1, release=1, shortest_s=0.2, merge_s=0.5, pause_s=0.0, update_s=0.3)


def call_main(*arguments: object) -> Answer:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as ended:  # --help
            code = int(ended.code or 0)
    return Answer(code, out.getvalue(), err.getvalue())


def write_video(path: Path, frames: int = 6, *, height_px: int = 32, width_px: int = 48) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, height_px=height_px, width_px=width_px, frame_rate=10) as writer:
        for number in range(frames):
            frame = np.full((height_px, width_px, 3), 60, np.uint8)
            frame[8:16, 2 * number : 2 * number + 8] = 220
            writer.write(frame)
    return path


def write_images(folder: Path, frames: int = 5) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(frames):
        frame = np.full((32, 48, 3), 60 + 10 * number, np.uint8)
        Picture.fromarray(frame).save(folder / f"{number:03d}.png")
    return folder


def write_disturbed(path: Path, frames: int = 80) -> Path:
    """A noisy picture that falls quiet three times, for a second each: what the network has not seen before."""
    random = np.random.default_rng(0)
    with VideoWriter(path, height_px=32, width_px=48, frame_rate=10) as writer:
        for number in range(frames):
            noise = 2 if number % 25 >= 15 else 120
            writer.write((80 + random.integers(0, noise, (32, 48, 3))).astype(np.uint8))
    return path


@dataclass(frozen=True)
class Tools:
    """Makers of footage, for tests that need footage of their own."""

    video: Callable[..., Path] = write_video
    images: Callable[..., Path] = write_images
    disturbed: Callable[..., Path] = write_disturbed


@pytest.fixture
def make() -> Tools:
    return Tools()


@pytest.fixture
def cli() -> Call:
    """Calls a command in this process."""
    return call_main


@pytest.fixture(scope="session")
def call() -> Call:
    """Calls a command in this process, for what is made once for many tests."""
    return call_main


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def files(place: Path) -> Callable[[], set[str]]:
    """Tells which files and folders there are where we stand."""
    return lambda: {str(path.relative_to(place)) for path in place.rglob("*")}


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two normal videos and two test videos with labels: one with an anomaly, one without."""
    folder = tmp_path_factory.mktemp("data") / "footage"
    for name in ("normal/a", "normal/b", "test/c", "test/d"):
        write_video(folder / f"{name}.mp4")
    (folder / "test" / "c_labels.csv").write_text("0\n0\n0\n1\n1\n0\n")
    (folder / "test" / "d_labels.csv").write_text("0\n" * 6)
    return folder


@pytest.fixture(scope="session")
def run(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that `train` made; tests leave it as it is."""
    return trained(footage, tmp_path_factory)


def trained(footage: Path, tmp_path_factory: pytest.TempPathFactory, *more: object) -> Path:
    runs, cache = (tmp_path_factory.mktemp(name) for name in ("trained", "frames"))
    named = ("--data", footage, "--data.cache", cache, "--runs", runs, "--name", "small")
    answer = call_main("train", *named, *SMALL, *more)
    assert answer.code == 0, answer.err
    SHARED[runs / "small"] = contents(runs / "small")
    return runs / "small"


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Each file's size and time of change, but for the lock."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@pytest.fixture(autouse=True)
def shared_runs_stay_as_they_are() -> Iterator[None]:
    yield
    for run, before in SHARED.items():
        after = contents(run)
        SHARED[run] = after  # the test that changed it fails, and no other
        assert after == before


@pytest.fixture(scope="session")
def network_run(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the network alone, whose scores are its own; tests leave it as it is."""
    return trained(footage, tmp_path_factory, "--cues", "reconstruction")


@pytest.fixture
def small() -> list[str]:
    """Options of a training that takes no time."""
    return list(SMALL)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], io.StringIO]:
    """Puts a terminal of some width in place of stdout and stderr, and gives what is shown on it."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def place_terminal(columns: int) -> io.StringIO:
        shown = Terminal()
        monkeypatch.setattr(sys, "stdout", shown)
        monkeypatch.setattr(sys, "stderr", shown)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", "xterm")
        return shown

    return place_terminal


@pytest.fixture(scope="session")
def disturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film with three events in it."""
    return write_disturbed(tmp_path_factory.mktemp("disturbed") / "room.mp4")


@pytest.fixture
def alarmed(network_run: Path, place: Path, cli: Call, disturbed: Path) -> Path:
    """A run with a threshold that the quiet reaches."""
    import pyarrow.parquet as pq

    model = shutil.copytree(network_run, place / "alarmed")
    assert cli("score", disturbed, "--model", model, "--out", "usual").code == 0
    scores = np.array(pq.read_table("usual/scores.parquet")["score"].to_pylist(), float)
    usual, high = np.nanquantile(scores, [0.3, 0.9])
    rule = RULE.with_threshold((usual + high) / 2, usual)
    setting = AlarmSetting(rule, Budget(1, "hour"), usual, 8.0, 1, 0.0, 0.3, 24.0, 10.0, extrapolated=False)
    calibration = Calibration.of({"usual": scores})
    Calibration(calibration.videos, calibration.frames, calibration.levels, calibration.shares, setting).write(
        model / "model"
    )
    return model
