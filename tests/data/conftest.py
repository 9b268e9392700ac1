"""What tests of video share: films whose pictures say their own number, made in any container and codec."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

SIDE_PX = 64
MILLISECOND = Fraction(1, 1000)


def numbered_image(number: int, side_px: int = SIDE_PX, noise: int = 0) -> NDArray[np.uint8]:
    """A picture of eight tiles, white for a 1 in the number's bits: it survives any codec. noise: to fill packets."""
    tiles = np.array([number >> bit & 1 for bit in range(8)], np.uint8).reshape(2, 4) * 255
    image = np.kron(tiles, np.ones((side_px // 2, side_px // 4), np.uint8))[..., None].repeat(3, axis=2)
    if noise:
        grain = np.random.default_rng(number).integers(-noise, noise, image.shape)
        image = np.clip(image * 0.6 + 40 + grain, 0, 255).astype(np.uint8)
    return image


def shown_number(image: NDArray[np.uint8]) -> int:
    """The number that a picture of numbered_image says."""
    height_px, width_px = image.shape[0] // 2, image.shape[1] // 4
    means = image.mean(axis=2).reshape(2, height_px, 4, width_px).mean(axis=(1, 3)).ravel()
    return sum(1 << bit for bit, mean in enumerate(means) if mean > 127)


@dataclass(frozen=True, kw_only=True)
class Film:
    """How a film of numbered pictures is made."""

    codec: str = "libx264"
    frames: int = 12
    rate: float | Fraction = 10
    pts_ms: Sequence[int] | None = None
    b_frames: int = 2
    key_every: int = 100
    side_px: int = SIDE_PX
    noise: int = 0
    options: tuple[tuple[str, str], ...] = ()
    container_options: tuple[tuple[str, str], ...] = ()

    def write(self, path: Path) -> Path:
        with av.open(str(path), "w", options=dict(self.container_options)) as container:
            stream = container.add_stream(
                self.codec, rate=Fraction(self.rate).limit_denominator(9999), options=dict(self.options)
            )
            stream.width = stream.height = self.side_px
            stream.pix_fmt = "yuvj420p" if self.codec == "mjpeg" else "yuv420p"
            stream.gop_size = self.key_every
            if self.codec != "mjpeg":
                stream.max_b_frames = self.b_frames
            if self.pts_ms is not None:
                stream.time_base = stream.codec_context.time_base = MILLISECOND
            for number in range(self.frames):
                picture = av.VideoFrame.from_ndarray(numbered_image(number, self.side_px, self.noise), format="rgb24")
                if self.pts_ms is not None:
                    picture.pts, picture.time_base = self.pts_ms[number], MILLISECOND
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
        return path


@pytest.fixture(scope="session")
def film() -> type[Film]:
    return Film


@pytest.fixture(scope="session")
def number_of() -> Callable[[NDArray[np.uint8]], int]:
    return shown_number
