"""Callbacks of training: progress, weights and state on disk, the table of metrics, the time limit."""

import csv
import time
from pathlib import Path
from typing import Any

import lightning as L
import torch

from maskedskipunet.errors import RunError
from maskedskipunet.files import atomic_write
from maskedskipunet.model.storage import write_model_folder, write_weights
from maskedskipunet.progress import Advance, Progress
from maskedskipunet.runs import RunFolder, write_csv, write_json
from maskedskipunet.training.module import TrainingModule

COLUMNS = ("epoch", "step", "train_loss", "holdback_loss", "seconds", "waiting_s")
SHORT_WAIT_S = 3.0  # a person waits this long without a message


class ShowProgress(L.Callback):
    """Reports each step to a progress display, in batches, and each epoch's loss."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        epochs = (trainer.max_epochs or 0) - trainer.current_epoch
        self._stage = self.progress.stage("training", int(trainer.num_training_batches) * epochs, "steps")
        self._advance: Advance = self._stage.__enter__()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any) -> None:
        self._advance(1)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        losses = [
            f"{name.replace('_', ' ')} {float(trainer.callback_metrics[key]):.5f}"
            for name, key in (("train_loss", "train_loss_epoch"), ("holdback_loss", "holdback_loss"))
            if key in trainer.callback_metrics
        ]
        self.progress.note(f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}: {', '.join(losses)}")

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._stage.__exit__(None, None, None)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        if hasattr(self, "_stage"):
            self._stage.__exit__(type(exception), exception, exception.__traceback__)


class KeepWeights(L.Callback):
    """After each epoch: its weights, the model folder, and one full state to resume from, each whole or not there."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        network, epoch = pl_module.network, trainer.current_epoch + 1
        weights = network.state_dict()
        write_weights(self.run.epoch_weights(epoch), network.config, network.input_format, weights)
        write_model_folder(self.run.model, network.config, network.input_format, weights)
        # The state comes last: whatever it says is done is on the disk.
        save_state(trainer, self.run.last_state)
        finished = trainer.should_stop or epoch == trainer.max_epochs
        write_json(self.run.progress, {"epochs_done": epoch, "finished": finished})


def save_state(trainer: L.Trainer, path: Path) -> None:
    """Write Lightning's full state to a temporary file, and move it into place when it is on disk."""
    with atomic_write(path) as part:
        trainer.save_checkpoint(part)


class MetricsTable(L.Callback):
    """`metrics.csv`, a row an epoch; a resumed training goes on below the epochs that it keeps.

    seconds: of the epoch. waiting_s: the part of it spent waiting for data.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[list[str]] = []

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.rows = [row for row in _rows(self.path) if int(row[0]) <= trainer.current_epoch]

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.began_s = self.idle_since_s = time.perf_counter()
        self.waiting_s = 0.0

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any) -> None:
        self.waiting_s += time.perf_counter() - self.idle_since_s

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any) -> None:
        self.idle_since_s = time.perf_counter()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        held_back = trainer.callback_metrics.get("holdback_loss")
        row = (
            trainer.current_epoch + 1,
            trainer.global_step,
            f"{float(trainer.callback_metrics['train_loss_epoch']):.6f}",
            "" if held_back is None else f"{float(held_back):.6f}",
            f"{time.perf_counter() - self.began_s:.2f}",
            f"{self.waiting_s:.2f}",
        )
        self.rows.append([str(value) for value in row])
        write_csv(self.path, COLUMNS, self.rows)


class TimeLimit(L.Callback):
    """Stops training after so many seconds, at the end of a step, and keeps the result."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self.spent_s = 0.0

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any) -> None:
        self.began_s = time.perf_counter()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any) -> None:
        self.spent_s += time.perf_counter() - self.began_s
        if self.spent_s >= self.limit_s:
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        return {"spent_s": self.spent_s}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.spent_s = state_dict["spent_s"]


class StopBetweenSteps(L.Callback):
    """Ends a training that a person interrupts, after the step in hand.

    An exception raised wherever Ctrl-C happens to strike may leave a lock taken for ever: a training was seen to wait
    for one that TensorBoard's queue had been interrupted in.
    """

    def __init__(self) -> None:
        self.asked = False
        self._began_s: float | None = None  # the step in hand
        self._length_s: float | None = None  # of the last whole step

    def stop_if_asked(self) -> None:
        if self.asked:
            raise KeyboardInterrupt

    def time_left(self) -> str:
        """Describe when the current step will end, for a message; empty if it ends at once."""
        if self._began_s is None:
            return ""
        if self._length_s is None:
            return ", the first, so how long it takes is not known yet"
        left_s = self._length_s - (time.perf_counter() - self._began_s)
        return "" if left_s < SHORT_WAIT_S else f", in about {readable_wait(left_s)}"

    def on_train_batch_start(self, *_: Any) -> None:
        self.stop_if_asked()
        self._began_s = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        if self._began_s is not None:
            self._length_s = time.perf_counter() - self._began_s
        self._began_s = None
        self.stop_if_asked()

    def on_validation_batch_end(self, *_: Any) -> None:
        self.stop_if_asked()


def readable_wait(seconds: float) -> str:
    """Return a time to wait, for people.

    >>> readable_wait(7.2), readable_wait(200)
    ('7 s', '3 minutes')
    """
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"


class StopOnNonFinite(L.Callback):
    """Ends a training with a non-finite loss or weights before they replace good ones; it is the first callback."""

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *args: Any) -> None:
        if trainer.global_step % 50 == 0 or trainer.is_last_batch:  # asking a GPU each step would hold it up
            loss = outputs["loss"] if isinstance(outputs, dict) else outputs
            if not torch.isfinite(loss):
                raise _non_finite_error(f"the loss is {float(loss)} at step {trainer.global_step}")

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # The loss was taken before the last step changed the weights, and a time limit may stop between two looks.
        if not all(torch.isfinite(weight).all() for weight in pl_module.state_dict().values()):
            raise _non_finite_error(f"the weights are no numbers any more at step {trainer.global_step}")


def _non_finite_error(fault: str) -> RunError:
    return RunError(fault, "training", "Use a smaller --training.learning_rate or --training.precision 32-true")


def _rows(path: Path) -> list[list[str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.reader(file))[1:]
