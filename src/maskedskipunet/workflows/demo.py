"""A generated scene, a small model trained on it and tested: the whole way without a download."""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture

from maskedskipunet.data.config import DataConfig
from maskedskipunet.data.resizing import network_frame
from maskedskipunet.data.sources import Source
from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.detection.budget import Budget
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.errors import CalibrationError, advice_when_interrupted
from maskedskipunet.evaluation.baseline import frame_differences
from maskedskipunet.evaluation.frames import LabelledScores, auc_by_kind, micro_auc
from maskedskipunet.files import atomic_write, require_writable
from maskedskipunet.model.config import NetworkConfig
from maskedskipunet.progress import Progress, Silent
from maskedskipunet.runs import RunFolder, describe_environment, write_json
from maskedskipunet.scene.generation import SceneConfig, write_scene
from maskedskipunet.training.config import TrainConfig, TrainingConfig
from maskedskipunet.view.film_strip import film_strip
from maskedskipunet.workflows.calibrate import calibrate
from maskedskipunet.workflows.input_selection import NamedVideo
from maskedskipunet.workflows.score import ScoreOptions, ScoreResult
from maskedskipunet.workflows.score import score as score_video
from maskedskipunet.workflows.scoring import ScoredVideo
from maskedskipunet.workflows.test import test
from maskedskipunet.workflows.train import train

LATENT_DIM = 32
TRAINING = TrainingConfig(epochs=2, batch_size=4, schedule="cosine")  # many small steps: the most within a minute
SMOOTHING_S = 0.25  # the last three frames: a single odd one, as runners have, decides nothing
CALIBRATION_VIDEOS = 10  # of twelve seconds
BUDGET = Budget(40, "hour")  # one in those two minutes: so little footage tells of no rarer one
PICTURE_WIDTH_PX = 1280


@dataclass(frozen=True)
class DemoResult:
    """The results of the demo, and their files.

    figures: as in `demo.json`. film: the comparison video to look at first. picture: a moment of each kind of
    anomaly. Both are None if no videos were written. calibration: with the threshold of alarms; None if the
    footage gave none. alarm: what scoring one test video by itself gave, whose strongest event is shown; None if no
    test video has an event.
    """

    figures: dict[str, Any]
    folder: Path
    run: RunFolder
    film: Path | None
    picture: Path | None
    calibration: Calibration | None = None
    alarm: ScoreResult | None = None


def demo(out: Path, *, seed: int = 0, with_videos: bool = True, progress: Progress | None = None) -> DemoResult:
    """Generate a scene for a seed, train on its normal part, test on the other, and compare with frame differencing.

    Further normal footage sets a threshold, and one alarm is shown as `score` shows it.

    out: where footage/ and run/ are made; when it exists, the next free name (out-2, …) is taken. A demo that fails
    or is interrupted leaves nothing. Raises ConfigError for a seed that is none, or where nothing can be written.
    """
    scene = SceneConfig(seed=seed, calibration_videos=CALIBRATION_VIDEOS)
    start = TrainConfig(seed=seed)  # both look at the seed
    require_writable(out.parent)
    folder = _free(out)
    try:
        with advice_when_interrupted(None):  # there will be no training to go on with
            return _demo(folder, scene, start, with_videos, progress or Silent())
    except BaseException:
        shutil.rmtree(folder)
        raise


def _demo(folder: Path, scene: SceneConfig, start: TrainConfig, with_videos: bool, progress: Progress) -> DemoResult:
    began_s = time.perf_counter()
    footage = folder / "footage"
    videos = scene.train_videos + scene.calibration_videos + scene.test_videos
    with progress.stage("drawing the scene", videos, "videos") as advance:
        truth = write_scene(footage, scene, advance)
    data = DataConfig(path=footage, height_px=scene.height_px, width_px=scene.width_px, cache=folder / "cache")
    config = replace(
        start,
        model=NetworkConfig(latent_dim=LATENT_DIM),
        data=data,
        training=TRAINING,
        runs=folder,
        name="run",
        smoothing_s=SMOOTHING_S,
    )
    run = train(config, _StagesAlone(progress))
    calibration = _calibrated(run, truth.calibration, progress)
    tested = test(run.path, data, run.path, with_videos=with_videos, progress=progress)
    scored = [video.labelled for video in tested.videos]
    differences = [_frame_differences(video, footage / "test", data) for video in scored]
    alarm = _shown_alarm(tested.videos, folder, run, with_videos, progress)
    figures = {
        "auc": micro_auc(scored),
        "auc_frame_difference": micro_auc(differences),
        "auc_by_kind": auc_by_kind(scored, truth.kinds),
        "auc_by_kind_frame_difference": auc_by_kind(differences, truth.kinds),
        **({"alarms": tested.metrics["alarms"]} if "alarms" in tested.metrics else {}),
        "seconds": round(time.perf_counter() - began_s, 1),
        "seed": start.seed,
        "environment": describe_environment(),
    }
    write_json(folder / "demo.json", figures)
    film = picture = None
    if with_videos:
        moments = best_moments(scored, truth.kinds)
        film = run.videos / f"{next(iter(moments.values()))[0]}.mp4"
        picture = folder / "demo.png"
        _write_picture(picture, run, moments)
    return DemoResult(figures, folder, run, film, picture, calibration, alarm)


def _calibrated(run: RunFolder, normal: Sequence[Path], progress: Progress) -> Calibration | None:
    """Set the run's threshold by normal footage that was not trained on; None if there is too little of it."""
    if not normal:
        return None
    videos = [NamedVideo(path.stem, path) for path in normal]
    try:
        return calibrate(run.path, videos, BUDGET, progress=_StagesAlone(progress)).calibration
    except CalibrationError as error:
        progress.note(f"no threshold, so no alarm: {error}")
        return None


def _shown_alarm(
    tested: Sequence[ScoredVideo], folder: Path, run: RunFolder, with_videos: bool, progress: Progress
) -> ScoreResult | None:
    """Score the test video with the strongest event by itself, as a person would, into `alarm/`."""
    events = [(event.top_score, video.name) for video in tested for event in video.events or ()]
    if not events:
        return None
    video = folder / "footage" / "test" / f"{max(events)[1]}.mp4"
    return score_video(video, run.path, folder / "alarm", ScoreOptions(with_video=with_videos), progress=progress)


class _StagesAlone:
    """Shows stages and no notes: what notes warn of (little footage, a cache) is intended in a demo."""

    def __init__(self, progress: Progress) -> None:
        self.stage = progress.stage

    def note(self, message: str) -> None:
        return None


def best_moments(videos: Sequence[LabelledScores], kinds: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, int]]:
    """Return, for each kind of anomaly, the video and position of its highest score, in the order of the
    kinds' names.
    """
    best: dict[str, tuple[float, str, int]] = {}
    for video in videos:
        for position, (score, kind) in enumerate(zip(video.scores, kinds[video.name], strict=True)):
            if kind and score > best.get(kind, (-np.inf,))[0]:
                best[kind] = (float(score), video.name, position)
    return {kind: best[kind][1:] for kind in sorted(best)}


def _write_picture(path: Path, run: RunFolder, moments: Mapping[str, tuple[str, int]]) -> None:
    shown = []
    for name, position in moments.values():
        frame = next(islice(read_video(run.videos / f"{name}.mp4"), position, None))
        assert frame.image is not None, "our own video holds every frame"
        shown.append(frame.image)
    with atomic_write(path) as part:
        Picture.fromarray(film_strip(shown, width_px=PICTURE_WIDTH_PX)).save(part, "PNG", optimize=True)


def _frame_differences(video: LabelledScores, folder: Path, data: DataConfig) -> LabelledScores:
    """Return the frames scored by their distance to the frame before; those without a network score are left out."""
    images = (
        network_frame(frame.image, height_px=data.height_px, width_px=data.width_px, channels=3)
        for frame in Source(path=folder / f"{video.name}.mp4").frames()
        if frame.image is not None
    )
    scores = np.fromiter(frame_differences(images), np.float64, len(video.scores))
    return replace(video, scores=np.where(video.scored, scores, np.nan))


def _free(folder: Path) -> Path:
    """Return the folder, or where it exists the next free name; made."""
    number = 1
    while True:
        free = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        try:
            free.mkdir(parents=True)
            return free
        except FileExistsError:
            number += 1
