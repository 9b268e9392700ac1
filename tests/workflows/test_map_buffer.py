import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.errors import DiskSpaceError
from maskedskipunet.workflows import map_buffer as buffer_module
from maskedskipunet.workflows.map_buffer import MapBuffer


def scored(seed: int, channels: int = 3, size: tuple[int, int] = (16, 32)) -> FrameScore:
    generator = np.random.default_rng(seed)
    errors = generator.random(size, np.float32)
    return FrameScore(seed, seed / 10, 0.5, errors, generator.integers(0, 256, (channels, *size), np.uint8))


def open_buffer(folder: Path, *, channels: int = 3, frames: int = 100) -> MapBuffer:
    return MapBuffer(folder, frames=frames, height_px=16, width_px=32, channels=channels)


@pytest.mark.parametrize("channels", [1, 3])
def test_each_frame_gets_its_own_map_and_picture_back_in_any_order(tmp_path: Path, channels: int) -> None:
    found = {position: scored(position, channels) for position in (0, 1, 4, 9)}
    with open_buffer(tmp_path, channels=channels) as buffer:
        for position, frame in found.items():
            buffer.add(position, frame)

        for position in (9, 0, 4, 1, 1):
            picture, errors = buffer.read(position)
            frame = found[position]
            assert frame.map is not None
            assert frame.reconstruction is not None
            np.testing.assert_allclose(errors, frame.map, atol=5e-4)  # kept as float16
            expected = np.broadcast_to(frame.reconstruction.transpose(1, 2, 0), (16, 32, 3))
            np.testing.assert_array_equal(picture, expected)


def test_a_frame_without_a_score_has_nothing_to_draw(tmp_path: Path) -> None:
    with open_buffer(tmp_path) as buffer:
        buffer.add(0, FrameScore(0, 0.0, None))
        buffer.add(1, scored(1))

        assert buffer.read(0) == (None, None)
        assert buffer.read(7) == (None, None)
        assert buffer.read(1)[1] is not None


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=5), st.floats(0.01, 1))
def test_the_scale_covers_all_but_the_largest_thousandth(seeds: list[int], brightest: float) -> None:
    frames = [scored(seed, size=(32, 64)) for seed in seeds]
    maps = [(frame.map * np.float32(brightest)).astype(np.float32) for frame in frames if frame.map is not None]
    with MapBuffer(Path("/tmp"), frames=5, height_px=32, width_px=64, channels=3) as buffer:
        for position, (frame, errors) in enumerate(zip(frames, maps, strict=True)):
            buffer.add(position, FrameScore(frame.index, frame.time_s, 0.5, errors, frame.reconstruction))
        scale = buffer.error_scale()

    pixels = np.concatenate([errors.ravel() for errors in maps])
    assert (pixels <= scale).mean() >= 0.999
    assert (pixels <= scale - 2 / 4096).mean() < 0.999


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_the_scale_is_above_0_and_holds_the_largest_error_there_can_be(tmp_path: Path, level: float) -> None:
    with open_buffer(tmp_path) as buffer:
        assert buffer.error_scale() == 1
        buffer.add(0, FrameScore(0, 0.0, level, np.full((16, 32), level, np.float32), np.zeros((3, 16, 32), np.uint8)))

        assert level <= buffer.error_scale() <= 1
        assert buffer.error_scale() > 0


def test_it_leaves_no_file_and_needs_no_folder(tmp_path: Path) -> None:
    with open_buffer(tmp_path / "not" / "made") as buffer:
        buffer.add(0, scored(0))
        assert list(tmp_path.iterdir()) == []

    assert list(tmp_path.iterdir()) == []


def test_a_video_whose_maps_will_not_fit_is_refused_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 99 * 5 * 16 * 32

    monkeypatch.setattr("shutil.disk_usage", lambda place: Usage)

    with open_buffer(tmp_path, frames=99):
        pass
    with pytest.raises(DiskSpaceError, match=r"100 frames.*--videos false"):
        open_buffer(tmp_path, frames=100)


def test_a_disk_that_fills_up_meanwhile_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full")  # every write to it finds the disk full
    monkeypatch.setattr(buffer_module, "TemporaryFile", lambda **_: full.open("r+b"))

    with pytest.raises(DiskSpaceError, match=str(tmp_path)) as raised, open_buffer(tmp_path) as buffer:
        buffer.add(0, scored(0))

    cause: Any = raised.value.__cause__
    assert cause.errno == errno.ENOSPC


def test_a_map_without_a_reconstruction_is_kept_alone_and_scaled_by_what_it_may_reach(tmp_path: Path) -> None:
    errors = np.full((16, 32), 8.0, np.float32)
    with MapBuffer(tmp_path, frames=2, height_px=16, width_px=32, channels=3, highest=16.0) as buffer:
        buffer.add(0, FrameScore(0, 0.0, 8.0, errors))
        buffer.add(1, scored(1))

        picture, found = buffer.read(0)
        assert picture is None
        np.testing.assert_array_equal(found, errors)
        assert buffer.read(1)[0] is not None
        assert buffer.error_scale() == pytest.approx(8, abs=0.01)
