"""A generated scene, a small model trained on it and tested: the whole way without a download."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from maskedskipunet.data.config import DataConfig
from maskedskipunet.data.resizing import network_frame
from maskedskipunet.data.scene import SceneConfig, write_scene
from maskedskipunet.data.sources import Source
from maskedskipunet.evaluation.baseline import frame_differences
from maskedskipunet.evaluation.frames import LabelledScores, auc_by_kind, micro_auc
from maskedskipunet.model.config import NetworkConfig
from maskedskipunet.progress import Progress, Silent
from maskedskipunet.runs import RunFolder, describe_environment, write_json
from maskedskipunet.training.config import TrainConfig, TrainingConfig
from maskedskipunet.workflows.test import test
from maskedskipunet.workflows.train import train

LATENT_DIM = 16
EPOCHS = 8


@dataclass(frozen=True)
class DemoResult:
    """What the demo found and where it lies. figures: as in `demo.json`."""

    figures: dict[str, Any]
    folder: Path
    run: RunFolder


def demo(out: Path, *, seed: int = 0, with_videos: bool = True, progress: Progress | None = None) -> DemoResult:
    """Generate a scene for a seed, train on its normal part, test on the other, and compare with frame differencing.

    out: where footage/ and run/ are made; when it exists, the next free name (out-2, …) is taken.
    """
    progress = progress or Silent()
    began_s = time.perf_counter()
    folder = _free(out)
    scene = SceneConfig(seed=seed)
    footage = folder / "footage"
    with progress.stage("drawing the scene", scene.train_videos + scene.test_videos, "videos") as advance:
        truth = write_scene(footage, scene)
        advance(scene.train_videos + scene.test_videos)
    data = DataConfig(path=footage, height_px=scene.height_px, width_px=scene.width_px, cache=folder / "cache")
    config = TrainConfig(
        model=NetworkConfig(latent_dim=LATENT_DIM),
        data=data,
        training=TrainingConfig(epochs=EPOCHS),
        seed=seed,
        runs=folder,
        name="run",
    )
    run = train(config, progress)
    tested = test(run.path, data, run.path, with_videos=with_videos, progress=progress)
    scored = [video.labelled for video in tested.videos]
    differences = [_frame_differences(video, footage / "test", data) for video in scored]
    figures = {
        "auc": micro_auc(scored),
        "auc_frame_difference": micro_auc(differences),
        "auc_by_kind": auc_by_kind(scored, truth.kinds),
        "auc_by_kind_frame_difference": auc_by_kind(differences, truth.kinds),
        "seconds": round(time.perf_counter() - began_s, 1),
        "seed": seed,
        "environment": describe_environment(),
    }
    write_json(folder / "demo.json", figures)
    return DemoResult(figures, folder, run)


def _frame_differences(video: LabelledScores, folder: Path, data: DataConfig) -> LabelledScores:
    """The same frames scored by their distance to the frame before; those without a network score are left out too."""
    images = (
        network_frame(frame.image, height_px=data.height_px, width_px=data.width_px, channels=3)
        for frame in Source(path=folder / f"{video.name}.mp4").frames()
        if frame.image is not None
    )
    scores = np.fromiter(frame_differences(images), np.float64, len(video.scores))
    return replace(video, scores=np.where(video.scored, scores, np.nan))


def _free(folder: Path) -> Path:
    """The folder, or where it exists the next free name; made."""
    number = 1
    while True:
        free = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        try:
            free.mkdir(parents=True)
            return free
        except FileExistsError:
            number += 1
