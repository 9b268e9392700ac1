"""What the tests of workflows share: a tiny data set, a run trained on it, and a listener that can interrupt."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from maskedskipunet.data.config import DataConfig
from maskedskipunet.data.frames import Image
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.detection.budget import AlarmSetting, Budget
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.events import EventRule
from maskedskipunet.detection.reading import RECONSTRUCTION
from maskedskipunet.model.config import NetworkConfig
from maskedskipunet.progress import Advance, Silent
from maskedskipunet.runs import RunFolder
from maskedskipunet.training.config import TrainConfig, TrainingConfig
from maskedskipunet.workflows.score import score
from maskedskipunet.workflows.train import train

HEIGHT, WIDTH = 32, 48
ANOMALOUS = {"01": range(4, 7), "02": range(6, 10)}  # frames of the test videos in which the square is too large


def moving_square(count: int, *, anomalous: Sequence[int] = (), start: int = 0) -> list[Image]:
    """A bright square that crosses a dark frame; where it is anomalous, it is large."""
    frames = []
    for at in range(count):
        frame = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
        size = 24 if at in anomalous else 8
        frame[4 : 4 + size, start + 2 * at : start + 2 * at + size] = 220
        frames.append(frame)
    return frames


def write_video(path: Path, frames: Sequence[Image], frame_rate: float = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    height_px, width_px, _ = frames[0].shape
    with VideoWriter(path, height_px=height_px, width_px=width_px, frame_rate=frame_rate) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def write_images(folder: Path, frames: Sequence[Image]) -> Path:
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames):
        Picture.fromarray(frame).save(folder / f"{number:03d}.png")
    return folder


def write_labels(video: Path, labels: Sequence[int]) -> Path:
    path = video.with_name(f"{video.stem}_labels.csv")
    path.write_text("".join(f"{label}\n" for label in labels))
    return path


class Listener(Silent):
    """Hears of every stage and note, and does something at a step of a stage: the first that has one of that number."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int, str]] = []
        self.notes: list[str] = []
        self.done = 0
        self.at: tuple[str, int] | None = None
        self.does: Callable[[], object] = lambda: None

    @contextmanager
    def stage(self, title: str, total: int, unit: str = "frames") -> Iterator[Advance]:
        self.stages.append((title, total, unit))
        self.done = 0
        yield self._advance

    def note(self, message: str) -> None:
        self.notes.append(message)

    def _advance(self, done: int) -> None:
        self.done += done
        if self.at == (self.stages[-1][0], self.done):
            self.at = None
            self.does()


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is made once for many tests touches the person's own cache as little as a test does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MASKEDSKIPUNET_CACHE", str(tmp_path_factory.mktemp("shared-cache")))
        yield


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three normal videos of 8 frames and two test videos of 12 with labels."""
    folder = tmp_path_factory.mktemp("footage")
    for number, name in enumerate("abc"):
        write_video(folder / "normal" / f"{name}.mp4", moving_square(8, start=4 * number))
    for name, anomalous in ANOMALOUS.items():
        video = write_video(folder / "test" / f"{name}.mp4", moving_square(12, anomalous=anomalous))
        write_labels(video, [int(at in anomalous) for at in range(12)])
    return folder


@pytest.fixture(scope="session")
def config(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """Three epochs of three steps over the footage at its own size."""
    return TrainConfig(
        model=NetworkConfig(latent_dim=8),
        data=DataConfig(path=footage, height_px=HEIGHT, width_px=WIDTH, cache=tmp_path_factory.mktemp("frames")),
        training=TrainingConfig(epochs=3, batch_size=6, accelerator="cpu"),
        runs=tmp_path_factory.mktemp("runs"),
    )


@pytest.fixture(scope="session")
def trained(config: TrainConfig) -> RunFolder:
    """A training that nothing interrupts; tests leave it as it is."""
    return train(config)


@pytest.fixture(scope="session")
def trained_network(config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The same training for the network alone, whose scores are its own; tests leave it as it is."""
    return train(replace(config, cues=(RECONSTRUCTION,), runs=tmp_path_factory.mktemp("network")))


@pytest.fixture(scope="session")
def alarming(trained: RunFolder, footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained model with a threshold that the large square of the test videos is above, and little else."""
    folder = tmp_path_factory.mktemp("alarming") / "model"
    shutil.copytree(trained.model, folder)
    found = score(footage / "test" / "01.mp4", folder, tmp_path_factory.mktemp("scores")).scored.scores
    threshold = float(np.sort(found[~np.isnan(found)])[-3])
    rule = EventRule(threshold=threshold, release=threshold, shortest_s=0.0)
    setting = AlarmSetting(rule, Budget(1, "day"), 0.0, 1.0, 0, 0.0, 0.1, 24.0, 240.0, extrapolated=True)
    replace(Calibration.of({"01": found}), alarm=setting).write(folder)
    return folder
