import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from maskedskipunet.data.sources import Source
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.errors import CalibrationError
from maskedskipunet.model.config import InputFormat
from maskedskipunet.runs import RunFolder
from maskedskipunet.scoring.loading import calibration_of, load_scorer
from maskedskipunet.training.config import TrainConfig
from maskedskipunet.workflows.score import score
from maskedskipunet.workflows.scoring import score_video
from maskedskipunet.workflows.test import test as run_test
from maskedskipunet.workflows.train import resume, train


@pytest.fixture(scope="module")
def calibrated(config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A training that holds one of three videos back."""
    held = replace(config.data, holdback=0.34)
    return train(replace(config, data=held, runs=tmp_path_factory.mktemp("runs")))


def test_a_training_that_holds_videos_back_calibrates_its_model_on_them(calibrated: RunFolder, footage: Path) -> None:
    calibration = calibration_of(calibrated.path)
    scorer = load_scorer(calibrated.path, "cpu")
    assert scorer.input_format == InputFormat(height_px=32, width_px=48, footage_fps=10)
    scored = score_video("b", Source(path=footage / "normal" / "b.mp4"), scorer)

    assert calibration is not None
    assert (calibration.videos, calibration.frames) == (("b",), 6)
    np.testing.assert_allclose(calibration.levels, np.sort(scored.scores[1:-1]), rtol=1e-5)


def test_a_training_on_everything_leaves_its_model_without(trained: RunFolder) -> None:
    assert calibration_of(trained.path) is None


def test_weights_alone_have_no_calibration(calibrated: RunFolder) -> None:
    assert calibration_of(calibrated.epoch_weights(3)) is None


def test_a_training_that_was_cut_off_before_its_calibration_makes_up_for_it(
    calibrated: RunFolder, tmp_path: Path
) -> None:
    run = RunFolder(Path(shutil.copytree(calibrated.path, tmp_path / "run")))
    (run.model / "calibration.json").unlink()

    resume(run)

    assert calibration_of(run.path) == calibration_of(calibrated.path)


def test_grey_footage_calibrates_by_the_same_scores_as_are_found_later(
    config: TrainConfig, footage: Path, tmp_path: Path
) -> None:
    grey = replace(
        config,
        model=replace(config.model, channels=1),
        data=replace(config.data, holdback=0.34),
        training=replace(config.training, epochs=1),
        runs=tmp_path,
    )
    run = train(grey)
    scorer = load_scorer(run.path, "cpu")
    scored = score_video("b", Source(path=footage / "normal" / "b.mp4"), scorer)

    calibration = calibration_of(run.path)
    assert calibration is not None
    np.testing.assert_allclose(calibration.levels, np.sort(scored.scores[1:-1]), rtol=1e-5)


def test_testing_says_what_thresholds_without_labels_would_have_done(
    calibrated: RunFolder, config: TrainConfig, tmp_path: Path
) -> None:
    run = RunFolder(Path(shutil.copytree(calibrated.path, tmp_path / "run")))
    Calibration.of({"b": np.linspace(0, 1e-3, 200)}).write(run.model)

    result = run_test(run.path, config.data, run.path, with_videos=False)

    told = json.loads(run.metrics.read_text())["calibration"]
    scores = np.concatenate([video.scores for video in result.videos])
    labels = np.concatenate([video.labels for video in result.videos if video.labels is not None])
    assert (told["normal_frames"], told["normal_videos"]) == (200, ["b"])
    assert [row["normal_share"] for row in told["thresholds"]] == [0.05, 0.01]  # 200 frames cannot tell one in 1,000
    for row in told["thresholds"]:
        reached, scored = scores >= row["threshold"], ~np.isnan(scores)
        assert row["false_alarm_share"] == pytest.approx(reached[scored & (labels == 0)].mean())
        assert row["detected_share"] == pytest.approx(reached[scored & (labels == 1)].mean())


def test_a_damaged_calibration_is_told_before_anything_is_scored(
    calibrated: RunFolder, config: TrainConfig, footage: Path, tmp_path: Path
) -> None:
    run = RunFolder(Path(shutil.copytree(calibrated.path, tmp_path / "run")))
    (run.model / "calibration.json").write_text("{}")

    with pytest.raises(CalibrationError, match=r"calibration\.json: not a calibration"):
        run_test(run.path, config.data, run.path)
    with pytest.raises(CalibrationError, match=r"calibration\.json: not a calibration"):
        score(footage / "normal" / "b.mp4", run.path, tmp_path / "out")
    assert not run.scores.exists()
