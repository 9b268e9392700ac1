import re

import pytest
import yaml

from maskedskipunet.model.pretrained import load_model
from maskedskipunet.runs import RunFolder
from maskedskipunet.training.config import TrainConfig


@pytest.fixture
def train(cli, footage, small, tmp_path_factory):
    """Calls `train` with tiny settings, its cache out of the way."""
    cache = tmp_path_factory.getbasetemp() / "frames-of-all"
    return lambda *more: cli("train", "--data", footage, *small, "--data.cache", cache, *more)


def test_a_run_is_made_and_the_next_step_told_as_it_can_be_typed(train, place):
    answer = train("--name", "a [red]ü")
    assert answer.code == 0
    assert answer.out == "trained: runs/a [red]ü\nnext: maskedskipunet test 'runs/a [red]ü'\n"
    assert re.search(r"^epoch 1 of 1: train loss 0\.\d{5}$", answer.err, re.MULTILINE)
    assert re.search(r"^training: 2 steps in [\d.]+ s$", answer.err, re.MULTILINE)
    assert load_model(place / "runs" / "latest").config.latent_dim == 8


def test_the_config_of_a_run_is_a_recipe_for_another(cli, run, place):
    again = cli("train", "--config", run / "config.yaml", "--runs", "runs", "--name", "again", "--seed", 5)
    assert (again.code, again.out.splitlines()[0]) == (0, "trained: runs/again")
    first, second = (yaml.safe_load((folder / "config.yaml").read_text()) for folder in (run, place / "runs" / "again"))
    assert second == first | {"runs": "runs", "name": "again", "seed": 5}


def test_a_finished_training_is_not_resumed_but_told(cli, run):
    answer = cli("train", "--resume", run)
    assert answer.code == 0
    assert answer.err == f"{run} is already trained\n"
    assert answer.out.startswith(f"trained: {run}\n")


def test_fine_tuning_takes_network_and_frame_size_from_the_model(cli, run, footage, place):
    answer = cli("train", "--from", run, "--data", footage, "--training.epochs", 1, "--data.cache", "frames")
    assert (answer.code, answer.out.splitlines()[0]) == (0, "trained: runs/001")
    config = TrainConfig.from_dict(RunFolder(place / "runs" / "001").read_config())
    assert (config.model.latent_dim, config.data.height_px, config.start_from) == (8, 32, run)


def test_bad_frames_are_skipped_when_asked_for_each_with_a_word(cli, make, place, small, caplog):
    make.images(place / "clips" / "a", 8)
    (place / "clips" / "a" / "001.png").write_bytes(b"")
    answer = cli("train", "--data=clips", "--data.cache=frames", "--on-bad-frame=skip", "--name=holes", *small)
    assert (answer.code, answer.out.splitlines()[0]) == (0, "trained: runs/holes")
    assert [message for message in caplog.messages if "001.png: frame 1 was skipped" in message]


def test_settings_larger_than_the_footage_are_no_fault(train, place):
    huge = 10**30
    answer = train("--training.batch_size", huge, "--data.max_frames", huge, "--training.max_minutes", 1e300)
    assert (answer.code, answer.out.splitlines()[0]) == (0, "trained: runs/001")


def test_a_training_that_comes_to_nothing_leaves_nothing(train, files):
    before = files()
    answer = train("--training.learning_rate", 1e37, "--training.epochs", 3, "--training.batch_size", 2)
    assert (answer.code, answer.out) == (2, "")
    assert (
        answer.err.splitlines()[-1].startswith("error: training: the loss is nan at step ") or "weights" in answer.err
    )
    assert files() - before <= {"runs"}
