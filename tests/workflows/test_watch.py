from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import maskedskipunet as msu
from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.detection.budget import AlarmSetting, Budget
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.events import EventRule
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.model.config import InputFormat
from maskedskipunet.monitor.camera import ReconnectPolicy
from maskedskipunet.monitor.monitor_events import Alarm, MonitorEvent, ScoredFrame
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
    workflow.watch_cameras(cameras, folder / "model", [], workflow.WatchOptions(**settings))
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
        tmp_path,
        InputFormat(height_px=32, width_px=48, **how),
        monkeypatch,
        reconnect_policy=ReconnectPolicy(stall_s=7),
    )
    assert given["reconnect_policy"].stall_s == stall_s


def test_alarms_of_a_file_are_timed_by_the_speed_it_is_played_at_and_those_of_a_camera_never(
    tmp_path: Path, footage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began_unix_s, speed, model = 1_772_355_600.0, 4.0, tmp_path / "model"
    network = msu.create_model("masked_skips", latent_dim=8)
    network.input_format = InputFormat(height_px=32, width_px=48)
    network.save_pretrained(model)
    rule = EventRule(threshold=0.5, release=0.5, shortest_s=0.3)
    setting = AlarmSetting(rule, Budget(1, "day"), 0.1, 1.0, 0, 0.0, 0.1, 24.0, 240.0, extrapolated=True)
    replace(Calibration.of({"room": np.linspace(0, 1, 50)}), alarm=setting).write(model)

    def watch(sources: Any, scorer: Any, listener: Any, **_: Any) -> None:
        """Ten frames a second; an event begins with the tenth and is told of three later."""
        for camera, passes in (("file", speed), ("live", 1.0)):
            for at, score in enumerate([0.1] * 10 + [0.9] * 5):
                frame = FrameScore(at, at / 10, score)
                listener(ScoredFrame(camera, frame, began_unix_s + at / 10 / passes, 0.1, False, 32, 48))

    monkeypatch.setattr(workflow, "watch", watch)
    video = footage / "test" / "01.mp4"
    cameras = {"file": CameraAddress.parse(str(video)), "live": CameraAddress.parse("rtsp://127.0.0.1:9/x")}
    heard: list[MonitorEvent] = []
    workflow.watch_cameras(cameras, model, [heard.append], workflow.WatchOptions(speed=speed))
    begun = {
        event.camera: event.began_unix_s for event in heard if isinstance(event, Alarm) and event.update.phase == "new"
    }
    assert begun == pytest.approx({"file": began_unix_s + 0.25, "live": began_unix_s + 1.0}, abs=1e-3)
