"""`maskedskipunet feedback RUN EVENT… --normal|--anomaly`: what a person said of events, and a model that heeds it.

`feedback RUN --undo` takes the last answers back that changed the model.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from maskedskipunet.cli import console
from maskedskipunet.cli.models import find_model
from maskedskipunet.cli.parsing import Options, Parser
from maskedskipunet.cli.values import UsageError

if TYPE_CHECKING:
    from maskedskipunet.workflows.feedback import FeedbackResult

EPOCHS, LEARNING_RATE = 2, 1e-3


def run(arguments: Sequence[str]) -> int:
    parser = Parser(
        "feedback",
        "RUN EVENT…",
        "Answer recorded events with --normal or --anomaly, and adapt the model to what is normal.",
    )
    parser.add("run", type=Path, required=True, metavar="RUN", help="Adapt the model of this run.")
    parser.add(
        "events",
        type=tuple[str, ...],
        default=(),
        metavar="EVENT",
        help="Event ids; the first few characters are enough if unique.",
    )
    parser.add_switch("--normal", dest="normal", help="Mark these events as normal, so that they no longer alarm.")
    parser.add_switch("--anomaly", dest="anomaly", help="Mark these events as anomalies; this is only stored.")
    parser.add_switch("--undo", dest="undo", help="Undo the last answers, and what they changed in the model.")
    parser.add(
        "--records", type=Path, default=Path("records"), metavar="FOLDER", help="Read events from this records folder."
    )
    parser.add_switch(
        "--all-of-kind",
        dest="all_of_kind",
        help="Give the same answer to all alarms of the same kinds that have no answer yet.",
    )
    parser.add(
        "--by",
        type=Literal["cues", "calibrate", "train"],
        help="With --normal: teach the cues what these events look like, raise the threshold alone, or make a new run "
        "that is trained on with their clips (default: cues if the model has cues, else calibrate).",
    )
    parser.add("--epochs", type=int, default=EPOCHS, help="With --by train: train on every clip this many times.")
    parser.add(
        "--learning-rate", type=float, default=LEARNING_RATE, help="With --by train: set the learning rate of Adam."
    )
    parser.add_switch("--force", dest="force", help="Change the model even if it would lose an anomaly.")
    parser.add_switch("--dry-run", dest="dry_run", help="Show the result, and change nothing.")
    parser.add_device()
    parser.add_json()
    options = parser.parse(arguments)
    if options.undo:
        return _undo(options)
    if not options.events:
        raise UsageError("EVENT must be given", cure="See `maskedskipunet feedback --help`")
    if options.normal == options.anomaly:
        fault = "no answer is given for the events" if not options.normal else "events are either normal or anomalies"
        raise UsageError(fault, "feedback", "Use one of --normal and --anomaly")
    if options.by != "train" and (options.epochs, options.learning_rate) != (EPOCHS, LEARNING_RATE):
        raise UsageError("--epochs and --learning-rate belong to --by train", cure="Leave them out")
    return _anomaly(options) if options.anomaly else _normal(options)


def _undo(options: Options) -> int:
    answers = (options.events, options.normal, options.anomaly, options.by is not None)
    if any(answers) or options.force or options.all_of_kind:
        fault = "--undo undoes the last answers as a whole"
        raise UsageError(fault, "feedback", "Leave events and answers out")
    from maskedskipunet.workflows.feedback import undo_feedback

    undone = undo_feedback(find_model(options.run), options.records, dry_run=options.dry_run)
    figures = {"files": list(undone.files), "events": list(undone.answers), "gone": list(undone.gone)}
    console.write_figures(options.json, {"undone": figures, "dry_run": options.dry_run})
    verb = "would be answered" if options.dry_run else "answered"
    for event_id in undone.answers:
        console.say(f"{event_id}: {verb} as it was before")
    if undone.gone:
        console.say(f"{console.counted(len(undone.gone), 'event')} no longer in the records")
    for name in undone.files:
        console.say(f"{name}: {'would be' if options.dry_run else 'is'} as it was before")
    if options.dry_run:
        console.say("nothing was changed")
    return 0


def _anomaly(options: Options) -> int:
    from maskedskipunet.workflows.feedback import answer_anomaly

    chosen = answer_anomaly(options.records, options.events, all_of_kind=options.all_of_kind, dry_run=options.dry_run)
    ids = [recorded.event.id for recorded in chosen]
    console.write_figures(options.json, {"anomaly": ids, "dry_run": options.dry_run})
    verb = "would be answered" if options.dry_run else "answered"
    for event_id in ids:
        console.say(f"{event_id}: {verb} as an anomaly")
    return 0


def _normal(options: Options) -> int:
    from maskedskipunet.workflows.feedback import FeedbackOptions, feed_back_normal, figures

    result = feed_back_normal(
        find_model(options.run),
        options.records,
        options.events,
        FeedbackOptions(
            by=options.by,
            all_of_kind=options.all_of_kind,
            force=options.force,
            dry_run=options.dry_run,
            epochs=options.epochs,
            learning_rate=options.learning_rate,
            device=options.device,
        ),
        progress=console.make_progress(),
    )
    console.write_figures(options.json, figures(result) | {"dry_run": options.dry_run})
    rows = [
        (
            effect.id[: console.SHOWN_OF_ID],
            effect.camera,
            f"{effect.answer}, now" if effect.marked else effect.answer,
            f"{effect.top_score:.5f}",
            f"{effect.before_score:.5f} {_alarm(effect.alarms_before)}",
            "–" if effect.after_score is None else f"{effect.after_score:.5f} {_alarm(effect.alarms_after)}",
        )
        for effect in result.effects
    ]
    header = ("event", "camera", "answer", "reported", "held", "after")
    console.print_table("Answered events: score reported, and score held long enough to alarm", header, rows, left=3)
    for line in describe(result, options):
        console.say(line)
    return 0


def describe(result: "FeedbackResult", options: Options) -> list[str]:
    """Return sentences about the result of feedback."""
    lines = []
    if result.without_clip:
        lines.append(
            f"{console.counted(len(result.without_clip), 'answered event')} without a clip cannot be scored again"
        )
    lines += _describe_kind(result, dry_run=options.dry_run)
    before = result.before.alarm
    after = None if result.after is None else result.after.alarm
    if after is None:
        lines.append("the effect of a training is known only after it")
    elif before is not None and result.by != "train":
        if result.by == "cues":
            learned = "would learn" if options.dry_run else "learned"
            lines.append(f"the cues {learned} what these events look like and how they move")
        if after.rule.threshold == before.rule.threshold:
            lines.append(f"the threshold {before.rule.threshold:.5f} is high enough already")
        else:
            verb = "would be raised" if options.dry_run else "raised"
            lines.append(
                f"threshold {verb} from {before.rule.threshold:.5f} to {after.rule.threshold:.5f}, which stands for "
                f"about {after.budget.alarms:.2g} false alarms per {after.budget.per} instead of "
                f"{before.budget.alarms:.2g}"
            )
    elif after is not None:
        origin = "kept from the earlier run" if result.carried_over else f"set again for {after.budget}"
        lines.append(f"threshold {after.rule.threshold:.5f}, {origin}")
    if result.others is not None and result.others.open:
        lines.append(_describe_others(len(result.others.vanishing), len(result.others.open), dry_run=options.dry_run))
        if result.by == "cues":
            lines.append("alarms that look or move like these may no longer be raised either: score the footage again")
    lines += [f"{effect.id} was an anomaly and no longer alarms" for effect in result.lost]
    lines += [
        f"{effect.id} still alarms: train with more --epochs, or raise the new run's threshold with it"
        for effect in result.effects
        if effect.marked and effect.alarms_after
    ]
    if result.earlier_cues is not None:
        lines.append(f"the earlier cues: {result.earlier_cues}")
    if result.earlier is not None:
        lines.append(f"the earlier calibration: {result.earlier}")
    if options.dry_run:
        if result.lost and not options.force:
            lines.append("without --dry-run this is refused: use --by train, or --force to accept it")
        lines.append("nothing was changed")
    elif result.by == "train" and result.model is not None:
        lines.append(f"trained: {result.model}")
        lines.append(f"next: maskedskipunet watch CAMERA --model {shlex.quote(str(result.model))}")
    elif result.model is not None:
        lines.append(f"to undo this: maskedskipunet feedback {shlex.quote(str(result.model))} --undo")
    return lines


def _describe_kind(result: "FeedbackResult", *, dry_run: bool) -> list[str]:
    """Return lines that say what becomes of other alarms of the same kinds."""
    lines = []
    if result.settled:
        verb = "would be answered" if dry_run else "answered"
        lines.append(
            f"{console.counted(len(result.settled), 'alarm')} of the same kind {verb} too, without a clip to learn from"
        )
    if result.of_kind:
        others = console.counted(result.of_kind, "other alarm")
        verb = "has" if result.of_kind == 1 else "have"
        lines.append(f"{others} of the same kind {verb} no answer: --all-of-kind gives the same answer to all")
    return lines


def _describe_others(vanishing: int, unanswered: int, *, dry_run: bool) -> str:
    alarms = console.counted(unanswered, "other recorded alarm")
    would = "would not be raised" if dry_run else "would not have been raised"
    return f"of {alarms} without an answer, {vanishing:,} {would} at this threshold, by their highest scores"


def _alarm(alarms: bool | None) -> str:
    return "–" if alarms is None else "alarm" if alarms else "no alarm"
