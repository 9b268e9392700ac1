"""Written videos. What writing refuses and how it cleans up stands in tests of what writes them."""

from pathlib import Path

import numpy as np

from maskedskipunet.data.video.encoding import VideoWriter


def write_noise(path: Path) -> bytes:
    """A noisy room through which something goes: x264 weighs its frames for prediction."""
    noise = np.random.default_rng(3)
    room = np.random.default_rng(1).integers(90, 130, (8, 12)).repeat(8, 0).repeat(8, 1)
    with VideoWriter(path, height_px=64, width_px=96, frame_rate=10) as writer:
        for number in range(100):
            frame = room + noise.normal(0, 3, room.shape)
            frame[34:46, 2 * number % 96 : 2 * number % 96 + 12] = 60
            writer.write(frame.clip(0, 255).astype(np.uint8)[..., None].repeat(3, 2))
    return path.read_bytes()


def test_the_same_frames_are_written_alike_each_time(tmp_path: Path) -> None:
    assert len({write_noise(tmp_path / "noise.mp4") for _ in range(20)}) == 1
