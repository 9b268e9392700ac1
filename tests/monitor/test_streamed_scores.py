"""What `score` and `predict` make of a camera on loopback: the scores of its footage."""

from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch

import maskedskipunet as msu
from maskedskipunet.cli.main import main
from maskedskipunet.model.config import InputFormat
from maskedskipunet.workflows.detector import Detector, load_detector

Rtsp = Callable[..., Any]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = msu.create_model("masked_skips", latent_dim=8)
    network.input_format = InputFormat(height_px=32, width_px=48)
    folder = tmp_path_factory.mktemp("model") / "model"
    network.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def detector(model: Path) -> Detector:
    return load_detector(model, threshold=1.0)


def test_some_seconds_of_a_stream_score_as_the_file_does_and_its_password_is_shown_nowhere(
    rtsp: Rtsp,
    footage: Path,
    model: Path,
    detector: Detector,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGIN", "hunter2")
    server = rtsp(footage, speed=5, login="me:hunter2")
    url = server.url.replace("hunter2", "${LOGIN}")

    assert main(["score", url, "--model", str(model), "--seconds", "2", "--video"]) == 0

    told = capfd.readouterr()
    (folder,) = (tmp_path / "scores").iterdir()
    assert folder.name == f"127_0_0_1_{server.port}_live"
    assert "20 frames scored" in told.out
    table = pq.read_table(folder / "scores.parquet").to_pydict()
    expected = [result.score for result in detector.predict(footage)][:19]
    assert table["score"][:19] == [None if one is None else pytest.approx(one, abs=1e-6) for one in expected]
    assert "hunter2" not in told.out + told.err
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
    assert {path.name for path in folder.iterdir()} == {"scores.parquet", "scores.png", "comparison.mp4"}


def test_predict_gives_a_cameras_results_as_they_come_and_hangs_up_when_closed(
    rtsp: Rtsp, footage: Path, detector: Detector, make: Any
) -> None:
    server = rtsp(footage, speed=2)
    with closing(detector.predict(server.url, stream=True)) as results:
        seen = list(islice(results, 10))
        assert server.sent < 40  # the stream goes on

    expected = [result.score for result in detector.predict(footage)][:10]
    assert [result.score for result in seen] == [
        None if one is None else pytest.approx(one, abs=1e-6) for one in expected
    ]
    assert {result.source for result in seen} == {f"127_0_0_1_{server.port}_live"}
    make.wait_until(lambda: not server._open)


def test_predict_looks_at_a_camera_as_often_as_the_footage_that_was_trained_on(
    rtsp: Rtsp, footage: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = msu.create_model("masked_skips", latent_dim=8)
    network.input_format = InputFormat(height_px=32, width_px=48, footage_fps=5)
    network.save_pretrained(tmp_path / "model")
    server = rtsp(footage, speed=2)
    with closing(load_detector(tmp_path / "model", threshold=1.0).predict(server.url, stream=True)) as results:
        assert [result.index for result in islice(results, 5)] == [0, 2, 4, 6, 8]
