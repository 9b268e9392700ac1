"""What the tests of cues share: a small street where things walk from left to right, and what is learned from it."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.learning import learn_cues
from maskedskipunet.cues.normal_footage import NormalVideo
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.sized_frame import SizedFrame

HEIGHT, WIDTH, THING_PX = 48, 96, 20
Pixels = NDArray[np.uint8]
Street = Callable[..., Pixels]


def street(
    count: int = 16, *, speed: float = 2.0, seed: int = 0, rows: slice = slice(16, 40), channels: int = 3
) -> Pixels:
    """Frames, uint8 (N, C, H, W), of a textured thing that crosses a still textured picture, with some noise."""
    texture = gaussian_filter(np.random.default_rng(7).normal(size=(HEIGHT, 4 * WIDTH)), 2)
    texture = 128 + 60 * texture / np.abs(texture).max()
    random = np.random.default_rng(seed)
    shown = np.tile(texture[:, :WIDTH], (count, 1, 1))
    for number in range(count):
        left = round((10 if speed >= 0 else WIDTH - 30) + speed * number) % (WIDTH - THING_PX)
        shown[number, rows, left : left + THING_PX] = 255 - texture[rows, 200 : 200 + THING_PX]
    shown += random.normal(0, 0.5, shown.shape)
    return np.repeat(shown.clip(0, 255).round().astype(np.uint8)[:, None], channels, axis=1)


def normal_video(name: str, frames: Pixels, **changes: object) -> NormalVideo:
    values: dict[str, object] = {"time_s": np.arange(len(frames)) / 10, "good": np.ones(len(frames), bool)}
    return NormalVideo(name, frames, **values | changes)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def make_street() -> Street:
    return street


@pytest.fixture(scope="session")
def make_video() -> Callable[..., NormalVideo]:
    return normal_video


@pytest.fixture(scope="session")
def grid() -> PlaceGrid:
    return PlaceGrid.of_size(HEIGHT, WIDTH)


@pytest.fixture(scope="session")
def normal() -> list[NormalVideo]:
    """Four videos of 16 frames."""
    return [normal_video(f"video {seed}", street(seed=seed)) for seed in range(4)]


@pytest.fixture(scope="session")
def learned(normal: list[NormalVideo], grid: PlaceGrid) -> CueModel:
    """What is learned of them; tests leave it as it is."""
    return learn_cues(normal, grid, ["movement", "appearance"], lambda done: None)


@pytest.fixture(scope="session")
def as_sized() -> Callable[..., list[SizedFrame]]:
    """Makes of pixels what cues are given."""

    def sized(
        frames: Pixels, *, bad: tuple[int, ...] = (), ignored: NDArray[np.bool_] | None = None
    ) -> list[SizedFrame]:
        found = []
        for number, pixels in enumerate(frames):
            frame = Frame(number, number / 10, None)
            bare = SizedFrame(frame, None)
            found.append(bare if number in bad else SizedFrame.ignoring(frame, pixels, ignored))
        return found

    return sized
