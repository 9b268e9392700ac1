"""Learn a model's cues from the footage that it is trained on."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.learned_cue import learned_cues as cue_classes
from maskedskipunet.cues.learning import learn_cues, looks, require_footage, with_reconstruction
from maskedskipunet.cues.normal_footage import SHORT_S, NormalVideo, length_s
from maskedskipunet.data.store import StoredVideo
from maskedskipunet.detection.reading import RECONSTRUCTION
from maskedskipunet.input_format import InputFormat
from maskedskipunet.model.pretrained import model_folder
from maskedskipunet.progress import Progress
from maskedskipunet.scoring.loading import load_network_scorer
from maskedskipunet.training.config import TrainConfig
from maskedskipunet.workflows.calibration import stored_frames
from maskedskipunet.workflows.footage import source_shape


def learn_model_cues(
    model: Path,
    training: Sequence[StoredVideo],
    held_back: Sequence[StoredVideo],
    config: TrainConfig,
    progress: Progress,
) -> None:
    """Learn the cues that a run asks for and write `cues.safetensors` beside its network.

    model: a run or a model folder. held_back: videos that the network was not trained on, from which the rarity of its
    scores is learned; without them, it is learned from the training footage. A run of the network alone gets no file.
    """
    names = learned_cues(config)
    if not names:
        return
    input_format = config.input_format
    grid = PlaceGrid.of_size(input_format.height_px, input_format.width_px)
    videos, held = (
        [_normal(video, input_format) for video in videos_of_split] for videos_of_split in (training, held_back)
    )
    with progress.stage(f"learning {' and '.join(names)}", looks(videos, names)) as advance:
        learned = learn_cues(videos, grid, names, advance, source_shape(config.data, input_format))
    if config.has_network:
        scores = _network_scores(model, held or videos, config, progress)
        learned = with_reconstruction(learned, scores)
    replace(learned, smoothing_s=config.smoothing_s).write(model_folder(model))


def learned_cues(config: TrainConfig) -> list[str]:
    """Return the cues of a run that are learned beside its network."""
    return [cue for cue in config.cues if cue != RECONSTRUCTION]


def require_footage_for_cues(training: Sequence[StoredVideo], config: TrainConfig) -> None:
    """Raise CalibrationError where footage is too short to learn a run's cues from, before hours of training."""
    if names := learned_cues(config):
        require_footage([_normal(video, config.input_format) for video in training], names)


def note_short_footage(training: Sequence[StoredVideo], config: TrainConfig, progress: Progress) -> None:
    """Note that footage is short if a cue needs more, and what the cue will do wrong."""
    seconds = length_s([_normal(video, config.input_format) for video in training])
    if seconds >= SHORT_S:
        return
    for name in learned_cues(config):
        if fault := cue_classes()[name].short_footage_fault:
            others = ",".join(cue for cue in config.cues if cue != name)
            cure = f" (without it: --cues {others})" if others else ""
            progress.note(f"the footage is short ({seconds / 60:.0f} min), so the {name} cue {fault}{cure}")


def _normal(video: StoredVideo, input_format: InputFormat) -> NormalVideo:
    rate = input_format.sampled_fps or input_format.image_fps
    times = np.arange(len(video.frames)) / rate if video.time_s is None else video.time_s
    return NormalVideo(video.name, video.frames, times, video.good, video.ignored)


def _network_scores(
    model: Path, videos: Sequence[NormalVideo], config: TrainConfig, progress: Progress
) -> NDArray[np.float32]:
    """Return the network's own scores of normal frames, (N,)."""
    device = "cpu" if config.training.accelerator == "cpu" else "auto"
    scorer = load_network_scorer(model, device)
    found = []
    with progress.stage("learning reconstruction", sum(len(video.frames) for video in videos)) as advance:
        for video in videos:
            stored = StoredVideo(
                video.name, video.frames, np.arange(len(video.frames)), video.good, time_s=video.time_s
            )
            for scored in scorer.score(stored_frames(stored), ignored=video.ignored):
                found.append(np.nan if scored.score is None else scored.score)
                advance(1)
    return np.array(found, np.float32)
