import json
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from maskedskipunet.data.config import DataConfig
from maskedskipunet.errors import ConfigError, DataError, DiskSpaceError, RunError, WeightsError
from maskedskipunet.model.config import InputFormat, NetworkConfig
from maskedskipunet.model.network import MaskedSkipUNet
from maskedskipunet.model.pretrained import load_model
from maskedskipunet.runs import RunFolder, find_run
from maskedskipunet.training.config import TrainConfig, TrainingConfig
from maskedskipunet.workflows import train as train_module
from maskedskipunet.workflows.train import initial_network, resume, train

STEPS = 3  # an epoch of the shared config
PUBLISHED = Path(__file__).parents[1] / "golden" / "reference_checkpoint_latent8.pt"

CHILD = """
import signal, sys
from pathlib import Path
import torch, yaml
from maskedskipunet.progress import Silent
from maskedskipunet.training.config import TrainConfig
from maskedskipunet.workflows.train import train
from contextlib import contextmanager

class Stuck(Silent):  # in the middle of its second epoch, until it is killed
    steps = 0

    @contextmanager
    def stage(self, title, total, unit="frames"):
        yield self.advance if title == "training" else lambda done: None

    def advance(self, done):
        self.steps += done
        if self.steps == 5:
            print("in the second epoch", file=sys.stderr, flush=True)
            signal.pause()

    def note(self, message):
        print(message.split(":")[0], file=sys.stderr, flush=True)

torch.set_num_threads(int(sys.argv[2]))
train(TrainConfig.from_dict(yaml.safe_load(Path(sys.argv[1]).read_text())), Stuck())
"""


def bits(path: Path) -> dict[str, bytes]:
    return {name: weight.numpy().tobytes() for name, weight in load_file(path).items()}


def same_weights(network: MaskedSkipUNet, other: MaskedSkipUNet) -> bool:
    weights, others = dict(network.named_parameters()), dict(other.named_parameters())
    return weights.keys() == others.keys() and all(torch.equal(weights[name], others[name]) for name in weights)


def losses(run: RunFolder) -> list[list[str]]:
    """Each row of `metrics.csv` but for what time it took."""
    return [line.split(",")[:4] for line in run.training_metrics.read_text().splitlines()]


def assert_same_end(run: RunFolder, reference: RunFolder) -> None:
    for epoch in (1, 2, 3):
        assert bits(run.epoch_weights(epoch)) == bits(reference.epoch_weights(epoch))
    assert bits(run.model / "model.safetensors") == bits(reference.epoch_weights(3))
    assert losses(run) == losses(reference)
    assert run.is_finished()


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def own(config: TrainConfig, tmp_path: Path) -> TrainConfig:
    """The shared config with a folder of runs of the test's own."""
    return replace(config, runs=tmp_path / "runs")


# What a run holds


def test_a_run_says_what_it_was_asked_and_is_the_latest(trained: RunFolder, config: TrainConfig) -> None:
    assert TrainConfig.from_dict(trained.read_config()) == config
    assert (config.runs / "latest").resolve() == trained.path.resolve()
    assert find_run(Path("latest"), config.runs).path == trained.path.resolve()
    assert set(json.loads(trained.environment.read_text())) >= {"packages", "processor", "instruction_set", "cores"}


def test_its_model_loads_with_the_size_it_looks_at(trained: RunFolder) -> None:
    for path in (trained.path, trained.model, trained.epoch_weights(3)):
        network = load_model(path)
        assert network.input_format == InputFormat(height_px=32, width_px=48, footage_fps=10)
        assert network.config == NetworkConfig(latent_dim=8, clip_length=3)


def test_the_same_seed_is_the_same_start_and_another_seed_another() -> None:
    start = initial_network(TrainConfig(model=NetworkConfig(latent_dim=8), seed=3))
    torch.manual_seed(99)
    before = torch.random.get_rng_state()

    assert same_weights(start, initial_network(TrainConfig(model=NetworkConfig(latent_dim=8), seed=3)))
    assert not same_weights(start, initial_network(TrainConfig(model=NetworkConfig(latent_dim=8), seed=4)))
    assert torch.equal(torch.random.get_rng_state(), before)


# Interrupted and resumed


def test_killed_in_its_second_epoch_and_resumed_it_ends_with_the_same_weights_and_lightning_said_nothing(
    own: TrainConfig, trained: RunFolder, tmp_path: Path
) -> None:
    asked = tmp_path / "asked.yaml"
    asked.write_text(json.dumps(own.to_dict()))
    command = [sys.executable, "-c", CHILD, str(asked), str(torch.get_num_threads())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr
        said = []
        for line in child.stderr:
            said.append(line.rstrip())
            if line.startswith("in the second epoch"):
                child.kill()
        assert child.stdout
        printed = child.stdout.read()
    assert (child.returncode, said[-2:], printed) == (-signal.SIGKILL, ["epoch 1 of 3", "in the second epoch"], "")
    assert all(line.startswith(("a clip of 3 frames spans ", "the footage is short (")) for line in said[:-2])

    run = RunFolder(own.runs / "001")
    assert json.loads(run.progress.read_text()) == {"epochs_done": 1, "finished": False}
    assert resume(run).path == run.path
    assert_same_end(run, trained)


def test_interrupted_in_its_second_epoch_and_resumed_it_ends_with_the_same_weights(
    own: TrainConfig, trained: RunFolder, listener: Any
) -> None:
    listener.at, listener.does = ("training", STEPS + 1), interrupt
    with pytest.raises(KeyboardInterrupt) as ended:
        train(own, listener)
    run = find_run(Path("latest"), own.runs)
    assert ended.value.__notes__ == [f"go on with `maskedskipunet train --resume {run.path}`"]
    resume(run, listener)

    assert ("training", 2 * STEPS, "steps") in listener.stages
    assert f"resuming {run.path}" in listener.notes
    assert_same_end(run, trained)


def test_interrupted_before_its_first_epoch_is_whole_it_starts_again_to_the_same_weights(
    own: TrainConfig, trained: RunFolder, listener: Any
) -> None:
    listener.at, listener.does = ("training", 2), interrupt
    with pytest.raises(KeyboardInterrupt) as ended:
        train(own, listener)
    run = find_run(Path("latest"), own.runs)
    command = f"`maskedskipunet train --resume {run.path}`"
    assert ended.value.__notes__ == [f"no epoch was finished: {command} starts again"]
    resume(run, listener)

    assert f"no epoch of {run.path} was finished: starting from the beginning" in listener.notes
    assert_same_end(run, trained)


def test_a_finished_run_is_not_trained_again(trained: RunFolder, listener: Any) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.path.rglob("*")}

    assert resume(trained, listener) is trained

    assert listener.notes == [f"{trained.path} is already trained"]
    assert {path: path.stat().st_mtime_ns for path in trained.path.rglob("*")} == before


def test_a_damaged_state_is_refused_and_stays(trained: RunFolder, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    shutil.copytree(trained.path, run.path)
    run.progress.write_text(json.dumps({"epochs_done": 1, "finished": False}))
    run.last_state.write_bytes(b"damaged")

    with pytest.raises(WeightsError, match=r"last\.ckpt: the state to resume from is damaged"):
        resume(run)

    assert run.last_state.read_bytes() == b"damaged"


def test_a_folder_without_a_config_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"config\.yaml"):
        resume(RunFolder(tmp_path))


# Refused and failed


@pytest.mark.parametrize("earlier", [True, False])
def test_a_training_that_fails_leaves_no_run_folder_and_latest_names_an_earlier_one(
    own: TrainConfig, trained: RunFolder, earlier: bool
) -> None:
    own.runs.mkdir()
    (own.runs / "no run").mkdir()
    if earlier:
        shutil.copytree(trained.path, own.runs / "001")
    exploding = replace(own, training=replace(own.training, learning_rate=1e36))

    with pytest.raises(RunError, match=r"Use a smaller --training\.learning_rate"):
        train(exploding)

    assert sorted(path.name for path in own.runs.iterdir()) == ["001", "latest", "no run"] if earlier else ["no run"]
    if earlier:
        assert (own.runs / "latest").readlink() == Path("001")


def test_a_failure_nobody_thought_of_leaves_no_run_folder_either(own: TrainConfig, listener: Any) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    listener.at, listener.does = ("training", 1), fail
    with pytest.raises(ZeroDivisionError):
        train(own, listener)

    assert list(own.runs.iterdir()) == []


def test_a_training_that_fails_later_keeps_what_it_learned(own: TrainConfig, trained: RunFolder, listener: Any) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    listener.at, listener.does = ("training", STEPS + 1), fail
    with pytest.raises(ZeroDivisionError):
        train(own, listener)

    run = find_run(Path("latest"), own.runs)
    assert bits(run.model / "model.safetensors") == bits(trained.epoch_weights(1))
    resume(run)
    assert_same_end(run, trained)


class Disk:
    """A disk with so much room."""

    def __init__(self, free: int) -> None:
        self.free = free


def test_checkpoints_that_will_not_fit_are_refused_before_the_first_step(
    own: TrainConfig, listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights_bytes = 4 * sum(weight.numel() for weight in initial_network(own).state_dict().values())
    many = replace(own, training=replace(own.training, epochs=100))
    train_module._clips(own, listener)  # decoded, so that the checkpoints alone need room
    monkeypatch.setattr("shutil.disk_usage", lambda place: Disk(100 * weights_bytes))

    with pytest.raises(DiskSpaceError, match=r"100 checkpoints and a state.*--runs"):
        train(many, listener)

    assert "training" not in [title for title, *_ in listener.stages]
    assert list(own.runs.iterdir()) == []


def test_what_is_on_the_disk_already_does_not_count_against_going_on(
    own: TrainConfig, trained: RunFolder, listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights_bytes = 4 * sum(weight.numel() for weight in initial_network(own).state_dict().values())
    listener.at, listener.does = ("training", STEPS + 1), interrupt
    with pytest.raises(KeyboardInterrupt):
        train(own, listener)
    monkeypatch.setattr("shutil.disk_usage", lambda place: Disk(6 * weights_bytes))  # two epochs and a state to come

    run = resume(find_run(Path("latest"), own.runs))

    assert_same_end(run, trained)


def test_a_gpu_that_is_not_there_is_refused_before_footage_is_looked_at(
    own: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    asked = replace(own, training=TrainingConfig(accelerator="gpu"), data=DataConfig(path=Path("nowhere")))

    with pytest.raises(ConfigError, match=r"training\.accelerator: there is no GPU"):
        train(asked)

    assert not own.runs.exists()


def test_footage_that_is_not_there_leaves_no_run_folder(own: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        train(replace(own, data=replace(own.data, path=tmp_path / "nowhere")))

    assert not own.runs.exists()


def test_a_name_that_is_taken_is_refused_and_that_run_stays(own: TrainConfig, trained: RunFolder) -> None:
    shutil.copytree(trained.path, own.runs / "mine")

    with pytest.raises(RunError, match=r"there is such a run already.*--resume"):
        train(replace(own, name="mine"))

    assert bits(own.runs / "mine" / "model" / "model.safetensors") == bits(trained.epoch_weights(3))


# From a trained model


def barely(config: TrainConfig, **changes: Any) -> TrainConfig:
    """One epoch at a rate at which no weight moves."""
    return replace(config, training=replace(config.training, epochs=1, learning_rate=1e-30), **changes)


@pytest.mark.parametrize("what", ["run", "link", "epoch"])
def test_it_starts_from_the_weights_named_and_takes_over_network_and_size(
    own: TrainConfig, trained: RunFolder, what: str
) -> None:
    start = {"run": trained.path, "link": trained.path.parent / "latest", "epoch": trained.epoch_weights(3)}[what]
    asked = replace(barely(own), model=NetworkConfig(), data=replace(own.data, height_px=256, width_px=256))

    run = train(replace(asked, start_from=start))

    assert same_weights(load_model(run.path), load_model(trained.path))
    assert load_model(run.path).input_format == InputFormat(height_px=32, width_px=48, footage_fps=10)
    resolved = TrainConfig.from_dict(run.read_config())
    assert (resolved.model, resolved.data.height_px) == (NetworkConfig(latent_dim=8, clip_length=3), 32)
    assert float(losses(run)[1][2]) < float(losses(trained)[1][2]), "it starts with what was learned"


def test_it_starts_from_a_published_checkpoint(own: TrainConfig) -> None:
    run = train(barely(own, model=NetworkConfig(), start_from=PUBLISHED))

    assert same_weights(load_model(run.path), load_model(PUBLISHED))
    assert load_model(run.path).input_format == InputFormat(height_px=32, width_px=48, footage_fps=10)


def test_the_same_network_may_be_named_and_another_size_chosen(own: TrainConfig, trained: RunFolder) -> None:
    config, network = train_module._start(
        replace(own, start_from=trained.path, data=replace(own.data, height_px=64, width_px=64))
    )

    assert same_weights(network, load_model(trained.path))
    assert network.training
    assert (config.data.height_px, config.data.width_px) == (64, 64)
    assert network.input_format == InputFormat(height_px=64, width_px=64)


@pytest.mark.parametrize("change", [{"latent_dim": 16}, {"variant": "two_masks"}, {"masked_weights": "frozen"}])
def test_another_network_than_the_one_named_is_refused(
    own: TrainConfig, trained: RunFolder, change: dict[str, Any]
) -> None:
    asked = replace(own, model=replace(own.model, **change), start_from=trained.path)

    with pytest.raises(ConfigError, match=r"another network \(masked_skips, latent_dim 8.*Leave --model"):
        train(asked)

    assert not own.runs.exists()


def test_latest_means_the_run_it_meant_when_training_began(own: TrainConfig, trained: RunFolder, listener: Any) -> None:
    shutil.copytree(trained.path, own.runs / "001")
    (own.runs / "latest").symlink_to("001")
    listener.at, listener.does = ("training", 1), interrupt
    with pytest.raises(KeyboardInterrupt):
        train(barely(own, start_from=own.runs / "latest"), listener)
    run = find_run(Path("latest"), own.runs)
    assert run.path.name == "002"

    resume(run)

    assert same_weights(load_model(run.path), load_model(trained.path))


# How long it will take


@pytest.mark.parametrize(
    ("latent_dim", "told"),
    [(8, r"takes about [\d,]+ hours here$"), (128, r"hours here; --model\.latent_dim 64 takes about [\d.]+ hours$")],
)
def test_a_training_of_hours_is_told_beforehand(
    own: TrainConfig, listener: Any, monkeypatch: pytest.MonkeyPatch, latent_dim: int, told: str
) -> None:
    monkeypatch.setattr("maskedskipunet.workflows.estimate.matrix_flops_per_s", lambda: 1e3)

    train_module._warn_of_hours(replace(own, model=NetworkConfig(latent_dim=latent_dim)), 100, listener)

    (note,) = listener.notes
    assert re.search(told, note)


def test_a_short_training_or_one_with_a_limit_is_not_warned_of(
    own: TrainConfig, listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskedskipunet.workflows.estimate.matrix_flops_per_s", lambda: 1e3)
    train_module._warn_of_hours(replace(own, training=replace(own.training, max_minutes=60)), 100, listener)
    monkeypatch.setattr("maskedskipunet.workflows.estimate.matrix_flops_per_s", lambda: 1e12)
    train_module._warn_of_hours(own, 100, listener)

    assert listener.notes == []


def test_two_processes_do_not_train_one_run(trained: RunFolder, config: TrainConfig, tmp_path: Path) -> None:
    run = RunFolder(Path(shutil.copytree(trained.path, tmp_path / "run")))
    hold = (
        "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); print('held', flush=True)"
    )
    code = f"{hold}; sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", code, run.path / ".lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunError, match="another process is training this run"):
            resume(run)
    finally:
        other.communicate()

    assert resume(run).path == run.path  # with the process its hold has ended
