"""Set a model's threshold by a budget of false alarms, from normal footage alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from maskedskipunet.cues.cue import STRANGE
from maskedskipunet.data.frames import OnBadFrame
from maskedskipunet.data.sources import Source
from maskedskipunet.detection.budget import AlarmSetting, Budget, NormalScores, set_threshold
from maskedskipunet.detection.calibration import Calibration, keep_earlier
from maskedskipunet.detection.day import DayPart
from maskedskipunet.detection.day_budget import set_thresholds
from maskedskipunet.detection.drift import DriftReference
from maskedskipunet.errors import ConfigError
from maskedskipunet.files import require_writable
from maskedskipunet.model.pretrained import model_folder
from maskedskipunet.model.storage import rewrite_input_format
from maskedskipunet.progress import Progress, Silent
from maskedskipunet.runs import RunFolder, write_json
from maskedskipunet.scoring.ignored import also_ignoring, in_percent
from maskedskipunet.scoring.loading import load_scorer
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.workflows.calibration_footage import (
    ScoredFootage,
    choose_footage,
    keep_scores,
    score_footage,
    warn_of_training_footage,
)
from maskedskipunet.workflows.calibration_moments import Moment, draw_moments
from maskedskipunet.workflows.day_parts import require_start_times
from maskedskipunet.workflows.footage import source_of
from maskedskipunet.workflows.input_selection import NamedVideo
from maskedskipunet.workflows.normal_footage import paced_rule
from maskedskipunet.workflows.remembering import are_remembered, remember_footage, require_memory
from maskedskipunet.workflows.score_cache import KEPT_NAME, ScoreCache, model_key

MOST_STRANGE = 0.5  # share of strange frames from which on footage is unlike what the model was trained on


@dataclass(frozen=True, kw_only=True)
class CalibrateOptions:
    """Options of a calibration.

    exclude: names of videos, or NAME@START-END in seconds, to leave out, because normal footage often contains an
    anomaly. interval_h: hours of new footage for the predicted alarm rate. parts: parts of the day with their own
    thresholds, if there is enough footage. starts: a strptime pattern of the videos' names for the time of day of their
    start; without one, the files themselves must state it. pictures: folder for the highest-scoring moments (default:
    `calibration/` in the run or model folder). on_bad_frame: the action at a frame that cannot be read. ignore: shapes
    to ignore from now on besides the model's own; they are stored in `config.json`. remember: also let the model's
    appearance cue remember this footage as normal, so that its light and its looks raise fewer alarms. The threshold
    is set before that, because it must come from footage that the model does not know. Raises ConfigError for invalid
    settings.
    """

    exclude: Sequence[str] = ()
    interval_h: float = 24.0
    parts: Sequence[DayPart] = ()
    starts: str | None = None
    pictures: Path | None = None
    on_bad_frame: OnBadFrame = "stop"
    ignore: Sequence[str] = ()
    remember: bool = False
    device: str = "auto"

    def __post_init__(self) -> None:
        if not 0 < self.interval_h < float("inf"):
            raise ConfigError(f"{self.interval_h:g} hours", "interval", "Use more than 0")


@dataclass(frozen=True)
class CalibrateResult:
    """The result of a calibration. calibration: as written to `path`. earlier: the copy of the previous one, None if
    there was none. moments: the highest, most striking first. excluded: names of what was left out. kept_path: the file
    of scores, with which another budget needs no scoring; None if it could not be written. earlier_cues: the copy of
    the cues before the footage was remembered; None if nothing was.
    """

    calibration: Calibration
    path: Path
    earlier: Path | None
    moments: tuple[Moment, ...]
    excluded: tuple[str, ...]
    kept_path: Path | None = None
    earlier_cues: Path | None = None


def calibrate(
    model: Path,
    videos: Sequence[NamedVideo],
    budget: Budget,
    options: CalibrateOptions | None = None,
    *,
    progress: Progress | None = None,
) -> CalibrateResult:
    """Score normal footage, and write the calibration with the threshold that keeps a budget into the model's folder.

    videos: normal ones that the model was not trained on. Scores are kept in `calibration_scores.npz` of the run, so
    that another budget for the same footage needs no scoring. Raises MaskedSkipUNetError before anything is written.
    """
    progress, options = progress or Silent(), options or CalibrateOptions()
    folder = model_folder(model)
    home = folder.parent if folder.name == "model" else folder
    pictures = options.pictures or home / "calibration"
    require_writable(folder)
    require_writable(pictures)
    if options.remember:
        require_memory(folder)
    kept, time_ranges = choose_footage(videos, options.exclude)
    starts_s = require_start_times(kept, options.starts) if options.parts else [None] * len(kept)
    warn_of_training_footage(folder, kept, progress)
    scorer, sources, has_new_format = _scorer_and_sources(model, kept, options)
    settings = scorer.input_format.to_dict() | {"on_bad_frame": options.on_bad_frame}
    score_cache = ScoreCache.read(home / KEPT_NAME, model_key(folder, settings))
    scored = score_footage(kept, sources, time_ranges, scorer, score_cache, progress)
    _note_unlike(scored, scorer, progress)
    setting = _alarm_setting(scored, starts_s, budget, options)
    if options.remember or are_remembered(home, kept):
        setting = replace(setting, low_per_hour=0.0)  # what is remembered alarms less; by how much is not known
    calibration = replace(
        Calibration.of({video.name: video.scores for video in scored}),
        alarm=setting,
        drift=DriftReference.of([video.blocks for video in scored], scorer.drift_measure),
    )
    if calibration.drift is None:
        progress.note("too little footage to detect drift later: this takes at least two hours")
    moments = draw_moments(scored, scorer, pictures, score_cache.drawn, progress)
    if (drawn := frozenset(str(moment.picture.resolve()) for moment in moments)) != score_cache.drawn:
        score_cache.drawn = drawn
        keep_scores(score_cache)
    earlier = keep_earlier(folder)
    if has_new_format:
        rewrite_input_format(folder, scorer.input_format)
    calibration.write(folder)
    if folder.name == "model":  # so that a network trained on from this one is calibrated with the same footage
        _write_footage(RunFolder(folder.parent), kept, options.exclude)
    earlier_cues = None
    if options.remember:
        earlier_cues = remember_footage(folder, home, scored, time_ranges, scorer, progress)
        # The scores stay those of the model that did not know the footage: another budget needs just these.
        keep_scores(replace(score_cache, model=model_key(folder, settings)))
    kept_path = score_cache.path if score_cache.path.is_file() else None
    return CalibrateResult(
        calibration, folder / "calibration.json", earlier, moments, tuple(options.exclude), kept_path, earlier_cues
    )


def _scorer_and_sources(
    model: Path, videos: Sequence[NamedVideo], options: CalibrateOptions
) -> tuple[Scorer, list[Source], bool]:
    """Return the scorer with the shapes to ignore, its sources, and whether it ignores more than before."""
    scorer = load_scorer(model, options.device, calibrated=False)
    before = scorer.input_format
    sources = [source_of(video.path, before, options.on_bad_frame) for video in videos]
    now = in_percent(also_ignoring(before, options.ignore, "ignore"), sources, "ignore")
    return replace(scorer, input_format=now), sources, now != before


def _note_unlike(scored: Sequence[ScoredFootage], scorer: Scorer, progress: Progress) -> None:
    """Note that most of the footage is strange to the model's cues: its threshold will then find little."""
    scores = np.concatenate([video.scores for video in scored])
    if scorer.fuse is not None and (share := float((scores >= STRANGE).mean())) > MOST_STRANGE:
        progress.note(
            f"{share:.0%} of this footage is as strange to the model as one in 100 frames of its training: the light "
            "differs, or other things are there. The threshold will be high and find little; train on such hours too, "
            "or calibrate with --remember and then again on another day"
        )


def _alarm_setting(
    scored: Sequence[ScoredFootage], starts_s: Sequence[float | None], budget: Budget, options: CalibrateOptions
) -> AlarmSetting:
    """Return the threshold that keeps the budget, with those of the parts of the day."""
    normal = [
        NormalScores(video.name, video.time_s, video.scores, start_s)
        for video, start_s in zip(scored, starts_s, strict=True)
    ]
    rule = paced_rule(normal)
    if not options.parts:
        return set_threshold(normal, budget, rule, interval_h=options.interval_h)
    return set_thresholds(normal, budget, rule, options.parts, starts=options.starts, interval_h=options.interval_h)


def _write_footage(run: RunFolder, videos: Sequence[NamedVideo], exclude: Sequence[str]) -> None:
    used = {video.name: str(video.path.resolve()) for video in videos}
    write_json(run.calibrated_on, {"videos": used, "exclude": list(exclude)})
