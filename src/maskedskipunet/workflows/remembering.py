"""Normal footage that a model's appearance cue remembers beside what it was trained on."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from maskedskipunet.cues.cue_model import CUES_NAME, CueModel
from maskedskipunet.cues.remembering import AppearanceLearner
from maskedskipunet.data.frames import Frame
from maskedskipunet.errors import ConfigError
from maskedskipunet.files import keep_earlier
from maskedskipunet.progress import Progress
from maskedskipunet.runs import write_json
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.workflows.calibration_footage import ScoredFootage
from maskedskipunet.workflows.normal_footage import TimeRange

REMEMBERED_NAME = "remembered.json"


def require_appearance(folder: Path) -> None:
    """Raise ConfigError where the model in this folder has no appearance cue that could remember anything."""
    cues = CueModel.read(folder)
    if cues is None or cues.appearance is None:
        cure = "Leave it out, or train a model with --cues reconstruction,movement,appearance"
        raise ConfigError("the model has no appearance cue to remember footage with", "remember", cure)


def remember_footage(
    folder: Path,
    home: Path,
    videos: Sequence[ScoredFootage],
    time_ranges: Sequence[TimeRange],
    scorer: Scorer,
    progress: Progress,
) -> Path | None:
    """Let a model's appearance cue remember normal footage, and return the copy of its earlier cues.

    folder: of the model's files. home: where the list of remembered footage is kept. time_ranges: what is left out.
    """
    cues = CueModel.read(folder)
    assert cues is not None, "asked for by require_appearance"
    assert cues.appearance is not None, "asked for by require_appearance"
    remembered = read_remembered(home)
    learner = AppearanceLearner(cues.appearance, sum(len(video.index) for video in videos))
    taken = {moment.video for moment in cues.appearance.moments}
    with progress.stage("remembering normal footage", sum(len(video.index) for video in videos)) as advance:
        for video in videos:
            name = _own_name(video, remembered, taken)
            frames = (_left_out(frame, video.name, time_ranges) for frame in video.source.frames())
            learner.add(name, scorer.sized_frames(frames), advance)
            remembered[name] = str(video.source.path.resolve())
            taken.add(name)
    learned = replace(cues, appearance=learner.finish())
    write_json(home / REMEMBERED_NAME, {"videos": remembered})  # first: a name too many does no harm
    earlier = keep_earlier(folder / CUES_NAME)
    learned.write(folder)
    return earlier


def read_remembered(home: Path) -> dict[str, str]:
    """Return the paths of the footage that was remembered, by the names that reasons call them."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        told = json.loads((home / REMEMBERED_NAME).read_text(encoding="utf-8"))["videos"]
        return {str(name): str(path) for name, path in told.items()}
    return {}


def _left_out(frame: Frame, video: str, time_ranges: Sequence[TimeRange]) -> Frame:
    """Return a frame without its image where it is in a stretch that is left out."""
    return replace(frame, image=None) if any(part.holds(video, frame.time_s) for part in time_ranges) else frame


def _own_name(video: ScoredFootage, remembered: Mapping[str, str], taken: set[str]) -> str:
    """Return a name for a video that no other footage of the model has: hours of two days are often named alike."""
    path = video.source.path.resolve()
    known = next((name for name, where in remembered.items() if where == str(path)), None)
    if known is not None or video.name not in taken:
        return known or video.name
    by_folder = f"{path.parent.name}/{video.name}"
    names = [by_folder, *(f"{by_folder} ({number})" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)
