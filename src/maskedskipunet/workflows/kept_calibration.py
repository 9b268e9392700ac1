"""Another threshold from the scores that a calibration kept: what it would be, what it would change, and its use."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from maskedskipunet.detection.budget import HOURS, AlarmSetting, Budget, NormalScores, set_threshold
from maskedskipunet.detection.calibration import CALIBRATION_NAME, Calibration, keep_earlier
from maskedskipunet.detection.day_budget import set_thresholds
from maskedskipunet.detection.reading import CUES
from maskedskipunet.errors import CalibrationError, DataError, MaskedSkipUNetError, RunError
from maskedskipunet.files import atomic_write, read_content, read_text, require_writable
from maskedskipunet.runs import RunFolder, write_json
from maskedskipunet.workflows.day_parts import require_start_times
from maskedskipunet.workflows.input_selection import NamedVideo
from maskedskipunet.workflows.normal_footage import (
    MOMENTS,
    highest_moments,
    moment_name,
    paced_rule,
    picture_name,
    without_time_ranges,
)
from maskedskipunet.workflows.score_cache import KEPT_NAME, FootageScores, ScoreCache

# What the page names of detection, which it does not reach by itself.
AlarmBudget = Budget
ThresholdSetting = AlarmSetting
ModelCalibration = Calibration
BUDGET_HOURS: Mapping[str, float] = {str(per): hours for per, hours in HOURS.items()}

PICTURES = "calibration"
LARGEST_BYTES = 50_000_000
REMEMBERED = 20  # choices of what is left out, so that an earlier calibration is known again
_EARLIER = re.compile(rf"{Path(CALIBRATION_NAME).stem}\.(\d+)\.json")


@dataclass(frozen=True)
class KeptFootage:
    """The normal footage of a model's calibration, as it was scored.

    run: the folder that holds the scores. model: the folder of the calibration. calibration: the one in force, with a
    threshold. videos: scores of all of it. paths: of the videos, by name. exclude: what the calibration in force leaves
    out. known: what earlier ones left out. cues: its scores by each cue's name; empty where they were not kept.
    """

    run: Path
    model: Path
    calibration: Calibration
    videos: tuple[NormalScores, ...]
    paths: Mapping[str, str]
    exclude: tuple[str, ...]
    known: tuple[tuple[str, ...], ...]
    cues: Mapping[str, tuple[NormalScores, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class KeptMoment:
    """One of the highest scores of the footage. name: what `exclude` takes. picture: None where none was drawn."""

    name: str
    video: str
    time_s: float
    score: float
    picture: Path | None


@dataclass(frozen=True)
class EarlierCalibration:
    """A calibration that was replaced. number: of its file. calibration: what it says."""

    number: int
    calibration: Calibration


def read_kept(run: Path) -> KeptFootage:
    """Return the scores that a run's calibration was set from.

    Raises CalibrationError where nothing is kept, or what is kept belongs to another calibration, and DataError for a
    damaged file.
    """
    home, model = folders_of(run)
    command = f"Run `maskedskipunet calibrate NORMAL… --model {run} --false-alarms-per-day 1`"
    calibration = Calibration.read(model)
    if calibration is None or calibration.alarm is None:
        raise CalibrationError("the model has no threshold yet", str(run), command)
    try:
        kept = ScoreCache.read_of_any_model(home / KEPT_NAME)
    except DataError as error:
        raise CalibrationError(error.what, error.where, command) from error
    except OSError as error:
        raise CalibrationError("no scores of normal footage are kept", str(home / KEPT_NAME), command) from error
    listed = _listed(home)
    paths = listed.get("videos") or {Path(path).stem: path for path in map(_path_of, kept.videos)}
    of_paths = {_path_of(key): scores for key, scores in kept.videos.items()}
    videos = tuple(
        NormalScores(name, of_paths[path].time_s, of_paths[path].scores)
        for name, path in paths.items()
        if path in of_paths
    )
    known = tuple(dict.fromkeys([*listed.get("exclude", ()), ()]))
    for exclude in known:
        if _is_made_of(calibration, without_time_ranges(videos, exclude)):
            cues = _by_cue({name: of_paths[path] for name, path in paths.items() if path in of_paths})
            return KeptFootage(home, model, calibration, videos, paths, exclude, known, cues)
    raise CalibrationError("the kept scores are of another calibration", str(home / KEPT_NAME), command)


def _by_cue(videos: Mapping[str, FootageScores]) -> dict[str, tuple[NormalScores, ...]]:
    """Return the scores of each cue that judged all the videos."""
    names = [name for name in CUES if all(name in scores.cues for scores in videos.values())]
    return {
        cue: tuple(NormalScores(name, scores.time_s, scores.cues[cue]) for name, scores in videos.items())
        for cue in names
    }


def folders_of(run: Path) -> tuple[Path, Path]:
    """Return the folder of a run's scores and that of its model. Raises RunError where there is no model."""
    if (run / "config.json").is_file():
        return (run.parent if run.name == "model" else run), run
    if (run / "model" / "config.json").is_file():
        return run, run / "model"
    raise RunError("holds no trained model", str(run), "Name a run that finished an epoch")


def files_of(run: Path) -> tuple[Path, ...]:
    """Return the files that `read_kept` reads."""
    home, model = folders_of(run)
    return model / CALIBRATION_NAME, home / KEPT_NAME, home / "calibrated_on.json"


def moments(footage: KeptFootage) -> list[KeptMoment]:
    """Return the highest moments of all the footage, also those that are left out; the highest first."""
    found = []
    for number, index in highest_moments(footage.videos, MOMENTS + len(footage.exclude)):
        video = footage.videos[number]
        time_s = float(video.time_s[index])
        name = moment_name(video.name, time_s)
        picture = footage.run / PICTURES / picture_name(name)
        score = float(video.scores[index])
        found.append(KeptMoment(name, video.name, time_s, score, picture if picture.is_file() else None))
    return found


def calibrated(footage: KeptFootage, budget: Budget, exclude: Sequence[str]) -> Calibration:
    """Return the calibration that keeps a budget on the footage, as `calibrate` sets it; nothing is written.

    exclude: what to leave out. Raises CalibrationError for too little footage, ConfigError for parts of the day where
    it is not known when the footage was recorded.
    """
    setting = footage.calibration.alarm
    assert setting is not None
    videos = without_time_ranges(footage.videos, exclude)
    rule = paced_rule(videos)
    if setting.day is None:
        found = set_threshold(videos, budget, rule, interval_h=setting.interval_h)
    else:
        named = [NamedVideo(video.name, Path(footage.paths[video.name])) for video in videos]
        starts = require_start_times(named, setting.day.starts)
        timed = [replace(video, starts_s=start_s) for video, start_s in zip(videos, starts, strict=True)]
        parts = [part.part for part in setting.day.parts]
        found = set_thresholds(timed, budget, rule, parts, starts=setting.day.starts, interval_h=setting.interval_h)
    # Drift is told by hours of footage; a few seconds more or less of it change nothing.
    made = Calibration.of({video.name: video.scores for video in videos})
    return replace(made, alarm=found, drift=footage.calibration.drift)


def use(footage: KeptFootage, budget: Budget, exclude: Sequence[str]) -> Calibration:
    """Set the threshold that keeps a budget, and keep the calibration before it. A running `watch` takes it over.

    Raises what `calibrated` does, and RunError while another process writes the run; then nothing is changed.
    """
    with RunFolder(footage.run).for_one_process():
        require_writable(footage.model)
        found = calibrated(footage, budget, exclude)
        _note_exclude(footage, tuple(exclude))  # first: whichever of the two is in force then is known
        keep_earlier(footage.model)
        found.write(footage.model)
    return found


def earlier_calibration(run: Path) -> EarlierCalibration | None:
    """Return the calibration that the one in force replaced; None where there is none that can be read."""
    _, model = folders_of(run)
    numbers = sorted(int(named[1]) for path in model.iterdir() if (named := _EARLIER.fullmatch(path.name)))
    if not numbers:
        return None
    try:
        return EarlierCalibration(numbers[-1], _read_earlier(model, numbers[-1]))
    except MaskedSkipUNetError:
        return None


def go_back(run: Path, number: int) -> Calibration:
    """Put the earlier calibration of this number in force again, and keep the one that it replaces.

    Raises RunError if another was replaced since, or another process writes the run.
    """
    home, model = folders_of(run)
    with RunFolder(home).for_one_process():
        earlier = earlier_calibration(run)
        if earlier is None or earlier.number != number:
            raise RunError("the calibration was changed since then", str(model), "Reload the page")
        content = read_content(_numbered(model, number), max_bytes=LARGEST_BYTES)
        keep_earlier(model)
        with atomic_write(model / CALIBRATION_NAME) as part:
            part.write_bytes(content)
        try:
            footage = read_kept(run)
        except MaskedSkipUNetError:  # it is of other footage
            return earlier.calibration
        _note_exclude(footage, footage.exclude)
    return earlier.calibration


def _numbered(model: Path, number: int) -> Path:
    return model / f"{Path(CALIBRATION_NAME).stem}.{number}.json"


def _read_earlier(model: Path, number: int) -> Calibration:
    path = _numbered(model, number)
    found = Calibration.read_file(path)
    if found is None or found.alarm is None:
        raise CalibrationError("it has no threshold", str(path), "Calibrate the model again")
    return found


def _note_exclude(footage: KeptFootage, exclude: tuple[str, ...]) -> None:
    """Write what is left out now, and remember what was left out before."""
    known = [list(one) for one in dict.fromkeys([exclude, footage.exclude, *footage.known])][:REMEMBERED]
    values = {"videos": dict(footage.paths), "exclude": list(exclude), "excluded_before": known}
    write_json(footage.run / "calibrated_on.json", values)


def _listed(home: Path) -> dict[str, Any]:
    """Return which videos a calibration is of, and what it and earlier ones leave out; nothing where it is not kept."""
    try:
        values = json.loads(read_text(home / "calibrated_on.json", max_bytes=LARGEST_BYTES))
        before = values.get("excluded_before", [])
        choices = [tuple(map(str, names)) for names in [values["exclude"], *before]]
        return {"videos": {str(name): str(path) for name, path in values["videos"].items()}, "exclude": choices}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _path_of(key: str) -> str:
    """Return the path in a video's key."""
    try:
        return str(json.loads(key)[0])
    except (ValueError, LookupError, TypeError):
        return key


def _is_made_of(calibration: Calibration, videos: Sequence[NormalScores]) -> bool:
    """Return whether a calibration was set from just these scores."""
    try:
        made = Calibration.of({video.name: video.scores for video in videos})
    except CalibrationError:
        return False
    return (made.frames, made.levels) == (calibration.frames, calibration.levels)
