"""Normal footage that a model remembers beside the footage it was trained on."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from maskedskipunet.cues.cue_model import CUES_NAME, CueModel
from maskedskipunet.cues.learned_cue import RemembersFootage, learned_cues
from maskedskipunet.data.frames import Frame
from maskedskipunet.detection.reading import CUES
from maskedskipunet.errors import ConfigError
from maskedskipunet.files import keep_earlier
from maskedskipunet.progress import Progress
from maskedskipunet.runs import write_json
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.workflows.calibration_footage import ScoredFootage
from maskedskipunet.workflows.input_selection import NamedVideo
from maskedskipunet.workflows.normal_footage import TimeRange

REMEMBERED_NAME = "remembered.json"


def require_memory(folder: Path) -> None:
    """Raise ConfigError if the model in this folder has no cue that can remember footage."""
    cues = CueModel.read(folder)
    if cues is None or not _remembering(cues):
        names = " or ".join(name for name, cue in learned_cues().items() if issubclass(cue, RemembersFootage))
        cure = f"Leave it out, or train a model with --cues {','.join(CUES)}"
        raise ConfigError(f"the model has no {names} cue to remember footage with", "remember", cure)


def _remembering(cues: CueModel) -> list[RemembersFootage]:
    return [cue for cue in cues.cues if isinstance(cue, RemembersFootage)]


def remember_footage(
    folder: Path,
    home: Path,
    videos: Sequence[ScoredFootage],
    time_ranges: Sequence[TimeRange],
    scorer: Scorer,
    progress: Progress,
) -> Path | None:
    """Add normal footage to the memory of a model's cues, and return the copy of its earlier cues.

    folder: of the model's files. home: the folder of the list of remembered footage. time_ranges: the parts to leave
    out. Each cue that can remember reads the footage once.
    """
    cues = CueModel.read(folder)
    assert cues is not None, "asked for by require_memory"
    remembered = read_remembered(home)
    count = sum(len(video.index) for video in videos)
    learners = [cue.start_remembering(count) for cue in _remembering(cues)]
    taken = {name for cue in _remembering(cues) for name in cue.known_videos()}
    with progress.stage("remembering normal footage", count * len(learners)) as advance:
        for video in videos:
            name = _own_name(video, remembered, taken)
            for learner in learners:
                frames = (_left_out(frame, video.name, time_ranges) for frame in video.source.frames())
                learner.add(name, scorer.sized_frames(frames), advance)
            remembered[name] = str(video.source.path.resolve())
            taken.add(name)
    learned = cues.with_cues(learner.finish() for learner in learners)
    write_json(home / REMEMBERED_NAME, {"videos": remembered})  # first: a name too many does no harm
    earlier = keep_earlier(folder / CUES_NAME)
    learned.write(folder)
    return earlier


def read_remembered(home: Path) -> dict[str, str]:
    """Return the paths of the footage that was remembered, by the names that reasons call them."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        videos = json.loads((home / REMEMBERED_NAME).read_text(encoding="utf-8"))["videos"]
        return {str(name): str(path) for name, path in videos.items()}
    return {}


def are_remembered(home: Path, videos: Sequence[NamedVideo]) -> bool:
    """Return whether the model remembers one of these videos."""
    return not {str(video.path.resolve()) for video in videos}.isdisjoint(read_remembered(home).values())


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
