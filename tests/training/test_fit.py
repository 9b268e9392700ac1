import csv
import errno
import json
import os
import pickle
import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from lightning.fabric.utilities.rank_zero import rank_zero_only
from safetensors.torch import load_file

from maskedskipunet.clip_geometry import ClipGeometry
from maskedskipunet.data.clips import Clips
from maskedskipunet.errors import DiskSpaceError, RunError, WeightsError
from maskedskipunet.model.config import NetworkConfig
from maskedskipunet.model.network import MaskedSkipUNet
from maskedskipunet.model.pretrained import load_model
from maskedskipunet.model.score import reconstruction_loss
from maskedskipunet.progress import Advance, Silent
from maskedskipunet.runs import RunFolder
from maskedskipunet.training import callbacks
from maskedskipunet.training.config import TrainingConfig
from maskedskipunet.training.fit import fit
from maskedskipunet.training.one_process import in_one_process

EPOCHS, STEPS = 3, 3  # of the clips in conftest.py, four a step
NO_CLIPS = Clips.of([], ClipGeometry(3))


class Listener(Silent):
    """Hears what is said, and does something in the middle of training: after so many steps in all."""

    def __init__(self, at_step: int = 0, does: Callable[[], Any] = lambda: None) -> None:
        self.at_step, self.does = at_step, does
        self.steps = 0
        self.notes: list[str] = []
        self.totals: list[int] = []

    @contextmanager
    def stage(self, title: str, total: int, unit: str = "frames") -> Iterator[Advance]:
        self.totals.append(total)
        yield self._advance

    def note(self, message: str) -> None:
        self.notes.append(message)

    def _advance(self, done: int) -> None:
        self.steps += done
        if self.steps == self.at_step:
            self.does()


def new_network(**settings: Any) -> MaskedSkipUNet:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return MaskedSkipUNet(NetworkConfig(latent_dim=8, **settings))


class Training:
    """A training of a network that always starts from the same weights, interrupted and resumed at will."""

    def __init__(self, run: RunFolder, train: Clips, holdback: Clips = NO_CLIPS, **settings: Any) -> None:
        self.run, self.train, self.holdback = run, train, holdback
        self.config = TrainingConfig(**{"epochs": EPOCHS, "batch_size": 4, "accelerator": "cpu"} | settings)
        self.network = new_network()

    def start(self, progress: Listener | None = None, *, seed: int = 0, resume: bool = False) -> Listener:
        progress = progress or Listener()
        fit(
            self.network,
            self.train,
            self.holdback,
            self.config,
            self.run,
            seed=seed,
            progress=progress,
            resume=resume,
        )
        return progress

    def resume(self) -> Listener:
        self.network = new_network()
        return self.start(resume=True)

    def break_off(self, at_step: int, does: Callable[[], Any]) -> Listener:
        listener = Listener(at_step, does)
        with pytest.raises(KeyboardInterrupt):
            self.start(listener)
        return listener


def weights(run: RunFolder, epoch: int = EPOCHS) -> dict[str, bytes]:
    """Every weight after an epoch, bit by bit."""
    return bits(run.epoch_weights(epoch))


def bits(path: Path) -> dict[str, bytes]:
    return {name: weight.numpy().tobytes() for name, weight in load_file(path).items()}


def table(run: RunFolder) -> list[dict[str, str]]:
    """`metrics.csv` without what time it took."""
    with run.training_metrics.open(newline="") as file:
        return [{name: row[name] for name in callbacks.COLUMNS[:4]} for row in csv.DictReader(file)]


def said(run: RunFolder) -> dict[str, Any]:
    return dict(json.loads(run.progress.read_text()))


def assert_same_end(run: RunFolder, reference: RunFolder) -> None:
    for epoch in range(1, EPOCHS + 1):
        assert weights(run, epoch) == weights(reference, epoch)
    assert bits(run.model / "model.safetensors") == weights(reference)
    assert table(run) == table(reference)
    assert said(run) == {"epochs_done": EPOCHS, "finished": True}
    assert [path.name for path in run.path.rglob("*.part")] == []


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def terminate() -> None:
    signal.raise_signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, train_clips: Clips, holdback_clips: Clips) -> RunFolder:
    """A training that nothing interrupts."""
    run = RunFolder(tmp_path_factory.mktemp("reference"))
    Training(run, train_clips, holdback_clips).start()
    return run


@pytest.fixture
def training(run: RunFolder, train_clips: Clips, holdback_clips: Clips) -> Training:
    return Training(run, train_clips, holdback_clips)


# What a training leaves


def test_every_epoch_leaves_weights_that_load_and_the_model_folder_holds_the_last(reference: RunFolder) -> None:
    first, last = (load_model(reference.epoch_weights(epoch)).state_dict() for epoch in (1, EPOCHS))
    model = load_model(reference.model)

    assert model.config == NetworkConfig(latent_dim=8, clip_length=3)
    assert all(torch.equal(weight, last[name]) for name, weight in model.state_dict().items())
    assert not all(torch.equal(weight, last[name]) for name, weight in first.items())
    assert {path.name for path in reference.checkpoints.iterdir()} == {
        "last.ckpt",
        *(f"epoch_{epoch:02d}.safetensors" for epoch in range(1, EPOCHS + 1)),
    }


def test_no_file_of_a_run_is_named_after_the_machine(reference: RunFolder) -> None:
    names = [path.name for path in reference.path.rglob("*")]
    assert any("tfevents" in name for name in names)
    assert not [name for name in names if socket.gethostname() in name.split(".")]


def test_the_table_has_a_row_an_epoch_with_the_loss_on_what_is_held_back(reference: RunFolder) -> None:
    rows = table(reference)

    assert [(row["epoch"], row["step"]) for row in rows] == [
        (str(epoch), str(STEPS * epoch)) for epoch in range(1, EPOCHS + 1)
    ]
    losses = [(float(row["train_loss"]), float(row["holdback_loss"])) for row in rows]
    assert losses[-1][0] < losses[0][0]
    assert all(0 < loss < 1.8 for pair in losses for loss in pair)


def test_the_loss_on_what_is_held_back_is_that_of_the_epochs_weights(
    reference: RunFolder, holdback_clips: Clips
) -> None:
    from maskedskipunet.training.module import TrainingModule

    for epoch, row in enumerate(table(reference), 1):
        module = TrainingModule(load_model(reference.epoch_weights(epoch)), learning_rate=1)
        batch = torch.from_numpy(holdback_clips.batch(range(len(holdback_clips))))
        with torch.inference_mode():
            clip, target = module._clip_and_target(batch)
            loss = reconstruction_loss(target, module.network(clip))
        assert float(row["holdback_loss"]) == pytest.approx(float(loss), abs=1e-6)


def test_without_holdback_its_column_is_empty_and_the_weights_are_the_same(
    run: RunFolder, train_clips: Clips, reference: RunFolder
) -> None:
    heard = Training(run, train_clips).start()

    assert {row["holdback_loss"] for row in table(run)} == {""}
    assert weights(run) == weights(reference), "what is held back is not trained on"
    assert not any("holdback" in note for note in heard.notes)


def test_each_epoch_is_told_with_its_losses_and_each_step_is_counted(training: Training) -> None:
    heard = training.start()

    rows = table(training.run)
    assert heard.totals == [EPOCHS * STEPS]
    assert heard.steps == EPOCHS * STEPS
    assert len(heard.notes) == EPOCHS
    for number, (note, row) in enumerate(zip(heard.notes, rows, strict=True), 1):
        told = re.fullmatch(rf"epoch {number} of {EPOCHS}: train loss ([0-9.]+), holdback loss ([0-9.]+)", note)
        assert told
        assert [float(loss) for loss in told.groups()] == pytest.approx(
            [float(row["train_loss"]), float(row["holdback_loss"])], abs=1e-5
        )


def test_lightning_itself_says_nothing(
    training: Training, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    training.start()

    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_the_same_seed_gives_the_same_weights_whatever_else_was_random(
    training: Training, reference: RunFolder
) -> None:
    torch.manual_seed(99)
    np.random.seed(99)
    training.start()

    assert_same_end(training.run, reference)


def test_another_seed_is_another_order_of_clips_and_so_other_weights(training: Training, reference: RunFolder) -> None:
    training.start(seed=1)

    assert weights(training.run) != weights(reference)


def test_frozen_masked_kernels_stay_at_their_start_and_the_others_learn(run: RunFolder, train_clips: Clips) -> None:
    training = Training(run, train_clips, epochs=1)
    training.network = new_network(masked_weights="frozen")
    kernels = {f"skips.{level}.weight" for level in range(4)}
    start = {name: weight.clone() for name, weight in training.network.named_parameters()}
    training.start()

    learned = load_file(run.epoch_weights(1))
    assert {name for name in start if torch.equal(learned[name], start[name])} == kernels
    assert load_model(run.model).config.masked_weights == "frozen"


def test_the_cosine_schedule_ends_at_no_rate_and_survives_an_interruption(
    run: RunFolder, train_clips: Clips, tmp_path: Path
) -> None:
    whole = Training(RunFolder(tmp_path / "whole"), train_clips, schedule="cosine")
    whole.run.path.mkdir()
    whole.start()
    broken = Training(run, train_clips, schedule="cosine")
    broken.break_off(STEPS + 1, interrupt)
    broken.resume()

    state = torch.load(run.last_state, weights_only=True)
    assert state["optimizer_states"][0]["param_groups"][0]["lr"] == pytest.approx(0, abs=1e-12)
    assert_same_end(run, whole.run)


# Interrupted and resumed


MANY_PROCESSES = {
    "Slurm": {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "2", "SLURM_LOCALID": "2"},
    "LSF": {"LSB_JOBID": "9", "LSB_DJOB_RANKFILE": "missing", "JSM_NAMESPACE_RANK": "1", "JSM_NAMESPACE_SIZE": "2"},
    "torchrun": {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "GROUP_RANK": "1", "TORCHELASTIC_RUN_ID": "x"},
    "Kubeflow": {"KUBERNETES_PORT": "x", "MASTER_ADDR": "m", "MASTER_PORT": "1", "WORLD_SIZE": "2", "RANK": "1"},
    "Open MPI": {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2", "PMI_RANK": "1"},
    "no rank": {"RANK": "", "LOCAL_RANK": "none"},
    "Lightning": {"PL_TRAINER_MAX_EPOCHS": "1", "PL_TRAINER_LIMIT_TRAIN_BATCHES": "1", "PL_TRAINER_NUM_NODES": "2"},
}


@pytest.mark.parametrize("launcher", MANY_PROCESSES)
def test_variables_that_launchers_and_schedulers_set_change_nothing(
    training: Training, reference: RunFolder, monkeypatch: pytest.MonkeyPatch, launcher: str
) -> None:
    for name, value in MANY_PROCESSES[launcher].items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)

    training.start()

    assert_same_end(training.run, reference)
    assert [*training.run.logs.glob("events.out.tfevents.*")]
    assert dict(os.environ) == before


def test_a_process_that_started_as_another_rank_keeps_its_logs(
    training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 3)  # as Lightning sets it where RANK is 3 when it is imported

    training.start()

    assert [*training.run.logs.glob("events.out.tfevents.*")]
    assert rank_zero_only.rank == 3


@pytest.mark.parametrize("variables", MANY_PROCESSES.values(), ids=MANY_PROCESSES)
def test_what_imports_lightning_hides_those_variables_too(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with in_one_process():
        seen = {name for name in variables if name in os.environ}

    assert seen <= {"KUBERNETES_PORT"}
    assert all(os.environ[name] == value for name, value in variables.items())


def test_training_leaves_the_callers_random_numbers_as_they_were(training: Training) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()

    training.start()

    assert torch.equal(torch.get_rng_state(), before)


def test_a_checkpoint_that_lightning_left_in_the_folder_one_works_in_is_not_started_from(
    training: Training, reference: RunFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "hpc_ckpt_1.ckpt").write_bytes(b"of an earlier version")
    (tmp_path / "own").mkdir()
    monkeypatch.chdir(tmp_path)
    for name, value in {"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "night"}.items():
        monkeypatch.setenv(name, value)
    training.run = RunFolder(tmp_path / "own")

    training.start()

    assert_same_end(training.run, reference)


@pytest.mark.parametrize("signalled", [interrupt, terminate])
def test_interrupted_in_its_second_epoch_it_ends_with_the_same_weights(
    training: Training, reference: RunFolder, signalled: Callable[[], None]
) -> None:
    training.break_off(STEPS + 2, signalled)
    assert said(training.run) == {"epochs_done": 1, "finished": False}
    heard = training.resume()

    assert heard.totals == [(EPOCHS - 1) * STEPS], "the first epoch is not trained again"
    assert heard.notes[0].startswith(f"epoch 2 of {EPOCHS}")
    assert_same_end(training.run, reference)


def test_interrupted_again_and_again_it_ends_with_the_same_weights(training: Training, reference: RunFolder) -> None:
    training.break_off(STEPS + 1, interrupt)
    training.network = new_network()
    with pytest.raises(KeyboardInterrupt):
        training.start(Listener(STEPS + 1, interrupt), resume=True)
    training.resume()

    assert_same_end(training.run, reference)


def test_interrupted_it_listens_to_the_next_interruption_too(training: Training) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    training.break_off(1, interrupt)

    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    with pytest.raises(KeyboardInterrupt):
        interrupt()


def test_the_step_in_hand_is_finished_and_a_second_interruption_ends_it_at_once(training: Training) -> None:
    struck = []

    def twice() -> None:
        interrupt()
        struck.append("first")
        interrupt()
        struck.append("second")

    training.break_off(2, twice)

    assert struck == ["first"]


def test_interrupted_it_says_what_it_waits_for(training: Training) -> None:
    heard = training.break_off(2, interrupt)

    assert heard.notes[-1] == "stopping after this step; Ctrl-C again stops at once"
    assert heard.steps == 2


def test_interrupted_in_a_long_step_it_says_how_long_the_step_still_takes(
    training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = iter(range(0, 10**9, 100))  # a hundred seconds pass between two looks
    monkeypatch.setattr(callbacks, "time", SimpleNamespace(perf_counter=lambda: next(now_s)))
    stop = callbacks.StopBetweenSteps()
    stop.on_train_batch_start()
    first = stop.time_left()
    next(now_s), next(now_s)
    stop.on_train_batch_end()
    stop.on_train_batch_start()

    assert first == ", the first, so how long it takes is not known yet"
    assert stop.time_left() == ", in about 3 minutes"
    stop.on_train_batch_end()
    assert stop.time_left() == ""


def test_a_scheduler_that_says_its_time_is_over_ends_it_after_the_step_with_no_checkpoint_of_others(
    training: Training, reference: RunFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for name, value in {"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "night", "SLURM_JOB_ID": "7"}.items():
        monkeypatch.setenv(name, value)

    heard = training.break_off(STEPS + 1, lambda: os.kill(os.getpid(), signal.SIGUSR1))

    assert heard.steps == STEPS + 1
    assert heard.notes[-1].startswith("stopping after this step")
    assert not [*tmp_path.rglob("hpc_ckpt*")]
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    training.resume()
    assert_same_end(training.run, reference)


def test_interrupted_in_its_first_epoch_there_is_nothing_to_resume(training: Training) -> None:
    training.break_off(2, interrupt)

    assert not training.run.progress.exists()
    with pytest.raises(RunError, match="no epoch was finished"):
        training.resume()


def test_interrupted_after_its_last_epoch_nothing_is_left_to_do(
    training: Training, reference: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(callbacks.ShowProgress, "on_train_end", lambda *_: interrupt())
        with pytest.raises(KeyboardInterrupt):
            training.start()
    heard = training.resume()

    assert heard.steps == 0
    assert_same_end(training.run, reference)


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_broken_off_between_an_epochs_weights_and_its_state_that_epoch_is_done_again(
    training: Training, reference: RunFolder, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    save = L.Trainer.save_checkpoint

    def fail_in_second_epoch(trainer: L.Trainer, path: Path, **options: Any) -> None:
        if trainer.current_epoch == 1:
            Path(path).write_bytes(b"half")
            raise fault
        save(trainer, path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(L.Trainer, "save_checkpoint", fail_in_second_epoch)
        expected = DiskSpaceError if isinstance(fault, OSError) else KeyboardInterrupt
        with pytest.raises(expected):
            training.start()
    assert training.run.epoch_weights(2).exists()
    assert said(training.run)["epochs_done"] == 1
    assert not [path for path in training.run.checkpoints.iterdir() if path.name.startswith(".")]
    training.resume()

    assert_same_end(training.run, reference)


def test_broken_off_between_a_state_and_the_word_of_it_nothing_is_done_twice(
    training: Training, reference: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_in_second_epoch(path: Path, content: dict[str, Any]) -> None:
        if content["epochs_done"] == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(callbacks, "write_json", fail_in_second_epoch)
        with pytest.raises(KeyboardInterrupt):
            training.start()
    heard = training.resume()

    assert heard.totals == [STEPS]
    assert_same_end(training.run, reference)


def test_what_a_killed_training_left_half_written_is_cleared_by_the_next(
    training: Training, reference: RunFolder
) -> None:
    training.break_off(STEPS + 1, interrupt)
    for folder in (training.run.checkpoints, training.run.model):
        (folder / ".something.12345.part").write_bytes(b"half")
    training.resume()

    assert_same_end(training.run, reference)


# States that cannot be resumed


class Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def plain_pickle(path: Path, mark: Path) -> None:
    path.write_bytes(pickle.dumps(Hostile(mark)))


def torch_pickle(path: Path, mark: Path) -> None:
    torch.save({"epoch": 0, "state_dict": {}, "hostile": Hostile(mark)}, path)


def cut_off(path: Path, mark: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path, mark: Path) -> None:
    path.write_bytes(b"")


def no_state(path: Path, mark: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, path)


def no_dict(path: Path, mark: Path) -> None:
    torch.save([1, 2, 3], path)


def of_another_network(path: Path, mark: Path) -> None:
    state = torch.load(path, weights_only=True)
    state["state_dict"] = {name: weight for name, weight in state["state_dict"].items() if "encoder" not in name}
    torch.save(state, path)


def of_another_optimizer(path: Path, mark: Path) -> None:
    state = torch.load(path, weights_only=True)
    state["optimizer_states"] = []
    torch.save(state, path)


@pytest.mark.parametrize(
    "damage",
    [plain_pickle, torch_pickle, cut_off, empty, no_state, no_dict, of_another_network, of_another_optimizer],
)
def test_a_state_that_is_damaged_or_hostile_is_refused_and_never_executed(
    training: Training, tmp_path_factory: pytest.TempPathFactory, damage: Callable[[Path, Path], None]
) -> None:
    training.break_off(STEPS + 1, interrupt)
    mark = tmp_path_factory.mktemp("marks") / "executed"
    damage(training.run.last_state, mark)
    kept = weights(training.run, 1), table(training.run)

    with pytest.raises(WeightsError, match=r"last\.ckpt") as refused:
        training.resume()

    assert not mark.exists()
    assert len(str(refused.value).splitlines()) == 1
    assert (weights(training.run, 1), table(training.run)) == kept


# Limits


def test_a_time_limit_stops_at_the_end_of_a_step_and_keeps_what_was_learned(training: Training) -> None:
    limited = Training(training.run, training.train, training.holdback, max_minutes=1e-9)
    start = limited.network.state_dict()["decoder.3.project.bias"].clone()
    heard = limited.start()

    assert heard.steps == 1
    assert heard.notes[1:] == [
        f"the limit was reached after 1 of {EPOCHS * STEPS} steps; longer training may score better"
    ]
    assert said(training.run) == {"epochs_done": 1, "finished": True}
    (row,) = table(training.run)
    assert (row["epoch"], row["step"]) == ("1", "1")
    assert float(row["holdback_loss"]) > 0
    assert not torch.equal(load_file(training.run.epoch_weights(1))["decoder.3.project.bias"], start)


def test_broken_off_when_its_time_was_up_it_counts_as_finished(
    run: RunFolder, train_clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks.ShowProgress, "on_train_end", lambda *_: interrupt())

    with pytest.raises(KeyboardInterrupt):
        Training(run, train_clips, max_minutes=1e-9).start()

    assert run.is_finished()


def count_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock on which every look takes a second: in a training that is the same each time."""
    seconds = iter(range(1_000_000))
    monkeypatch.setattr(callbacks, "time", SimpleNamespace(perf_counter=lambda: float(next(seconds))))


def test_time_spent_before_an_interruption_counts(
    run: RunFolder, train_clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count_seconds(monkeypatch)
    limit = {"epochs": 10, "max_minutes": 16 / 60}
    whole = Training(RunFolder(tmp_path / "whole"), train_clips, **limit)
    whole.run.path.mkdir()
    steps = whole.start().steps
    assert STEPS < steps < 10 * STEPS
    broken = Training(run, train_clips, **limit)
    broken.break_off(STEPS + 1, interrupt)
    resumed = broken.resume()

    assert resumed.steps == steps - STEPS
    assert table(run) == table(whole.run)
    assert weights(run, len(table(run))) == weights(whole.run, len(table(run)))


def poison(network: MaskedSkipUNet) -> None:
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))


@pytest.mark.parametrize("step", [STEPS + 1, 2 * STEPS])
def test_weights_that_are_no_numbers_end_a_training_before_they_replace_good_ones(
    training: Training, reference: RunFolder, step: int
) -> None:
    with pytest.raises(RunError, match=r"learning_rate"):
        training.start(Listener(step, lambda: poison(training.network)))

    assert said(training.run) == {"epochs_done": 1, "finished": False}
    assert not training.run.epoch_weights(2).exists()
    assert bits(training.run.model / "model.safetensors") == weights(reference, 1)
    assert table(training.run) == table(reference)[:1]
    training.resume()
    assert_same_end(training.run, reference)


def test_a_time_limit_does_not_keep_weights_that_are_no_numbers(run: RunFolder, train_clips: Clips) -> None:
    training = Training(run, train_clips, max_minutes=1e-9)

    with pytest.raises(RunError, match=r"learning_rate"):
        training.start(Listener(1, lambda: poison(training.network)))

    assert not run.last_state.exists()
    assert not run.model.exists()


def test_a_rate_that_blows_the_weights_up_is_told(run: RunFolder, train_clips: Clips) -> None:
    with pytest.raises(RunError, match=r"Use a smaller --training.learning_rate"):
        Training(run, train_clips, learning_rate=1e36).start()

    assert not run.last_state.exists()


def out_of_gpu_memory() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.mark.parametrize("allocate", [lambda: torch.empty(2**55), out_of_gpu_memory])
def test_want_of_memory_is_told_with_its_cure(
    run: RunFolder, train_clips: Clips, allocate: Callable[[], object]
) -> None:
    with pytest.raises(RunError, match=r"too little memory.*--training\.batch_size"):
        Training(run, train_clips).start(Listener(1, allocate))


def test_any_other_failure_is_not_taken_for_want_of_memory(run: RunFolder, train_clips: Clips) -> None:
    def fail() -> None:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        Training(run, train_clips).start(Listener(1, fail))
