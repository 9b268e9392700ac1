"""Measures how fast this machine scores: frames a second of some networks, from files and from a camera."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import quantiles

import numpy as np

from maskedskipunet.data.frames import Frame
from maskedskipunet.inference.prepare import Precision, prepare
from maskedskipunet.input_format import InputFormat
from maskedskipunet.model.config import NetworkConfig
from maskedskipunet.progress import Progress, Silent
from maskedskipunet.scoring.backend import Backend
from maskedskipunet.scoring.loading import load_network_scorer
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.training.config import TrainConfig
from maskedskipunet.workflows.train import initial_network

PRESETS = (16, 32, 64, 128, 512)  # latent_dim
CAMERA_RATES = (5, 15, 25)  # frames a second
MEASURED_S, FEWEST_FRAMES = 2.0, 4
DRAWN_FRAMES = 16


@dataclass(frozen=True)
class Speed:
    """The measured speed of one network.

    name: of the network. latent_dim, height_px, width_px: of it and its frames. prepare_s: seconds to its first score,
    longest the first time on a machine. files_fps: frames a second where many are scored together. camera_fps: one at
    a time. camera_ms: from a frame to a score, compute alone; 95 of 100 frames are no slower.
    """

    name: str
    latent_dim: int
    height_px: int
    width_px: int
    prepare_s: float
    files_fps: float
    camera_fps: float
    camera_ms: float

    def keeps_up(self, rate: float) -> bool:
        """Return whether a camera of so many frames a second can be watched without leaving any out."""
        return min(self.camera_fps, 1000 / self.camera_ms) >= rate


def bench(
    latent_dims: Sequence[int] = PRESETS,
    input_format: InputFormat | None = None,
    *,
    model: Path | None = None,
    device: str = "auto",
    precision: Precision = "float32",
    progress: Progress | None = None,
) -> list[Speed]:
    """Measure networks of some sizes with random weights, or one trained model.

    input_format: the size of frames (None: as published). model: whose network is measured, without its other cues,
    instead of latent_dims, at the size it was trained at. Speed does not depend on what weights and frames hold.
    Raises ConfigError for a network that cannot be, WeightsError for a model without one.
    """
    input_format = input_format or InputFormat()
    if model is not None:
        scorers = iter([(model.resolve().name, load_network_scorer(model, device, precision))])
        total = 1
    else:
        configs = [NetworkConfig(latent_dim=latent) for latent in latent_dims]  # refused before the first is measured
        scorers = (
            (f"latent {config.latent_dim}", Scorer(_random(config, device, precision), input_format))
            for config in configs
        )
        total = len(configs)
    found = []
    with (progress or Silent()).stage("measuring", total, "networks") as advance:
        for name, scorer in scorers:
            found.append(_measure(name, scorer))
            advance(1)
    return found


def _random(config: NetworkConfig, device: str, precision: Precision) -> Backend:
    return prepare(initial_network(TrainConfig(model=config)), device, precision)


def _measure(name: str, scorer: Scorer) -> Speed:
    began_s = time.perf_counter()
    _seconds_a_frame(scorer, scorer.geometry.length, frames=1)  # finds the fastest form of each part
    prepare_s = time.perf_counter() - began_s
    batch_size, (height_px, width_px) = scorer.batch_size, scorer.size_px
    in_files = _seconds_a_frame(scorer, batch_size, frames=2 * batch_size)
    single = _seconds_a_frame(scorer, 1, frames=FEWEST_FRAMES)
    latent_dim = 0 if scorer.backend is None else scorer.backend.describe().get("latent_dim", 0)
    return Speed(
        name,
        latent_dim,
        height_px,
        width_px,
        prepare_s,
        files_fps=len(in_files) / sum(in_files),
        camera_fps=len(single) / sum(single),
        camera_ms=1000 * quantiles(single, n=20, method="inclusive")[-1],
    )


def _seconds_a_frame(scorer: Scorer, batch_size: int, *, frames: int) -> list[float]:
    """Return seconds between scores, of `frames` or more, once scores come; for some seconds."""
    seconds: list[float] = []
    with closing(scorer.score(_noise(*scorer.size_px), batch_size=batch_size)) as scores:
        while next(scores).score is None:
            pass
        for _ in range(2 * batch_size - 1):  # what is slower the first time, and to the end of a batch
            next(scores)
        began_s = last_s = time.perf_counter()
        while (
            len(seconds) < frames or (last_s - began_s < MEASURED_S and len(seconds) > 1) or len(seconds) % batch_size
        ):
            next(scores)
            now_s = time.perf_counter()
            seconds.append(now_s - last_s)
            last_s = now_s
    return seconds


def _noise(height_px: int, width_px: int) -> Iterator[Frame]:
    noise = np.random.default_rng(0).integers(0, 256, (DRAWN_FRAMES, height_px, width_px, 3), np.uint8)
    for index in count():
        yield Frame(index, index / 25, noise[index % DRAWN_FRAMES])
