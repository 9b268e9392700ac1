"""Learning a run's cues: in training, after an interruption, from other weights, and where footage is short."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskedskipunet.cues.cue_model import CUES_NAME, CueModel
from maskedskipunet.data.frames import Image
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.errors import CalibrationError, ConfigError, WeightsError
from maskedskipunet.runs import RunFolder
from maskedskipunet.scoring.loading import load_scorer
from maskedskipunet.training.config import TrainConfig
from maskedskipunet.workflows.ablate import ablate
from maskedskipunet.workflows.bench import bench
from maskedskipunet.workflows.fine_tuning import fine_tuned
from maskedskipunet.workflows.score import ScoreOptions, score
from maskedskipunet.workflows.train import resume, train

LEARNING = "learning movement and appearance"


def files(run: RunFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.model.iterdir()}


def write_video(path: Path, frames: list[Image]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, height_px=32, width_px=48, frame_rate=10) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def scene(count: int, seed: int = 0) -> list[Image]:
    random = np.random.default_rng(seed)
    return [(random.integers(0, 30, (32, 48, 3)) + 60).astype(np.uint8) for _ in range(count)]


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def cue_config(config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """Of a model without a network."""
    return replace(config, cues=("movement", "appearance"), runs=tmp_path_factory.mktemp("cue-runs"))


@pytest.fixture(scope="module")
def learned(cue_config: TrainConfig) -> RunFolder:
    """A run without a network that nothing interrupts; tests leave it as it is."""
    return train(replace(cue_config, name="whole"))


def test_a_run_has_all_cues_and_the_same_network_as_without_them(
    trained: RunFolder, trained_network: RunFolder, config: TrainConfig
) -> None:
    cues = CueModel.read(trained.model)

    assert cues is not None
    assert cues.names == config.cues == ("reconstruction", "movement", "appearance")
    assert CueModel.read(trained_network.model) is None
    ours, alone = files(trained), files(trained_network)
    assert ours.keys() - alone.keys() == {CUES_NAME}
    assert all(ours[name] == alone[name] for name in alone)


def test_a_run_without_a_network_has_cues_and_a_description_alone(learned: RunFolder) -> None:
    cues = CueModel.read(learned.model)

    assert cues is not None
    assert cues.names == ("movement", "appearance")
    assert files(learned).keys() == {CUES_NAME, "config.json"}
    assert learned.is_finished()
    assert not learned.last_state.exists()


def test_an_interruption_after_the_network_and_before_the_cues_changes_nothing(
    trained: RunFolder, config: TrainConfig, listener: Any, tmp_path: Path
) -> None:
    listener.at, listener.does = (LEARNING, 4), interrupt
    runs = tmp_path / "runs"
    with pytest.raises(KeyboardInterrupt):
        train(replace(config, runs=runs, name="broken"), listener)
    broken = RunFolder(runs / "broken")
    assert broken.is_finished()
    assert CUES_NAME not in files(broken)

    resume(broken, listener)

    assert files(broken) == files(trained)
    resume(broken, listener)
    assert listener.notes[-1].endswith("is already trained")


@pytest.mark.parametrize("step", [4, 24, 60])
def test_an_interruption_of_learning_cues_alone_changes_nothing(
    learned: RunFolder, cue_config: TrainConfig, listener: Any, tmp_path: Path, step: int
) -> None:
    listener.at, listener.does = (LEARNING, step), interrupt
    with pytest.raises(KeyboardInterrupt):
        train(replace(cue_config, runs=tmp_path, name="broken"), listener)

    resume(RunFolder(tmp_path / "broken"), listener)

    assert files(RunFolder(tmp_path / "broken")) == files(learned)


def test_each_look_at_the_footage_is_told(cue_config: TrainConfig, listener: Any, tmp_path: Path) -> None:
    train(replace(cue_config, runs=tmp_path), listener)

    title, total, _ = listener.stages[-1]
    assert title == LEARNING
    assert listener.done == total == 3 * 8 * 3 + 12  # three videos of 8 frames, looked at three times, a half again


def test_a_failure_leaves_no_run_without_a_network(cue_config: TrainConfig, listener: Any, tmp_path: Path) -> None:
    def fail() -> None:
        raise WeightsError("the disk is gone")

    listener.at, listener.does = (LEARNING, 4), fail
    with pytest.raises(WeightsError, match="gone"):
        train(replace(cue_config, runs=tmp_path, name="broken"), listener)

    assert not (tmp_path / "broken").exists()


def test_footage_too_short_for_cues_is_refused_before_the_network_is_trained(
    config: TrainConfig, listener: Any, tmp_path: Path
) -> None:
    write_video(tmp_path / "footage" / "normal" / "a.mp4", scene(3))
    short = replace(config, data=replace(config.data, path=tmp_path / "footage"), runs=tmp_path / "runs")

    with pytest.raises(CalibrationError, match="too little footage to learn movement and appearance"):
        train(short, listener)

    assert "training" not in [title for title, _, _ in listener.stages]
    assert not list((tmp_path / "runs").glob("*/"))
    assert train(replace(short, cues=("reconstruction",))).is_finished()


def test_the_networks_tails_are_of_what_was_held_back(config: TrainConfig, tmp_path: Path) -> None:
    held = replace(config, data=replace(config.data, holdback=0.3), runs=tmp_path)

    run = train(held)

    cues = CueModel.read(run.model)
    assert cues is not None
    assert cues.appearance is not None
    assert len({moment.video for moment in cues.appearance.moments}) == 2  # one of three videos is held back
    assert (run.model / "calibration.json").exists()
    shutil.copytree(run.path, tmp_path / "copy")
    (tmp_path / "copy" / "model" / CUES_NAME).unlink()
    (tmp_path / "copy" / "model" / "calibration.json").unlink()
    resume(RunFolder(tmp_path / "copy"))
    assert files(RunFolder(tmp_path / "copy")) == files(run)


def test_a_run_that_goes_on_from_another_learns_its_cues_anew(
    trained_network: RunFolder, config: TrainConfig, tmp_path: Path
) -> None:
    training = replace(config.training, epochs=1)
    run = train(replace(config, start_from=trained_network.path, training=training, runs=tmp_path))

    cues = CueModel.read(run.model)
    assert cues is not None
    assert cues.names == config.cues


def test_what_is_marked_as_normal_is_learned_by_the_cues_too(
    trained: RunFolder, footage: Path, listener: Any, tmp_path: Path
) -> None:
    runs = Path(shutil.copytree(trained.path, tmp_path / "runs" / "first"))
    marked = shutil.copy(footage / "test" / "01.mp4", tmp_path / "marked.mp4")

    options: dict[str, Any] = {"epochs": 1, "learning_rate": 1e-3, "device": "cpu", "progress": listener}
    with fine_tuned(RunFolder(runs), [Path(marked)], **options) as new:
        cues = CueModel.read(new.model)
    assert cues is not None
    assert cues.appearance is not None
    assert {moment.video for moment in cues.appearance.moments} == {"a", "b", "c", "marked"}
    before, after = (
        score(footage / "test" / "01.mp4", run.path, tmp_path / "scores").scored.cues["appearance"]
        for run in (trained, new)
    )
    assert after[4:7].max() < before[4:7].max()


def test_where_its_own_footage_is_gone_a_run_keeps_what_its_cues_know(
    trained: RunFolder, footage: Path, listener: Any, tmp_path: Path
) -> None:
    run = RunFolder(Path(shutil.copytree(trained.path, tmp_path / "runs" / "first")))
    settings = run.read_config()
    settings["data"]["path"] = str(tmp_path / "gone")
    run.write_config(settings)

    options: dict[str, Any] = {"epochs": 1, "learning_rate": 1e-3, "device": "cpu", "progress": listener}
    with fine_tuned(run, [footage / "test" / "01.mp4"], **options) as new:
        assert (new.model / CUES_NAME).read_bytes() == (run.model / CUES_NAME).read_bytes()


def test_what_needs_a_network_says_so_of_a_run_without_one(
    learned: RunFolder, config: TrainConfig, footage: Path, listener: Any, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"epochs": 1, "learning_rate": 1e-3, "device": "cpu", "progress": listener}

    def fine_tune() -> None:
        with fine_tuned(learned, [footage / "test" / "01.mp4"], **options):
            pass

    for use in (
        fine_tune,
        lambda: bench(model=learned.path),
        lambda: train(replace(config, start_from=learned.path, runs=tmp_path)),
    ):
        with pytest.raises(WeightsError, match="the model has no network, only cues"):
            use()
    with pytest.raises(ConfigError, match="a model without a network is not fine-tuned"):
        train(replace(config, start_from=learned.path, cues=("movement",), runs=tmp_path))
    with pytest.raises(ConfigError, match="no network that could compute in bfloat16"):
        score(footage / "test" / "01.mp4", learned.path, tmp_path / "out", ScoreOptions(precision="bfloat16"))
    assert not list(tmp_path.iterdir())


def test_variants_are_compared_by_their_own_scores(config: TrainConfig, tmp_path: Path) -> None:
    found = ablate(
        replace(config, training=replace(config.training, epochs=1), runs=tmp_path), ["autoencoder"], device="cpu"
    )

    assert not (found.folder / "autoencoder" / "model" / CUES_NAME).exists()
    assert load_scorer(found.folder / "autoencoder").cues == ()


def test_a_run_of_an_earlier_version_is_one_of_its_network_alone(trained_network: RunFolder, tmp_path: Path) -> None:
    run = RunFolder(Path(shutil.copytree(trained_network.path, tmp_path / "old")))
    settings = run.read_config()
    del settings["cues"]
    run.write_config(settings)

    resume(run)

    assert CUES_NAME not in files(run)
