"""Adapts a model to what a person answered about events.

Events are found again in their clips, which hold every frame that the model has seen.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from maskedskipunet.cues.cue_model import CUES_NAME, CueModel
from maskedskipunet.detection.calibration import CALIBRATION_NAME, Calibration
from maskedskipunet.detection.threshold_adjustment import lost_by_compression, raised_above
from maskedskipunet.errors import CalibrationError, ConfigError, RunError
from maskedskipunet.files import require_writable
from maskedskipunet.model.pretrained import model_folder
from maskedskipunet.progress import Progress, Silent
from maskedskipunet.records.kinds import unanswered_of_kind
from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.records.store import Records
from maskedskipunet.runs import RunFolder
from maskedskipunet.workflows.answered_clips import AnsweredClips, ClipScorer
from maskedskipunet.workflows.answered_events import (
    AnsweredEvents,
    ClipScores,
    Effect,
    Spans,
    choose_events,
    rule_of,
)
from maskedskipunet.workflows.feedback_steps import FeedbackSteps, Undone
from maskedskipunet.workflows.feedback_training import FeedbackTraining
from maskedskipunet.workflows.other_alarms import OtherAlarms, other_alarms

By = Literal["cues", "calibrate", "train"]


@dataclass(frozen=True)
class FeedbackResult:
    """model: the run that heeds what was said, a new one where it was trained; None if nothing was done.

    by: how it does. before, after: its alarms (after: None if nothing was trained yet). effects: of all answered
    events that have a clip; without_clip: ids of the others. earlier: where the calibration before it lies.
    earlier_cues: where its cues before lie. carried_over: whether the thresholds are those of the network before.
    others: alarms that nobody has answered, where a threshold is raised. settled: ids of events that were answered with
    others of their kind and have no clip to learn from. of_kind: how many others of the kinds are left unanswered.
    """

    model: Path | None
    by: By
    before: Calibration
    after: Calibration | None
    effects: tuple[Effect, ...]
    without_clip: tuple[str, ...]
    earlier: Path | None = None
    earlier_cues: Path | None = None
    carried_over: bool = False
    others: OtherAlarms | None = None
    settled: tuple[str, ...] = ()
    of_kind: int = 0

    @property
    def lost(self) -> tuple[Effect, ...]:
        """Anomalies that no longer raise an alarm."""
        return tuple(effect for effect in self.effects if effect.is_lost)


def answer_anomaly(
    folder: Path, id_prefixes: Sequence[str], *, all_of_kind: bool = False, dry_run: bool = False
) -> list[RecordedEvent]:
    """Keep that these events were anomalies.

    all_of_kind: answer all events of their kinds that nobody has answered, too. dry_run: change nothing.
    Raises RecordsError as choose_events does.
    """
    with Records.open(folder, create=False) as records:
        events = records.events()
        chosen = choose_events(events, id_prefixes, with_kind=all_of_kind)
        chosen += unanswered_of_kind(events, chosen) if all_of_kind else []
        for recorded in [] if dry_run else chosen:
            records.answer(recorded.event.id, "anomaly")
    return chosen


@dataclass(frozen=True, kw_only=True)
class FeedbackOptions:
    """Options of feedback that events were normal.

    by: `cues` teaches the model's cues what these events look like and how they move, and raises the threshold over
    what is left; `calibrate` raises the threshold no further than it takes for these not to be alarms; `train` makes a
    new run, trained on with their clips among the run's own footage, for so many epochs at this learning rate; None:
    by the cues where the model has some, else by the calibration. all_of_kind: give the same answer to all events of
    their kinds that nobody has answered. force: do it though an event that was answered as an
    anomaly is lost by that. dry_run: change nothing; what a training would do is then not known.
    """

    by: By | None = None
    all_of_kind: bool = False
    force: bool = False
    dry_run: bool = False
    epochs: int = 2
    learning_rate: float = 1e-3
    device: str = "auto"

    def training(self, progress: Progress) -> FeedbackTraining:
        """Return how a run is trained on."""
        return FeedbackTraining(self.epochs, self.learning_rate, self.device, progress)


def feed_back_normal(
    model: Path,
    folder: Path,
    id_prefixes: Sequence[str],
    options: FeedbackOptions | None = None,
    *,
    progress: Progress | None = None,
) -> FeedbackResult:
    """Answer events as normal, keep their clips in the run's `feedback/`, and apply the answers to its model.

    model: a run with a calibration. folder: of records. id_prefixes: the first characters of events' ids. Raises
    MaskedSkipUNetError before anything is changed.
    """
    progress, options = progress or Silent(), options or FeedbackOptions()
    target = _Target.of(model)
    by = target.method(options.by)
    target.calibration()  # a model without a threshold is refused before anything is looked at
    with ExitStack() as stack:
        if not options.dry_run:
            require_writable(target.run.path)
            stack.enter_context(target.run.for_one_process())
            target.finish_interrupted(folder, progress)
        records = stack.enter_context(Records.open(folder, create=False))
        scorer = ClipScorer(model, options.device, progress)
        answered = AnsweredEvents.of(records, id_prefixes, with_kind=options.all_of_kind)
        smoothing_s = target.cues().smoothing_s if target.has_cues else 0.0
        answers = _Answers.of(answered, scorer, target.calibration(), smoothing_s)
        if by == "train":
            if options.dry_run:
                return answers.result(by)
            result = _trained(target, answers, options.training(progress))
            for recorded in answers.answered.answered:
                records.answer(recorded.event.id, "normal")
            return result
        cues = answers.learned(target.cues(), scorer) if by == "cues" else None
        result = answers.raised(by, answers.before if cues is None else answers.again(cues, scorer))
        result = replace(result, others=_others(records, answers, result))
        if options.dry_run:
            return result
        if result.lost and not options.force:
            raise _refusal(result)
        return _written(target, records, answers, cues, result)


def undo_feedback(model: Path, folder: Path, *, dry_run: bool = False, progress: Progress | None = None) -> Undone:
    """Take the last answers back that changed a model without training: its earlier files and the earlier answers hold.

    model: the run. folder: of records, where those that the answers were kept in are not there any more. dry_run:
    change nothing. Raises RunError if there are none, or the model was calibrated or trained again since.
    """
    target = _Target.of(model)
    if dry_run:
        step = target.steps.last()
        return Undone(tuple(file.name for file in step.files), tuple(before.id for before in step.answers), ())
    require_writable(target.run.path)
    with target.run.for_one_process():
        return target.steps.undo(folder)


@dataclass(frozen=True)
class _Target:
    """The model that is to heed answers. named: as it was asked for. weights: its folder."""

    named: Path
    weights: Path
    run: RunFolder

    @classmethod
    def of(cls, model: Path) -> "_Target":
        weights = model_folder(model)
        return cls(model, weights, RunFolder(weights.parent if weights.name == "model" else weights))

    def method(self, asked: By | None) -> By:
        """Return the method that applies answers. Raises RunError or ConfigError for one that this model cannot use."""
        by: By = asked or ("cues" if self.has_cues else "calibrate")
        if by == "train" and not self.run.config.is_file():
            raise RunError("a model without its run cannot be trained on", str(self.named), "Name its run folder")
        if by == "cues" and not self.has_cues:
            raise ConfigError("the model has no cues that could learn", str(self.named), "Use --by calibrate")
        return by

    @property
    def has_cues(self) -> bool:
        return (self.weights / CUES_NAME).exists()

    @property
    def kept(self) -> AnsweredClips:
        """Clips that are normal though they alarmed."""
        return AnsweredClips(self.run.path / "feedback")

    @property
    def steps(self) -> FeedbackSteps:
        """The steps of feedback in the model's folder."""
        return FeedbackSteps(self.weights, self.kept)

    def calibration(self) -> Calibration:
        """Return its calibration, with a threshold. Raises CalibrationError if it has none."""
        return _calibration(self.weights, self.named)

    def cues(self) -> CueModel:
        """Return its cues."""
        cues = CueModel.read(self.weights)
        assert cues is not None  # `method` saw to it
        return cues

    def finish_interrupted(self, folder: Path, progress: Progress) -> None:
        """Undo the incomplete step of a killed process."""
        if self.steps.finish_interrupted(folder) is not None:
            progress.note("undoing an unfinished answer first")


@dataclass(frozen=True)
class _Answers:
    """The answered events and the scores of their clips. before: by the present model. factors: the factor by which
    compression lowered each clip's scores. spans: when the event of each clip begins and ends; what else a clip shows
    is not judged.
    """

    answered: AnsweredEvents
    calibration: Calibration
    before: ClipScores
    factors: Mapping[str, float]
    spans: Spans

    @classmethod
    def of(
        cls, answered: AnsweredEvents, scorer: ClipScorer, calibration: Calibration, smoothing_s: float
    ) -> "_Answers":
        raw = scorer.score(answered.paths)
        answered = answered.only(raw)
        factors = {
            event.id: lost_by_compression(scores, rule_of(calibration, scores.starts_s), event.top_score)
            for event, scores in ((recorded.event, scores) for recorded, scores in answered.scored(raw))
        }
        before = _scaled(raw, factors)
        spans = answered.spans(before, calibration, smoothing_s)
        return cls(answered, calibration, _within(before, spans), factors, spans)

    def learned(self, cues: CueModel, scorer: ClipScorer) -> CueModel:
        """Return the cues after they have learned what is normal."""
        return scorer.learn(self.answered.marked_clips, cues, self.spans)

    def again(self, cues: CueModel, scorer: ClipScorer) -> ClipScores:
        """Return the clips' scores by other cues."""
        return _within(_scaled(scorer.score_again(self.answered.paths, cues), self.factors), self.spans)

    def raised(self, by: By, after: ClipScores) -> FeedbackResult:
        """Return the threshold raised above normal scores, no further than necessary, not written yet. after: scores by
        then.
        """
        raised = raised_above(self.calibration, self.answered.marked_scores(after))
        return self.result(by, after, raised)

    def result(self, by: By, after: ClipScores | None = None, renewed: Calibration | None = None) -> FeedbackResult:
        """Return the result for all answered events."""
        effects = self.answered.effects(self.before, self.calibration, after, renewed)
        answered = self.answered
        return FeedbackResult(
            None,
            by,
            self.calibration,
            renewed,
            effects,
            answered.without_clip,
            settled=tuple(recorded.event.id for recorded in answered.settled),
            of_kind=answered.of_kind,
        )


def _others(records: Records, answers: _Answers, result: FeedbackResult) -> OtherAlarms:
    """Return the effect of a raised threshold on alarms without an answer."""
    ids = {recorded.event.id for recorded in answers.answered.answered}
    return other_alarms(records.events(), ids, answers.calibration, result.after or answers.calibration)


def _scaled(scores: ClipScores, factors: Mapping[str, float]) -> ClipScores:
    return {
        event_id: None if found is None else replace(found, scores=found.scores * factors.get(event_id, 1.0))
        for event_id, found in scores.items()
    }


def _within(scores: ClipScores, spans: Spans) -> ClipScores:
    """Return scores of clips with those outside of their events' spans unknown."""
    kept = dict(scores)
    for event_id, (begin_s, end_s) in spans.items():
        if (found := scores.get(event_id)) is not None:
            is_event = (begin_s <= found.time_s) & (found.time_s <= end_s)
            kept[event_id] = replace(found, scores=np.where(is_event, found.scores, np.nan))
    return kept


def _written(
    target: _Target, records: Records, answers: _Answers, cues: CueModel | None, result: FeedbackResult
) -> FeedbackResult:
    """Write all changes or none: the cues first, because any threshold fits any cues."""
    answered, raised = answers.answered, result.after
    assert raised is not None
    changed = {CUES_NAME: cues is not None, CALIBRATION_NAME: raised != answers.calibration}
    names = [name for name, is_new in changed.items() if is_new]
    with target.steps.step(records, answered.marked, names, also=answered.settled) as earlier:
        if cues is not None:
            cues.write(target.weights)
        if raised != answers.calibration:
            raised.write(target.weights)
        target.kept.add(answered.marked, answered.clips)
        for recorded in answered.answered:
            records.answer(recorded.event.id, "normal")
    return replace(
        result, model=target.run.path, earlier=earlier.get(CALIBRATION_NAME), earlier_cues=earlier.get(CUES_NAME)
    )


def _trained(target: _Target, answers: _Answers, training: FeedbackTraining) -> FeedbackResult:
    trained = training.train(target.run, answers.answered, answers.calibration)
    renewed = _calibration(trained.run.model, trained.run.path)
    result = answers.result("train", trained.scores, renewed)
    return replace(result, model=trained.run.path, carried_over=trained.carried_over)


def _refusal(result: FeedbackResult) -> CalibrationError:
    assert result.after is not None
    lost, cure = ", ".join(effect.id for effect in result.lost), "Use --by train, or --force to accept it"
    if result.after == result.before:
        fault = "learned as normal, this would hide what was answered as an anomaly"
        return CalibrationError(fault, lost, f"Use --by calibrate to try the threshold alone. {cure}")
    fault = f"raised to {rule_of(result.after).threshold:.5f}, the threshold would miss what was answered as an anomaly"
    return CalibrationError(fault, lost, cure)


def _calibration(folder: Path, model: Path) -> Calibration:
    calibration = Calibration.read(folder)
    if calibration is None or calibration.alarm is None:
        cure = f"Set one with `maskedskipunet calibrate NORMAL… --model {model} --false-alarms-per-day 1`"
        raise CalibrationError("the model has no threshold", str(model), cure)
    return calibration


def figures(result: FeedbackResult) -> dict[str, Any]:
    """Return the result in plain values, for programs."""
    return {
        "model": None if result.model is None else str(result.model),
        "by": result.by,
        "before": _rule_figures(result.before),
        "after": None if result.after is None else _rule_figures(result.after),
        "carried_over": result.carried_over,
        "events": [asdict(effect) for effect in result.effects],
        "without_clip": list(result.without_clip),
        "settled": list(result.settled),
        "of_kind": result.of_kind,
        "lost": [effect.id for effect in result.lost],
        "others": None if result.others is None else asdict(result.others),
    }


def _rule_figures(calibration: Calibration) -> dict[str, Any]:
    assert calibration.alarm is not None
    setting = calibration.alarm
    return {"threshold": setting.rule.threshold, "release": setting.rule.release, "budget": asdict(setting.budget)}
