"""Run Lightning's loop over a network and its clips, resumable, into a run folder."""

import logging
import signal
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException

from maskedskipunet.data.clips import Clips
from maskedskipunet.errors import RunError, WeightsError
from maskedskipunet.model.network import MaskedSkipUNet
from maskedskipunet.progress import Progress
from maskedskipunet.runs import RunFolder, write_json
from maskedskipunet.training.callbacks import (
    KeepWeights,
    MetricsTable,
    ShowProgress,
    StopBetweenSteps,
    StopOnNonFinite,
    TimeLimit,
)
from maskedskipunet.training.config import TrainingConfig
from maskedskipunet.training.data import ClipDataModule
from maskedskipunet.training.module import TrainingModule
from maskedskipunet.training.one_process import in_one_process
from maskedskipunet.training.pseudo_anomalies import PseudoAnomalies

LOG_EVERY_STEPS = 10


def fit(
    network: MaskedSkipUNet,
    train: Clips,
    holdback: Clips,
    config: TrainingConfig,
    run: RunFolder,
    *,
    seed: int,
    progress: Progress,
    resume: bool = False,
) -> None:
    """Train a network on clips, writing all there is to keep into the run folder after each epoch.

    resume: go on from the run's last full state. Raises KeyboardInterrupt when interrupted (the epochs that were
    whole are kept), RunError when the loss becomes no number or memory does not suffice, WeightsError when the state
    cannot be resumed.
    """
    stop = StopBetweenSteps()
    run.checkpoints.mkdir(exist_ok=True)
    run.logs.mkdir(exist_ok=True)
    for part in run.path.rglob(".*.part"):
        part.unlink()  # left half-written by a training that was killed
    with (
        in_one_process(),
        _as_first_rank(),
        _quiet_lightning(),
        _stopping_on_interrupt(stop, progress),
        _memory_error_as_config_error(),
    ):
        trainer = _trainer(config, run, _callbacks(config, run, progress, stop))
        module = TrainingModule(
            network,
            learning_rate=config.learning_rate,
            schedule=config.schedule,
            pseudo_anomalies=PseudoAnomalies(config.restore, seed) if config.restore else None,
            motion_weight=config.motion_weight,
        )
        data = ClipDataModule(train, holdback, batch_size=config.batch_size, seed=seed, share=config.share)
        try:
            trainer.fit(module, data, ckpt_path=_state(run, module) if resume else None)
            stop.stop_if_asked()  # after its last step
            whole = int(trainer.estimated_stepping_batches)
            if trainer.global_step < whole:  # max_minutes were over
                reached = f"the limit was reached after {trainer.global_step:,} of {whole:,} steps"
                progress.note(f"{reached}; longer training may score better")
        finally:
            _forget_host(run.logs)
    done = {"epochs_done": max(1, trainer.current_epoch), "finished": True}
    write_json(run.progress, done)


def _callbacks(config: TrainingConfig, run: RunFolder, progress: Progress, stop: StopBetweenSteps) -> list[L.Callback]:
    callbacks: list[L.Callback] = [
        StopOnNonFinite(),
        MetricsTable(run.training_metrics),
        KeepWeights(run),
        ShowProgress(progress),
        stop,
    ]
    if config.max_minutes is not None:
        callbacks.append(TimeLimit(config.max_minutes * 60))
    return callbacks


def _trainer(config: TrainingConfig, run: RunFolder, callbacks: list[L.Callback]) -> L.Trainer:
    return L.Trainer(
        max_epochs=config.epochs,
        precision=config.precision,
        accelerator=config.accelerator,
        devices=1,
        callbacks=callbacks,
        plugins=[LightningEnvironment()],  # none is looked for
        default_root_dir=run.path,  # else the folder that the program was started in
        logger=TensorBoardLogger(run.logs, name="", version=""),
        log_every_n_steps=LOG_EVERY_STEPS,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


@contextmanager
def _as_first_rank() -> Iterator[None]:
    """Hide the rank in the environment, which Lightning reads on import: it logs from rank 0 alone."""
    process: Any = rank_zero_only  # a function that carries the rank
    before = process.rank
    process.rank = 0
    try:
        yield
    finally:
        process.rank = before


def _state(run: RunFolder, module: TrainingModule) -> str:
    """Return the path of the run's full state after checking it, because resuming must not execute anything else."""
    try:
        state = torch.load(run.last_state, map_location="meta", weights_only=True, mmap=True)
        shapes = {name: weight.shape for name, weight in state["state_dict"].items()}
        optimizers = len(state["optimizer_states"])
        complete = {"loops", "callbacks", "lr_schedulers", "pytorch-lightning_version"} <= state.keys()
    except FileNotFoundError as error:
        raise RunError("no epoch was finished, so there is nothing to resume from", str(run.path)) from error
    except Exception as error:  # whatever a damaged or hostile file makes torch raise
        raise WeightsError("the state to resume from is damaged", str(run.last_state), "Start again") from error
    if not complete or optimizers != 1 or shapes != {n: weight.shape for n, weight in module.state_dict().items()}:
        raise WeightsError("not the state of this training", str(run.last_state), "Start again")
    return str(run.last_state)


def _forget_host(logs: Path) -> None:
    """Remove the machine's name from TensorBoard's file names; a run folder records hardware, not its owner."""
    host = f".{socket.gethostname()}."
    for events in logs.glob("events.out.tfevents.*"):
        if host in events.name:
            events.rename(events.with_name(events.name.replace(host, ".", 1)))


@contextmanager
def _stopping_on_interrupt(stop: StopBetweenSteps, progress: Progress) -> Iterator[None]:
    """End the training on Ctrl-C after the current step, and at once on a second Ctrl-C.

    So does SIGUSR1, with which schedulers announce that a job's time is over, where nobody else handles it. Lightning
    leaves the process on Ctrl-C, deaf to the next one; here it stays an exception of the caller's.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGUSR1)}

    def ask(number: int, _: object) -> None:
        stop.asked = True
        signal.signal(signal.SIGINT, handlers[signal.SIGINT])
        again = "; Ctrl-C again stops at once" if number == signal.SIGINT else ""
        progress.note(f"stopping after this step{stop.time_left()}{again}")

    if threading.current_thread() is threading.main_thread():
        if handlers[signal.SIGINT] is not None:
            signal.signal(signal.SIGINT, ask)
        if handlers[signal.SIGUSR1] is signal.SIG_DFL:
            signal.signal(signal.SIGUSR1, ask)
    try:
        yield
    except SIGTERMException as error:  # a SystemExit too, and its code would say that all went well
        raise KeyboardInterrupt from error
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, handler in handlers.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)


@contextmanager
def _memory_error_as_config_error() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        cure = "Use a smaller --training.batch_size, --model.latent_dim, or --data.height_px and --data.width_px"
        raise RunError("there is too little memory for a step", "training", cure) from error


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keep what Lightning says about itself from the person who trains."""
    names = ("lightning.pytorch", "lightning.fabric")
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
