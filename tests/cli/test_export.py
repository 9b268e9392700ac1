"""`maskedskipunet export` and `score --model FILE`, as a person types them."""

import json
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from maskedskipunet.data.video.encoding import VideoWriter


@pytest.mark.parametrize(("format", "suffix"), [("onnx", ".onnx"), ("openvino", ".xml")])
def test_a_run_is_exported_and_its_file_scores_a_video_as_the_run(cli, run, make, place, format, suffix):
    make.video(place / "friday.mp4", frames=12)

    answer = cli("export", run, "--format", format, "--json", "told.json")

    assert answer.code == 0, answer.err
    file = place / "exports" / f"small-{format}" / f"model{suffix}"
    told = json.loads((place / "told.json").read_text())
    assert told["largest_relative_difference"] <= 1e-4
    assert answer.out.splitlines()[-1] == str(file.relative_to(place)) == told["file"]
    assert "movement and appearance are in cues.safetensors" in answer.out
    assert told["bytes"] == {path.name: path.stat().st_size for path in file.parent.iterdir()}
    tables = []
    for number, model in enumerate((run, file, file.parent)):
        scored = cli("score", "friday.mp4", "--model", model, "--out", f"out{number}")
        assert scored.code == 0, scored.err
        tables.append(pq.read_table(place / f"out{number}" / "scores.parquet"))
    wanted = tables[0].column("score").to_numpy()
    assert not np.isnan(wanted).all()
    for table in tables[1:]:
        np.testing.assert_allclose(table.column("score").to_numpy(), wanted, rtol=1e-4)
        assert table.column_names == tables[0].column_names


def test_many_videos_are_scored_again_where_the_exported_file_changed(cli, run, make, place):
    for name in ("a", "b"):
        make.video(place / "day" / f"{name}.mp4", frames=8)
    cli("export", run, "--format", "onnx", "--to", "onnx")

    for expected in ("", "2 videos finished before"):
        answer = cli("score", "day", "--model", "onnx/model.onnx", "--out", "scores")
        assert answer.code == 0, answer.err
        assert expected in answer.out


def test_what_cannot_be_exported_is_refused_in_one_line(cli, run, place, files, monkeypatch):
    (place / "taken").mkdir()
    (place / "taken" / "mine.txt").write_text("mine")
    (place / "model.pt2").write_bytes(b"PK")
    (place / "model.onnx").write_bytes(b"no graph")
    before = files()
    for arguments, fault in (
        (["nowhere", "--format", "onnx"], "no such model"),
        ([run], "--format"),
        ([run, "--format", "tflite"], "tflite"),
        ([run, "--format", "onnx", "--to", "taken"], "there is something of that name already"),
        ([run, "--format", "onnx", "--to", "a/model.onnx"], "Name a/model"),
        (["model.pt2", "--format", "onnx"], "an exported model is no network to load"),
        (["model.onnx", "--format", "onnx"], "an exported one already"),
    ):
        assert fault in cli("export", *arguments).refusal()
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert "pip install 'maskedskipunet[onnx]'" in cli("export", run, "--format", "onnx", "--to", "b").refusal()
    assert files() == before


def test_a_file_that_is_no_exported_model_is_refused_by_score_in_one_line(cli, make, place, monkeypatch):
    make.video(place / "friday.mp4")
    (place / "model.onnx").write_bytes(b"no graph")
    (place / "model.xml").write_text("<net/>")
    (place / "model.bin").write_bytes(b"")
    (place / "model.pt2").write_bytes(b"PK")
    for name, fault in (
        ("model.onnx", "ONNX Runtime cannot read the model"),
        ("model.xml", "OpenVINO cannot read the model"),
        ("model.pt2", "an exported model is no network to load"),
        ("other.onnx", "no such model"),
        ("other.xml", "no such model"),
    ):
        assert fault in cli("score", "friday.mp4", "--model", name).refusal()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    refusal = cli("score", "friday.mp4", "--model", "model.onnx").refusal()
    assert "needs onnxruntime. Install it with pip install 'maskedskipunet[onnx]'" in refusal


def test_an_exported_model_is_calibrated_and_tested_like_a_run(cli, run, make, footage, place):
    random = np.random.default_rng(0)
    with VideoWriter(place / "normal.mp4", height_px=32, width_px=48, frame_rate=0.25) as writer:
        for number in range(120):
            writer.write((80 + random.integers(0, 60 if number % 9 < 3 else 5, (32, 48, 3))).astype(np.uint8))
    assert cli("export", run, "--format", "onnx", "--to", "onnx").code == 0

    calibrated = cli("calibrate", "normal.mp4", "--model", "onnx/model.onnx", "--false-alarms-per-hour", 40)
    scored = cli("score", "normal.mp4", "--model", "onnx", "--json", "told.json")
    tested = cli("test", "onnx/model.onnx", "--data", footage, "--out", "tested")

    for answer in (calibrated, scored, tested):
        assert answer.code == 0, answer.err
    set_now = json.loads((place / "onnx" / "calibration.json").read_text())["alarm"]["rule"]["threshold"]
    assert json.loads((place / "told.json").read_text())["threshold"] == pytest.approx(set_now)
    assert json.loads((place / "tested" / "metrics.json").read_text())["runtime"] == "onnx"
