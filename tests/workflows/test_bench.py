import pytest

import maskedskipunet as msu
from maskedskipunet.errors import ConfigError
from maskedskipunet.model.config import InputFormat
from maskedskipunet.workflows import bench as module
from maskedskipunet.workflows.bench import Speed, bench

SMALL = InputFormat(height_px=32, width_px=32)


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    monkeypatch.setattr(module, "MEASURED_S", 0.0)


def test_each_network_is_measured_in_files_and_one_frame_at_a_time():
    found = bench((8, 16), SMALL, device="cpu")

    assert [(speed.name, speed.latent_dim) for speed in found] == [("latent 8", 8), ("latent 16", 16)]
    for speed in found:
        assert (speed.height_px, speed.width_px) == (32, 32)
        assert min(speed.prepare_s, speed.files_fps, speed.camera_fps, speed.camera_ms) > 0


def test_a_trained_model_is_measured_at_the_size_it_was_trained_at(tmp_path):
    network = msu.create_model("unet", latent_dim=8)
    network.input_format = InputFormat(height_px=48, width_px=64)
    network.save_pretrained(tmp_path / "mine")

    (speed,) = bench(model=tmp_path / "mine", device="cpu")

    assert (speed.name, speed.height_px, speed.width_px) == ("mine", 48, 64)


def test_a_network_that_cannot_be_is_refused_before_any_is_measured(monkeypatch):
    monkeypatch.setattr(module, "_measure", lambda *_: pytest.fail("measured"))

    with pytest.raises(ConfigError, match="12 is not a multiple of 8"):
        bench((8, 12), SMALL)


@pytest.mark.parametrize(
    ("fps", "ms", "expected"), [(25, 40, True), (24.9, 40, False), (30, 41, False), (30, 30, True)]
)
def test_it_keeps_up_when_its_mean_and_nearly_all_its_frames_do(fps, ms, expected):
    speed = Speed("latent 8", 8, 32, 32, 1.0, files_fps=100, camera_fps=fps, camera_ms=ms)

    assert speed.keeps_up(25) is expected
