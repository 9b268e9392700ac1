"""A model whose clips' frames lie apart: trained, stored, scored, watched and trained on with its spacing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskedskipunet.data.sources import Source
from maskedskipunet.errors import ConfigError, DataError
from maskedskipunet.inference.prepare import prepare
from maskedskipunet.input_format import InputFormat
from maskedskipunet.model.pretrained import load_model
from maskedskipunet.progress import Silent
from maskedskipunet.runs import RunFolder
from maskedskipunet.scoring.loading import load_scorer
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.training.config import TrainConfig
from maskedskipunet.workflows.detector import load_detector
from maskedskipunet.workflows.footage import training_clips
from maskedskipunet.workflows.score import score
from maskedskipunet.workflows.test import test as run_test
from maskedskipunet.workflows.train import clip_span, train
from maskedskipunet.workflows.watch import WatchPlan

SPACING = 2


@pytest.fixture(scope="module")
def spaced(config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A training on clips of every second frame, calibrated on one held-back video."""
    data = replace(config.data, spacing=SPACING, holdback=0.34)
    training = replace(config.training, epochs=1)
    return train(replace(config, data=data, training=training, runs=tmp_path_factory.mktemp("spaced")))


def test_the_spacing_is_stored_with_the_model_and_its_run(spaced: RunFolder) -> None:
    assert json.loads((spaced.model / "config.json").read_text())["input"]["spacing"] == SPACING
    assert load_scorer(spaced.path, "cpu").geometry.half_span == SPACING
    assert TrainConfig.from_dict(spaced.read_config()).data.spacing == SPACING
    assert load_model(spaced.epoch_weights(1)).input_format == InputFormat(
        height_px=32, width_px=48, footage_fps=10, spacing=SPACING
    )


def test_a_model_without_a_spacing_is_written_as_it_was_before(trained: RunFolder) -> None:
    assert "spacing" not in json.loads((trained.model / "config.json").read_text())["input"]


def test_it_is_scored_as_the_footage_of_every_second_frame(spaced: RunFolder, footage: Path, tmp_path: Path) -> None:
    video = footage / "test" / "01.mp4"
    network = load_model(spaced.path)
    frames = [*Source(path=video).frames()]
    expected = np.full(len(frames), np.nan)
    for first in range(SPACING):
        alone = Scorer(prepare(network, "cpu"), InputFormat(height_px=32, width_px=48)).score(frames[first::SPACING])
        expected[first::SPACING] = [np.nan if found.score is None else found.score for found in alone]

    scored = score(video, spaced.path, tmp_path).scored

    assert np.isnan(scored.scores).tolist() == [index < 2 or index >= len(frames) - 2 for index in range(len(frames))]
    np.testing.assert_allclose(scored.cues["reconstruction"], expected, rtol=1e-5)
    detector = load_detector(spaced.path)
    assert (detector.clip_length, detector.late_frames) == (3, SPACING)


def test_testing_says_the_spacing(spaced: RunFolder, config: TrainConfig, tmp_path: Path) -> None:
    assert run_test(spaced.path, config.data, tmp_path, with_videos=False).metrics["spacing"] == SPACING


def test_training_clips_hold_frames_that_lie_apart(config: TrainConfig) -> None:
    def batch(spacing: int) -> np.ndarray:
        data = replace(config.data, spacing=spacing)
        geometry = data.input_format.clip_geometry(3)
        clips, _ = training_clips(data, data.input_format, geometry=geometry, channels=3, progress=Silent())
        return clips.batch(range(len(clips)))

    near, apart = batch(1), batch(3)
    assert (len(near), len(apart)) == (3 * 6, 3 * 2)  # three videos of eight frames
    for number in range(3):
        frames = np.concatenate([near[6 * number, :1], near[6 * number : 6 * number + 6, 1], near[6 * number + 5, 2:]])
        np.testing.assert_array_equal(apart[2 * number], frames[[0, 3, 6]])
        np.testing.assert_array_equal(apart[2 * number + 1], frames[[1, 4, 7]])


def test_a_training_that_goes_on_from_it_takes_its_spacing_over(
    config: TrainConfig, spaced: RunFolder, tmp_path: Path
) -> None:
    training = replace(config.training, epochs=1)
    data = replace(config.data, height_px=256, width_px=256)
    run = train(replace(config, data=data, training=training, start_from=spaced.path, runs=tmp_path))

    assert load_scorer(run.path, "cpu").geometry.spacing == SPACING


def test_a_run_of_an_earlier_version_has_a_spacing_of_one(trained: RunFolder) -> None:
    values = trained.read_config()
    del values["data"]["spacing"]

    assert TrainConfig.from_dict(values) == TrainConfig.from_dict(trained.read_config())


def test_footage_that_is_too_short_for_the_spacing_is_refused_in_one_line(config: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no 3 good frames lie 4 frames apart .*smaller --data\.spacing"):
        train(replace(config, data=replace(config.data, spacing=4), runs=tmp_path))
    with pytest.raises(ConfigError, match=r"data\.spacing"):
        replace(config.data, spacing=0)
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_is_too_short_for_the_spacing_is_refused_and_nothing_is_written(
    spaced: RunFolder, footage: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for file in spaced.model.iterdir():
        (model / file.name).write_bytes(file.read_bytes())
    told = json.loads((model / "config.json").read_text())
    told["input"]["spacing"] = 6
    (model / "config.json").write_text(json.dumps(told))

    with pytest.raises(DataError, match=r"no 3 good frames lie 6 frames apart in it \(12 frames\)"):
        score(footage / "test" / "01.mp4", model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_time_a_clip_spans_is_told(config: TrainConfig, listener: Any, tmp_path: Path) -> None:
    data = replace(config.data, spacing=3)
    assert clip_span(replace(config, data=data)) == "a clip of 3 frames, each 3 after the one before, spans 0.60 s"
    assert clip_span(replace(config, data=replace(config.data, stride=2))) == "a clip of 3 frames spans 0.40 s"

    train(replace(config, training=replace(config.training, epochs=1), runs=tmp_path), listener)
    assert "a clip of 3 frames spans 0.20 s" in listener.notes


def test_watching_says_how_much_later_scores_arrive() -> None:
    plan = WatchPlan(["door"], late_frames=4, fps=8.0, stride=2)

    assert plan.describe().endswith("scores arrive 4 frames (1.00 s) plus computing time later")
