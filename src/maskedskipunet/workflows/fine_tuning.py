"""Learn some clips as normal without forgetting what was normal before: a short training from a finished one."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from maskedskipunet.clip_geometry import ClipGeometry
from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.data.cache import cache_folder
from maskedskipunet.data.clips import Clips
from maskedskipunet.data.sources import Source
from maskedskipunet.data.store import StoreFormat, StoreRequest, store_videos
from maskedskipunet.errors import ConfigError, DataError
from maskedskipunet.model.pretrained import load_model
from maskedskipunet.progress import Progress
from maskedskipunet.runs import (
    RunFolder,
    create_run,
    describe_environment,
    point_latest,
    point_latest_elsewhere,
    write_json,
)
from maskedskipunet.training.config import TrainConfig
from maskedskipunet.workflows.cue_learning import learn_model_cues
from maskedskipunet.workflows.footage import training_clips
from maskedskipunet.workflows.training_loop import load_fit

REPEATED = 8  # how often an epoch shows each marked clip
OWN_TIMES, OWN_AT_LEAST = 4, 2000  # clips of the run's own footage beside them: so many times as many, at least some


@contextmanager
def fine_tuned(
    run: RunFolder, marked: Sequence[Path], *, epochs: int, learning_rate: float, device: str, progress: Progress
) -> Iterator[RunFolder]:
    """Train a new run from this one's weights; nothing of it is left if the block ends with an error.

    marked: normal videos whose frames are all taken, as cut by `watch` at the model's own rate.
    Raises DataError for clips that are too short, RunError for a run that cannot be gone on from.
    """
    config = TrainConfig.from_dict(run.read_config(), str(run.config))
    accelerator = config.training.accelerator if device == "auto" else "cpu" if device == "cpu" else "gpu"
    training = replace(
        config.training,
        epochs=epochs,
        learning_rate=learning_rate,
        schedule="cosine",
        accelerator=accelerator,
        max_minutes=None,
    )
    network = load_model(run.path)
    input_format = network.input_format or config.input_format
    data = replace(
        config.data, height_px=input_format.height_px, width_px=input_format.width_px, spacing=input_format.spacing
    )
    config = replace(
        config, model=network.config, data=data, training=training, start_from=run.path, runs=run.path.parent, name=None
    )
    geometry = input_format.clip_geometry(network.config.frames)
    stored = store_videos(
        [StoreRequest(name=path.stem, source=Source(path=path, on_bad_frame="skip")) for path in marked],
        StoreFormat(height_px=input_format.height_px, width_px=input_format.width_px, channels=network.config.channels),
        cache_folder(data.cache),
        progress=progress,
    )
    clips = Clips.of(stored, geometry)
    if not len(clips):
        fault = f"{geometry.shortage()} in the clips"
        raise DataError(fault, str(marked[0]), "Mark longer events")
    own, holdback = _own_clips(config, geometry, progress)
    fit = load_fit()

    new = create_run(config.runs)
    try:
        new.write_config(config.to_dict())
        write_json(new.environment, describe_environment())
        with new.for_one_process():
            fit(network.train(), mixed(own, clips), holdback, training, new, seed=config.seed, progress=progress)
            _learn_cues(run, new, config, own, clips, holdback, progress)
        yield new
        point_latest(new)
    except BaseException:
        shutil.rmtree(new.path)
        point_latest_elsewhere(config.runs)
        raise


def _learn_cues(
    run: RunFolder,
    new: RunFolder,
    config: TrainConfig,
    own: Clips,
    marked: Clips,
    holdback: Clips,
    progress: Progress,
) -> None:
    """Give the new run cues where the run has some: learned anew, or where its footage is gone those of the run."""
    cues = CueModel.read(run.model)
    if cues is None:
        return
    if len(own):
        learn_model_cues(new.path, [*own.videos, *marked.videos], holdback.videos, config, progress)
        return
    progress.note("keeping what movement and appearance learned from the run's own footage")
    cues.write(new.model)


def mixed(own: Clips, marked: Clips) -> Clips:
    """Mix marked clips, each several times, with so many of the run's own, spread evenly, that they stay the fewer."""
    count = min(len(own), max(OWN_AT_LEAST, OWN_TIMES * REPEATED * len(marked)))
    kept = np.linspace(0, len(own) - 1, count).round().astype(np.int64) if count else np.empty(0, np.int64)
    return Clips(
        marked.geometry,
        [*own.videos, *marked.videos],
        np.concatenate([own.video[kept], np.tile(marked.video + len(own.videos), REPEATED)]),
        np.concatenate([own.start[kept], np.tile(marked.start, REPEATED)]),
    )


def _own_clips(config: TrainConfig, geometry: ClipGeometry, progress: Progress) -> tuple[Clips, Clips]:
    """Return what the run was trained on, and what it held back; nothing if that is gone."""
    try:
        input_format, channels = config.input_format, config.model.channels
        return training_clips(config.data, input_format, geometry=geometry, channels=channels, progress=progress)
    except (DataError, ConfigError) as error:
        progress.note(f"the run's own footage is gone, so the model may forget some of it: {error}")
        return Clips.of([], geometry), Clips.of([], geometry)
