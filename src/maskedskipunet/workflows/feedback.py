"""From alarm back to normal: what a person said of events, and a model that heeds it.

Events are told again from their clips, whose every frame the model has seen.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from maskedskipunet.data.sources import Source
from maskedskipunet.detection.budget import NormalScores
from maskedskipunet.detection.calibration import CALIBRATION_NAME, Calibration, keep_earlier
from maskedskipunet.detection.day import time_of_day_s
from maskedskipunet.detection.events import EventRule
from maskedskipunet.detection.raising import alarms, as_told, lasting_score, raised_over
from maskedskipunet.errors import CalibrationError, DataError, RecordsError, RunError
from maskedskipunet.files import require_writable, whole_file
from maskedskipunet.model.pretrained import model_folder
from maskedskipunet.progress import Progress, Silent
from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.records.store import Records
from maskedskipunet.runs import RunFolder, write_json
from maskedskipunet.scoring.loading import load_scorer
from maskedskipunet.workflows.calibrate import calibrate
from maskedskipunet.workflows.fine_tuning import fine_tuned
from maskedskipunet.workflows.gathering import NamedVideo
from maskedskipunet.workflows.other_alarms import OtherAlarms, other_alarms

FORMAT_VERSION = 1
By = Literal["calibrate", "train"]
ClipScores = Mapping[str, NormalScores | None]  # of clips by their event's id; None where a clip has none


@dataclass(frozen=True)
class Effect:
    """What becomes of an event that was answered. Scores: how high its clip is for as long as an alarm has to last, so
    that at a threshold from there on it is none; by the model before and after.

    top_score: the highest, that the event was told with. after_score, alarms_after: None where nothing was trained
    yet.
    """

    id: str
    camera: str
    answer: str
    marked: bool
    before_score: float
    alarms_before: bool
    after_score: float | None
    alarms_after: bool | None
    top_score: float

    @property
    def is_lost(self) -> bool:
        """An anomaly that is not told of any more."""
        return self.answer == "anomaly" and self.alarms_before and self.alarms_after is False


@dataclass(frozen=True)
class FeedbackResult:
    """model: the run that heeds what was said, a new one where it was trained; None where nothing was done.

    before, after: its alarms (after: None where nothing was trained yet). effects: of all answered events that have a
    clip; without_clip: ids of the others. earlier: where the calibration before it lies. carried_over: whether the
    thresholds are those of the network before. others: alarms that nobody has answered, where a threshold is raised.
    """

    model: Path | None
    before: Calibration
    after: Calibration | None
    effects: tuple[Effect, ...]
    without_clip: tuple[str, ...]
    earlier: Path | None = None
    carried_over: bool = False
    others: OtherAlarms | None = None

    @property
    def lost(self) -> tuple[Effect, ...]:
        return tuple(effect for effect in self.effects if effect.is_lost)


def answer_anomaly(folder: Path, beginnings: Sequence[str], *, dry_run: bool = False) -> list[RecordedEvent]:
    """Keep that these events were anomalies. Raises RecordsError as choose_events does."""
    with Records.open(folder, create=False) as records:
        chosen = choose_events(records.events(), beginnings)
        for recorded in [] if dry_run else chosen:
            records.answer(recorded.event.id, "anomaly")
    return chosen


def feed_back_normal(
    model: Path,
    folder: Path,
    beginnings: Sequence[str],
    *,
    by: By = "calibrate",
    force: bool = False,
    dry_run: bool = False,
    epochs: int = 2,
    learning_rate: float = 1e-3,
    device: str = "auto",
    progress: Progress | None = None,
) -> FeedbackResult:
    """Answer events as normal, keep their clips in the run's `feedback/`, and make its model heed it.

    model: a run with a calibration. folder: of records. beginnings: of events' ids. by: `calibrate` raises the
    threshold no further than it takes for these not to be alarms; `train` makes a new run, trained on with their clips
    among the run's own footage. force: raise it though an event that was answered as an anomaly is lost by that.
    dry_run: change nothing; what a training would do is then not known.
    Raises MaskedSkipUNetError, before anything is changed, for what cannot be done.
    """
    progress = progress or Silent()
    weights = model_folder(model)
    run = RunFolder(weights.parent if weights.name == "model" else weights)
    calibration = _calibration(weights, model)
    if by == "train" and not run.config.is_file():
        raise RunError("a model without its run cannot be trained on", str(model), "Name its run folder")
    if not dry_run:
        require_writable(run.path)
    with Records.open(folder, create=False) as records:
        answered = _Answered.of(records, beginnings)
        before: ClipScores = _score_clips(answered.paths, model, device, progress)
        for recorded in answered.marked:
            if before[recorded.event.id] is None:
                fault = "no frame of its clip has a score"
                raise RecordsError(fault, recorded.event.id, "Mark events whose clips are longer, and whole")
        answered = answered.only(before)
        before = {
            one.event.id: as_told(scores, _rule(calibration, scores.starts_s), one.event.top_score)
            for one, scores in answered.scored(before)
        }
        if by == "calibrate":
            result = _raise_threshold(answered, before, calibration)
            ids = {recorded.event.id for recorded in answered.marked}
            others = other_alarms(records.events(), ids, calibration, result.after or calibration)
            result = replace(result, others=others)
            if dry_run:
                return result
            if result.lost and not force:
                raise _refusal(result)
            _KeptClips(run.path / "feedback").add(answered.marked, answered.clips)
            if (raised := result.after) is not None and raised != calibration:
                result = replace(result, earlier=keep_earlier(weights))
                raised.write(weights)
            result = replace(result, model=run.path)
        elif dry_run:
            return FeedbackResult(None, calibration, None, answered.effects(before, calibration), answered.without_clip)
        else:
            training = _Training(epochs, learning_rate, device, progress)
            result = training.result(run, answered, before, calibration)
        for recorded in answered.marked:
            records.answer(recorded.event.id, "normal")
    return result


def choose_events(events: Sequence[RecordedEvent], beginnings: Sequence[str]) -> list[RecordedEvent]:
    """The events that are meant, each once, in the order of their naming.

    Raises RecordsError for a beginning that no id has, or several.
    """
    chosen: dict[str, RecordedEvent] = {}
    for text in beginnings:
        fits = [recorded for recorded in events if text and recorded.event.id.startswith(text)]
        exact = [recorded for recorded in fits if recorded.event.id == text]
        if not fits:
            raise RecordsError("there is no such event", text[:80], "See `maskedskipunet records export`")
        if len(fits) > 1 and not exact:
            some = ", ".join(recorded.event.id for recorded in fits[:3]) + (" …" if fits[3:] else "")
            raise RecordsError(f"{len(fits)} events begin so ({some})", text[:80], "Write more of the id")
        recorded = (exact or fits)[0]
        chosen[recorded.event.id] = recorded
    return list(chosen.values())


@dataclass(frozen=True)
class _Answered:
    """Events that were answered. marked: those that are answered now. told: those that have a clip; clips: its path,
    by the event's id.
    """

    marked: list[RecordedEvent]
    told: list[RecordedEvent]
    clips: dict[str, Path]
    without_clip: tuple[str, ...]

    @classmethod
    def of(cls, records: Records, beginnings: Sequence[str]) -> "_Answered":
        """Raises RecordsError for events that there are not, or that have no clip."""
        events = records.events()
        marked = choose_events(events, beginnings)
        ids = {recorded.event.id for recorded in marked}
        earlier = [one for one in events if one.answer is not None and one.event.id not in ids]
        told, clips, without_clip = [], {}, []
        for recorded in [*(replace(one, answer="normal") for one in marked), *earlier]:
            event_id, clip = recorded.event.id, records.clip_path(recorded.event.id, recorded.began_unix_s)
            if clip.is_file():
                told.append(recorded)
                clips[event_id] = clip
            elif event_id in ids:
                cure = "Mark events with clips; `watch` cuts them while there is room"
                raise RecordsError("the event has no clip", event_id, cure)
            else:
                without_clip.append(event_id)
        return cls(marked, told, clips, tuple(without_clip))

    @property
    def paths(self) -> list[Path]:
        return list(self.clips.values())

    def only(self, scores: ClipScores) -> "_Answered":
        """Those whose clips can be scored."""
        told = [recorded for recorded in self.told if scores[recorded.event.id] is not None]
        clips = {recorded.event.id: self.clips[recorded.event.id] for recorded in told}
        return _Answered(self.marked, told, clips, (*self.without_clip, *(self.clips.keys() - clips.keys())))

    def scored(self, scores: ClipScores) -> Iterator[tuple[RecordedEvent, NormalScores]]:
        """Events with their clips' scores, at the time of day that they began at."""
        for recorded in self.told:
            if (found := scores.get(recorded.event.id)) is not None:
                yield recorded, replace(found, starts_s=time_of_day_s(recorded.began_unix_s))

    def effects(
        self,
        before: ClipScores,
        calibration: Calibration,
        after: ClipScores | None = None,
        renewed: Calibration | None = None,
    ) -> tuple[Effect, ...]:
        """after: None where nothing was trained yet."""
        effects = []
        marked = {recorded.event.id for recorded in self.marked}
        for recorded, scores in self.scored(before):
            event_id = recorded.event.id
            later = None if after is None else after.get(event_id)
            again = None if later is None else replace(later, starts_s=scores.starts_s)
            before_score, alarms_before = _judged(scores, calibration)
            after_score, alarms_after = None, None
            if again is not None and renewed is not None:
                after_score, alarms_after = _judged(again, renewed)
            effects.append(
                Effect(
                    event_id,
                    recorded.camera,
                    str(recorded.answer),
                    event_id in marked,
                    before_score,
                    alarms_before,
                    after_score,
                    alarms_after,
                    recorded.event.top_score,
                )
            )
        return tuple(effects)


def _judged(scores: NormalScores, calibration: Calibration) -> tuple[float, bool]:
    """How high it lasts, and whether it is an alarm at its time of day."""
    assert calibration.alarm is not None
    rule = _rule(calibration, scores.starts_s)
    return lasting_score(scores, rule, calibration.alarm.usual), alarms(scores, rule)


def _raise_threshold(answered: _Answered, before: ClipScores, calibration: Calibration) -> FeedbackResult:
    """What it takes, not written yet."""
    ids = {recorded.event.id for recorded in answered.marked}
    marked = [scores for recorded, scores in answered.scored(before) if recorded.event.id in ids]
    raised = raised_over(calibration, marked)
    effects = answered.effects(before, calibration, before, raised)
    return FeedbackResult(None, calibration, raised, effects, answered.without_clip)


def _refusal(result: FeedbackResult) -> CalibrationError:
    assert result.after is not None
    return CalibrationError(
        f"raised to {_rule(result.after).threshold:.5f}, the threshold would miss what was answered as an anomaly",
        ", ".join(effect.id for effect in result.lost),
        "Use --by train, or --force if you can do without",
    )


@dataclass(frozen=True)
class _Training:
    """How a run is trained on with what is normal too."""

    epochs: int
    learning_rate: float
    device: str
    progress: Progress

    def result(
        self, run: RunFolder, answered: _Answered, before: ClipScores, calibration: Calibration
    ) -> FeedbackResult:
        marked = [answered.clips[recorded.event.id] for recorded in answered.marked]
        kept = _KeptClips(run.path / "feedback")
        names = {path.name for path in marked}
        training = fine_tuned(
            run,
            [*(path for path in kept.paths() if path.name not in names), *marked],
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            device=self.device,
            progress=self.progress,
        )
        with training as new:
            anew = _calibrate_again(run, new, calibration, self.device, self.progress)
            renewed = _calibration(new.model, new.path)
            after = _score_clips(answered.paths, new.path, self.device, self.progress)
            kept.copied_to(new.path / "feedback").add(answered.marked, answered.clips)
        kept.add(answered.marked, answered.clips)
        effects = answered.effects(before, calibration, after, renewed)
        return FeedbackResult(new.path, calibration, renewed, effects, answered.without_clip, carried_over=not anew)


class _KeptClips:
    """Clips that are normal though they alarmed: `ID.mp4` each, and `events.json` that tells which event it is."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._list = folder, folder / "events.json"

    def paths(self) -> list[Path]:
        return [path for path in sorted(self.folder.glob("*.mp4")) if path.is_file()]

    def copied_to(self, folder: Path) -> "_KeptClips":
        """The same in another run."""
        for path in [*self.paths(), *([self._list] if self._list.is_file() else [])]:
            _copy(path, folder / path.name)
        return _KeptClips(folder)

    def add(self, events: Sequence[RecordedEvent], clips: dict[str, Path]) -> None:
        told = {one["id"]: one for one in self._told()}
        for recorded in events:
            name = f"{recorded.event.id}.mp4"
            _copy(clips[recorded.event.id], self.folder / name)
            told[recorded.event.id] = {
                "id": recorded.event.id,
                "clip": name,
                "camera": recorded.camera,
                "began_unix_s": recorded.began_unix_s,
                "top_score": recorded.event.top_score,
            }
        write_json(self._list, {"format": FORMAT_VERSION, "events": list(told.values())})

    def _told(self) -> list[dict[str, Any]]:
        try:
            return [one for one in json.loads(self._list.read_text(encoding="utf-8"))["events"] if "id" in one]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError("not a list of events", str(self._list), "Remove it; the clips stay") from error


def _copy(source: Path, target: Path) -> None:
    with whole_file(target) as part:
        part.write_bytes(source.read_bytes())


def _calibration(folder: Path, model: Path) -> Calibration:
    calibration = Calibration.read(folder)
    if calibration is None or calibration.alarm is None:
        cure = f"Set one with `maskedskipunet calibrate NORMAL… --model {model} --false-alarms-per-day 1`"
        raise CalibrationError("the model has no threshold", str(model), cure)
    return calibration


def _rule(calibration: Calibration, starts_s: float | None = None) -> EventRule:
    """At a time of day, or the common one."""
    assert calibration.alarm is not None
    return calibration.alarm.rule_at(starts_s)


def _score_clips(paths: Sequence[Path], model: Path, device: str, progress: Progress) -> dict[str, NormalScores | None]:
    """Every frame of each clip: `watch` cuts them of the frames that it scores. By their events' ids."""
    scorer = load_scorer(model, device, calibrated=False)
    scored: dict[str, NormalScores | None] = {}
    with progress.stage("scoring clips", len(paths), "clips") as advance:
        for path in paths:
            found = []
            try:
                for frame in scorer.score(Source(path=path, on_bad_frame="skip").frames()):
                    found.append((frame.time_s, np.nan if frame.score is None else frame.score))
            except DataError as error:
                progress.note(str(error))
            time_s, scores = np.array(found or [(0.0, np.nan)]).T
            scored[path.stem] = None if np.isnan(scores).all() else NormalScores(path.stem, time_s, scores)
            advance(1)
    return scored


def _calibrate_again(run: RunFolder, new: RunFolder, calibration: Calibration, device: str, progress: Progress) -> bool:
    """Set the new run's threshold by the footage of the old one's; where that is gone its thresholds are taken over.

    Returns whether it was set anew.
    """
    assert calibration.alarm is not None
    day = calibration.alarm.day
    try:
        told = json.loads(run.calibrated_on.read_text(encoding="utf-8"))
        videos = [NamedVideo(str(name), Path(path)) for name, path in told["videos"].items()]
        gone = [str(video.path) for video in videos if not video.path.exists()]
        if not gone:
            calibrate(
                new.path,
                videos,
                calibration.alarm.budget,
                exclude=told["exclude"],
                interval_h=calibration.alarm.interval_h,
                parts=() if day is None else [each.part for each in day.parts],
                starts=None if day is None else day.starts,
                device=device,
                progress=progress,
            )
            return True
        reason = f"{gone[0]} is not there any more"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        reason = "it is not known which that was"
    except (DataError, CalibrationError) as error:
        reason = str(error)
    progress.note(f"the footage of the calibration cannot be scored again: {reason}; its thresholds are taken over")
    with whole_file(new.model / CALIBRATION_NAME) as part:
        part.write_bytes((run.model / CALIBRATION_NAME).read_bytes())
    return False


def figures(result: FeedbackResult) -> dict[str, Any]:
    """The result in plain values, for programs."""
    return {
        "model": None if result.model is None else str(result.model),
        "before": _rule_figures(result.before),
        "after": None if result.after is None else _rule_figures(result.after),
        "carried_over": result.carried_over,
        "events": [asdict(effect) for effect in result.effects],
        "without_clip": list(result.without_clip),
        "lost": [effect.id for effect in result.lost],
        "others": None if result.others is None else asdict(result.others),
    }


def _rule_figures(calibration: Calibration) -> dict[str, Any]:
    assert calibration.alarm is not None
    setting = calibration.alarm
    return {"threshold": setting.rule.threshold, "release": setting.rule.release, "budget": asdict(setting.budget)}
