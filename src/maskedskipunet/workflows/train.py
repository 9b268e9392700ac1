"""Train a network on normal footage."""

import shlex
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch

from maskedskipunet.cues.cue_model import CUES_NAME
from maskedskipunet.data.clips import Clips
from maskedskipunet.data.layouts import recognise
from maskedskipunet.errors import ConfigError, MaskedSkipUNetError, advice_when_interrupted
from maskedskipunet.files import require_free_space
from maskedskipunet.input_format import SIZE_STEP, InputFormat
from maskedskipunet.model.config import NetworkConfig
from maskedskipunet.model.network import MaskedSkipUNet
from maskedskipunet.model.pretrained import load_model
from maskedskipunet.model.storage import write_cues_only
from maskedskipunet.progress import Progress, Silent
from maskedskipunet.runs import (
    RunFolder,
    create_run,
    describe_environment,
    point_latest,
    point_latest_elsewhere,
    require_free_name,
    write_json,
)
from maskedskipunet.scoring.ignored import also_ignoring, in_percent
from maskedskipunet.scoring.loading import calibration_of
from maskedskipunet.training.config import TrainConfig
from maskedskipunet.workflows.calibration import calibrate_on_holdback
from maskedskipunet.workflows.cue_learning import (
    learn_model_cues,
    learned_cues,
    note_short_footage,
    require_footage_for_cues,
)
from maskedskipunet.workflows.estimate import (
    clip_flops,
    require_memory_for_batch,
    require_memory_for_network,
    training_hours,
)
from maskedskipunet.workflows.footage import common_rate, note_enlarged, training_clips, training_sources
from maskedskipunet.workflows.training_loop import load_fit

SLOW_TRAINING_H = 2.0  # from here on a person should know before it starts
BYTES_A_WEIGHT = 4
STATE_COPIES = 3  # a full state holds each weight and Adam's two averages of it


def train(config: TrainConfig, progress: Progress | None = None) -> RunFolder:
    """Train a network and return its run folder, made for it.

    Footage and settings are looked at before the folder is made; a training that fails before its first epoch is
    whole leaves none. Where videos are held back, the model is calibrated on them at the end. Raises
    MaskedSkipUNetError for what cannot be done, KeyboardInterrupt when interrupted (the run folder then stays:
    `resume` goes on).
    """
    progress = progress or Silent()
    _require_accelerator(config)
    require_free_name(config.runs, config.name)
    config, network, clips = _prepared(_with_ignored(config), progress)
    run = create_run(config.runs, config.name)
    try:
        run.write_config(config.to_dict())
        write_json(run.environment, describe_environment(_accelerators()))
        with advice_when_interrupted(partial(_how_to_go_on, run)), run.for_one_process():
            _learn(network, clips, config, run, progress)
    except Exception:  # an interruption is none
        if not run.last_state.exists():
            shutil.rmtree(run.path)
            point_latest_elsewhere(config.runs)
        raise
    finally:
        point_latest(run)
    return run


def _prepared(
    config: TrainConfig, progress: Progress
) -> tuple[TrainConfig, MaskedSkipUNet | None, tuple[Clips, Clips]]:
    """Return what training starts from: the whole config, the network (None for a model of cues alone) and the clips.

    Raises MaskedSkipUNetError for what cannot be trained.
    """
    if not config.has_network:
        if config.start_from is not None:
            cure = "Leave it out, or add reconstruction to --cues"
            raise ConfigError("a model without a network is not fine-tuned", "start_from", cure)
        clips = _clips(config, progress)
        require_footage_for_cues(clips[0].videos, config)
        note_short_footage(clips[0].videos, config, progress)
        return config, None, clips
    require_memory_for_network(config.model)
    config, network = _start(config)
    _require_memory_for_batch(config, 1)
    clips = _clips(config, progress)
    require_footage_for_cues(clips[0].videos, config)
    _require_memory_for_batch(config, len(clips[0]))
    if config.start_from is None:  # after what may be wrong with the footage
        note_enlarged(config.data, config.input_format, progress)
    note_short_footage(clips[0].videos, config, progress)
    _warn_of_hours(config, len(clips[0]), progress)
    progress.note(clip_span(config))
    return config, network, clips


def _learn(
    network: MaskedSkipUNet | None,
    clips: tuple[Clips, Clips],
    config: TrainConfig,
    run: RunFolder,
    progress: Progress,
    *,
    resume: bool = False,
) -> None:
    """Train the network where there is one, learn the cues, and calibrate on what is held back."""
    if network is not None:
        _fit(network, clips, config, run, progress, resume=resume)
    else:
        write_cues_only(run.model, _final_format(config), config.model.channels)
    _learn_cues(clips, config, run, progress)
    _calibrate(clips[1], config, run, progress)
    if network is None:
        write_json(run.progress, {"epochs_done": 0, "finished": True})


def _learn_cues(clips: tuple[Clips, Clips], config: TrainConfig, run: RunFolder, progress: Progress) -> None:
    if not (run.model / CUES_NAME).exists():
        learn_model_cues(run.path, clips[0].videos, clips[1].videos, config, progress)


def resume(run: RunFolder, progress: Progress | None = None) -> RunFolder:
    """Resume an interrupted training after its last complete epoch; it reaches the same weights as without a break.

    Raises RunError when the folder holds no training or another process is at it, WeightsError when its state is
    damaged.
    """
    progress = progress or Silent()
    config = TrainConfig.from_dict(run.read_config(), str(run.config))
    try:
        with advice_when_interrupted(partial(_how_to_go_on, run)), run.for_one_process():
            _resume(run, config, progress)
    finally:
        point_latest(run)
    return run


def _resume(run: RunFolder, config: TrainConfig, progress: Progress) -> None:
    finished = run.is_finished()
    has_cues = not learned_cues(config) or (run.model / CUES_NAME).exists()
    if finished and has_cues and (not config.data.holdback or calibration_of(run.path) is not None):
        progress.note(f"{run.path} is already trained")
        return
    _require_accelerator(config)
    if finished or not config.has_network:
        clips = _clips(config, progress)
        if not config.has_network:
            _learn(None, clips, config, run, progress)
            return
        _learn_cues(clips, config, run, progress)
        _calibrate(clips[1], config, run, progress)
        return
    started = run.last_state.exists()
    progress.note(
        f"resuming {run.path}" if started else f"no epoch of {run.path} was finished: starting from the beginning"
    )
    network = initial_network(config) if started else _start(config)[1]
    clips = _clips(config, progress)
    _learn(network, clips, config, run, progress, resume=started)


def has_test_footage(run: RunFolder) -> bool:
    """Return whether the footage that was trained on has test videos too."""
    try:
        return bool(recognise(TrainConfig.from_dict(run.read_config(), str(run.config)).data.footage).test)
    except MaskedSkipUNetError:  # it is not there any more
        return False


def _how_to_go_on(run: RunFolder) -> str:
    command = f"`maskedskipunet train --resume {shlex.quote(str(run.path))}`"
    return f"go on with {command}" if run.last_state.exists() else f"no epoch was finished: {command} starts again"


def _with_ignored(config: TrainConfig) -> TrainConfig:
    """Return a configuration with ignored shapes in the model's form, so that the run no longer needs a mask image."""
    if not config.data.ignore:
        return config
    plain = replace(config.input_format, ignore=())
    input_format = also_ignoring(plain, config.data.ignore, "data.ignore")
    input_format = in_percent(input_format, training_sources(config.data, plain)[1], "data.ignore")
    return replace(config, data=replace(config.data, ignore=input_format.ignore))


def initial_network(config: TrainConfig) -> MaskedSkipUNet:
    """Return a network at its random start, the same for the same seed; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = MaskedSkipUNet(config.model)
    network.input_format = config.input_format
    return network


def _start(config: TrainConfig) -> tuple[TrainConfig, MaskedSkipUNet]:
    """Return the network that training starts from, and the config that fits it."""
    if config.start_from is None:
        return config, initial_network(config)
    # Where a link leads now: runs/latest will soon mean this very run.
    path = config.start_from.resolve() if config.start_from.is_symlink() else config.start_from
    network = load_model(path)
    network_config = replace(config.model, clip_length=config.model.frames)
    if config.model != NetworkConfig() and network_config != network.config:
        raise ConfigError(f"{path} is another network ({_short(network.config)})", "model", "Leave --model.* out")
    data, seen = config.data, network.input_format
    if seen is not None:  # what it never looked at, it need not look at now
        data = replace(data, ignore=tuple(dict.fromkeys((*seen.ignore, *data.ignore))))
    if seen is not None and replace(config.input_format, ignore=()) == TrainConfig().input_format:
        data = data.seen_as(replace(seen, ignore=data.ignore))
    config = replace(config, model=network.config, data=data, start_from=path)
    network.input_format = config.input_format
    return config, network.train()


def _clips(config: TrainConfig, progress: Progress) -> tuple[Clips, Clips]:
    return training_clips(
        config.data,
        config.input_format,
        geometry=config.input_format.clip_geometry(config.model.frames),
        channels=config.model.channels,
        progress=progress,
    )


def _fit(
    network: MaskedSkipUNet,
    clips: tuple[Clips, Clips],
    config: TrainConfig,
    run: RunFolder,
    progress: Progress,
    *,
    resume: bool,
) -> None:
    fit = load_fit()

    weights_bytes = BYTES_A_WEIGHT * sum(weight.numel() for weight in network.state_dict().values())
    whole_bytes = weights_bytes * (config.training.epochs + 1 + 2 * STATE_COPIES)  # a new state comes beside the old
    there_bytes = sum(file.stat().st_size for folder in (run.checkpoints, run.model) for file in folder.glob("*"))
    require_free_space(
        run.path,
        max(0, whole_bytes - there_bytes),
        what=f"{config.training.epochs} checkpoints and a state to resume from",
        cure="Free some space, name another folder with --runs, or use a smaller --model.latent_dim",
    )
    network.input_format = _final_format(config)
    fit(network, *clips, config.training, run, seed=config.seed, progress=progress, resume=resume)


def _final_format(config: TrainConfig) -> InputFormat:
    """Return the input format that the model keeps: with the rate of its footage, where that is one."""
    input_format = config.input_format
    if input_format.fps is not None:
        return input_format
    return replace(input_format, footage_fps=common_rate(training_sources(config.data, input_format)[1]))


def _calibrate(holdback: Clips, config: TrainConfig, run: RunFolder, progress: Progress) -> None:
    if len(holdback):
        device = "cpu" if config.training.accelerator == "cpu" else "auto"
        calibrate_on_holdback(run.path, holdback, device, progress)


def clip_span(config: TrainConfig) -> str:
    """Return what time a clip of the training footage spans, in a sentence."""
    geometry = config.input_format.clip_geometry(config.model.frames)
    source = training_sources(config.data, config.input_format)[1][0]
    rate = source.fps or source.probe().frame_rate or source.image_fps
    apart = "" if geometry.spacing == 1 else f", each {geometry.spacing} after the one before,"
    span_s = geometry.span_s(float(rate) / source.stride)
    return f"a clip of {geometry.length} frames{apart} spans {span_s:.2f} s"


def _warn_of_hours(config: TrainConfig, clips: int, progress: Progress) -> None:
    if _on_gpu(config):
        return
    hours = training_hours(config.model, config.data.height_px, config.data.width_px, clips * config.training.epochs)
    limit_h = (config.training.max_minutes or float("inf")) / 60
    if min(hours, limit_h) > SLOW_TRAINING_H:
        smaller = replace(config.model, latent_dim=64)
        cure = (
            ""
            if config.model.latent_dim <= 64
            else (f"; --model.latent_dim 64 takes about {hours * _cost(smaller) / _cost(config.model):.1f} hours")
        )
        progress.note(f"without a GPU this training takes about {hours:,.0f} hours here{cure}")


def _cost(model: NetworkConfig) -> float:
    return clip_flops(model, 4 * SIZE_STEP, 4 * SIZE_STEP)


def _require_accelerator(config: TrainConfig) -> None:
    if config.training.accelerator == "gpu" and not torch.cuda.is_available():
        raise ConfigError("there is no GPU", "training.accelerator", "Use auto or cpu")


def _require_memory_for_batch(config: TrainConfig, clips: int) -> None:
    if not _on_gpu(config):
        batch = min(config.training.batch_size, clips)
        require_memory_for_batch(config.model, config.data.height_px, config.data.width_px, batch)


def _on_gpu(config: TrainConfig) -> bool:
    return torch.cuda.is_available() and config.training.accelerator != "cpu"


def _accelerators() -> Sequence[str]:
    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]


def _short(config: NetworkConfig) -> str:
    return f"{config.variant}, latent_dim {config.latent_dim}, clip_length {config.frames}, channels {config.channels}"
