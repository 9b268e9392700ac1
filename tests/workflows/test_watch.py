from pathlib import Path
from typing import Any

import pytest
import torch

import maskedskipunet as msu
from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.model.config import InputFormat
from maskedskipunet.monitor.camera import Patience
from maskedskipunet.workflows import watch as workflow


def watched_with(folder: Path, how: InputFormat, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> dict[str, Any]:
    """What a camera is watched with by a network that looks at frames so."""
    torch.manual_seed(0)
    network = msu.create_model("masked_skips", latent_dim=8)
    network.input_format = how
    network.save_pretrained(folder / "model")
    given: dict[str, Any] = {}
    monkeypatch.setattr(workflow, "watch", lambda *_, **settings: given.update(settings))
    cameras = {"door": CameraAddress.parse("rtsp://127.0.0.1:9/x")}
    workflow.watch_cameras(cameras, folder / "model", [], **settings)
    return given


@pytest.mark.parametrize(
    ("how", "asked", "expected"),
    [({"fps": 5.0}, None, 5.0), ({"footage_fps": 4.0}, None, 4.0), ({"fps": 5.0}, 2.0, 2.0)],
)
def test_cameras_are_held_against_the_rate_of_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: dict[str, float], asked: float | None, expected: float
) -> None:
    given = watched_with(tmp_path, InputFormat(height_px=32, width_px=48, **how), monkeypatch, fps=asked)
    assert given["config"].expected_fps == expected


@pytest.mark.parametrize(
    ("how", "stall_s"), [({"fps": 5.0}, 7.0), ({"fps": 0.05}, 60.0), ({"fps": 5.0, "stride": 50}, 30)]
)
def test_a_model_that_takes_few_frames_waits_longer_before_a_camera_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any], stall_s: float
) -> None:
    given = watched_with(
        tmp_path, InputFormat(height_px=32, width_px=48, **how), monkeypatch, patience=Patience(stall_s=7)
    )
    assert given["patience"].stall_s == stall_s
