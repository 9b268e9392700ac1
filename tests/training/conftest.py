"""What the tests of training share: tiny footage in memory."""

from pathlib import Path

import numpy as np
import pytest

from maskedskipunet.clip_geometry import ClipGeometry
from maskedskipunet.data.clips import Clips
from maskedskipunet.data.store import StoredVideo
from maskedskipunet.runs import RunFolder


def moving_square(name: str, count: int, seed: int) -> StoredVideo:
    """A bright square that crosses a noisy dark frame."""
    generator = np.random.default_rng(seed)
    frames = generator.integers(0, 60, (count, 3, 32, 32), dtype=np.uint8)
    for at in range(count):
        frames[at, :, 8:16, at : at + 8] = 200
    return StoredVideo(name, frames, np.arange(count), np.ones(count, np.bool_))


@pytest.fixture(scope="session")
def train_clips() -> Clips:
    """Ten clips of three frames: two whole batches and one of two clips an epoch."""
    return Clips.of([moving_square("a", 8, 1), moving_square("b", 6, 2)], ClipGeometry(3))


@pytest.fixture(scope="session")
def holdback_clips() -> Clips:
    return Clips.of([moving_square("held", 5, 3)], ClipGeometry(3))


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)
