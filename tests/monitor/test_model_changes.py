"""What is noticed of a model that changes while cameras are watched with it."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import maskedskipunet as msu
from maskedskipunet.cues.cue_model import CUES_NAME, CueModel
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.learning import learn_cues, with_reconstruction
from maskedskipunet.cues.normal_footage import NormalVideo
from maskedskipunet.detection.budget import AlarmSetting, Budget
from maskedskipunet.detection.calibration import CALIBRATION_NAME, Calibration
from maskedskipunet.detection.events import EventRule
from maskedskipunet.detection.reading import APPEARANCE, MOVEMENT
from maskedskipunet.model.config import InputFormat
from maskedskipunet.model.storage import rewrite_input_format
from maskedskipunet.monitor.model_changes import POLL_S, ModelChanges, ModelUpdate
from maskedskipunet.scoring.loading import with_other_cues
from maskedskipunet.scoring.scorer import Scorer

USUAL = Calibration.of({"a": np.array([0.1, 0.2, 0.3])})
FORMAT = InputFormat(height_px=32, width_px=48)

Look = Callable[[], ModelUpdate | None]


def at(threshold: float) -> Calibration:
    rule = EventRule(threshold=threshold, release=threshold)
    setting = AlarmSetting(rule, Budget(1, "hour"), 0.1, 8.0, 1, 0.0, 0.3, 24.0, 10.0, extrapolated=False)
    return replace(USUAL, alarm=setting)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    network = msu.create_model("autoencoder", latent_dim=8)
    network.input_format = FORMAT
    network.save_pretrained(tmp_path / "run" / "model")
    at(0.5).write(tmp_path / "run" / "model")
    return tmp_path / "run" / "model"


def looking(model: Path) -> Look:
    """A look that always comes late enough."""
    now_s = iter(np.arange(0.0, 1e4, POLL_S).tolist())
    return ModelChanges(model, lambda: float(next(now_s))).poll


def test_a_threshold_that_was_set_anew_is_told_once(folder: Path) -> None:
    poll = looking(folder.parent)
    assert poll() is None
    at(0.7).write(folder)
    assert poll() == ModelUpdate(at(0.7))
    assert poll() is None
    at(0.7).write(folder)  # the same once more
    assert poll() == ModelUpdate(at(0.7))


def test_it_is_not_looked_at_every_turn(folder: Path) -> None:
    now_s = [100.0]
    changes = ModelChanges(folder, lambda: now_s[0])
    at(0.7).write(folder)
    now_s[0] += POLL_S * 0.9
    assert changes.poll() is None
    now_s[0] += POLL_S * 0.2
    assert changes.poll() == ModelUpdate(at(0.7))


def test_what_is_damaged_or_gone_is_said_once_and_what_comes_then_is_taken(folder: Path) -> None:
    poll, path = looking(folder), folder / CALIBRATION_NAME
    path.write_text('{"format": 1, "videos": [')
    changed = poll()
    assert changed is not None
    assert changed.calibration is None
    assert "cannot read the calibration" in changed.reason
    assert changed.reason.endswith("alarms continue as before")
    assert poll() is None
    path.unlink()
    assert poll() == ModelUpdate(None, f"{path} no longer holds a threshold; alarms continue as before")
    USUAL.write(folder)
    assert poll() == ModelUpdate(None, f"{path} no longer holds a threshold; alarms continue as before")
    at(0.6).write(folder)
    assert poll() == ModelUpdate(at(0.6))


@pytest.mark.parametrize("what", ["weights", "ignored parts"])
def test_the_calibration_of_another_network_is_never_taken(folder: Path, what: str) -> None:
    poll = looking(folder)
    if what == "weights":
        msu.create_model("autoencoder", latent_dim=8).save_pretrained(folder)
    else:
        rewrite_input_format(folder, replace(FORMAT, ignore=("0%,0%,10%,10%",)))
    at(0.7).write(folder)
    changed = poll()
    assert changed is not None
    assert changed.calibration is None
    assert "restart watch" in changed.reason
    at(0.8).write(folder)
    assert poll() is None


def test_a_link_that_comes_to_mean_another_run_changes_nothing(folder: Path, tmp_path: Path) -> None:
    latest, other = tmp_path / "latest", tmp_path / "other"
    latest.symlink_to(folder.parent)
    poll = looking(latest)
    shutil.copytree(folder.parent, other)
    at(0.9).write(other / "model")
    latest.unlink()
    latest.symlink_to(other)
    assert poll() is None
    at(0.7).write(folder)
    assert poll() == ModelUpdate(at(0.7))


def test_weights_alone_never_change(folder: Path) -> None:
    assert looking(folder / "model.safetensors")() is None


def knowing(frames: np.ndarray, names: tuple[str, ...] = (MOVEMENT, APPEARANCE)) -> CueModel:
    """Cues that learned a picture, of which nothing is known but noise."""
    good, times = np.ones(len(frames), np.bool_), np.arange(len(frames)) / 10
    return learn_cues([NormalVideo("a", frames, times, good)], PlaceGrid.of_size(32, 48), names, lambda done: None)


NOISE = np.random.default_rng(0).integers(90, 110, (40, 3, 32, 48)).astype(np.uint8)


def test_cues_that_know_more_are_told_once_and_beside_a_new_threshold(folder: Path) -> None:
    cues = knowing(NOISE)
    cues.write(folder)
    poll = looking(folder)
    assert poll() is None
    cues.write(folder)
    changed = poll()
    assert changed is not None
    assert changed.cues is not None
    assert (changed.cues.names, changed.calibration, changed.reason) == ((MOVEMENT, APPEARANCE), None, "")
    assert poll() is None
    cues.write(folder)
    at(0.7).write(folder)
    changed = poll()
    assert changed is not None
    assert changed.cues is not None
    assert changed.calibration == at(0.7)


def test_cues_that_come_go_or_are_damaged_are_said_and_scores_go_on(folder: Path) -> None:
    poll, path = looking(folder), folder / CUES_NAME
    knowing(NOISE).write(folder)
    assert poll() == ModelUpdate(None, f"{folder} now has cues: restart watch to use it")
    path.write_bytes(b"no cues")
    changed = poll()
    assert changed is not None
    assert changed.cues is None
    assert "cannot read the model's cues" in changed.reason
    assert changed.reason.endswith("scores continue as before")
    path.unlink()
    assert poll() == ModelUpdate(None, f"{folder} no longer has cues: restart watch to use it")


def test_only_cues_of_the_same_names_size_and_network_take_the_place_of_others() -> None:
    cues = knowing(NOISE)
    scorer = Scorer(None, FORMAT, cues=cues.cues, fuse=cues.fusion)
    other = with_other_cues(scorer, knowing(NOISE + 1))
    assert other is not None
    assert other.cues[0] is not scorer.cues[0]
    assert with_other_cues(scorer, knowing(NOISE, (APPEARANCE,))) is None
    assert with_other_cues(scorer, with_reconstruction(cues, np.arange(9.0))) is None
    assert with_other_cues(scorer, replace(cues, smoothing_s=2.0)) is None
    assert with_other_cues(Scorer(None, InputFormat(height_px=48, width_px=32), cues=cues.cues), cues) is None
