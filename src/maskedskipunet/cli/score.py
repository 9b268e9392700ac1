"""Runs `maskedskipunet score SOURCE… --model RUN`: scores and events of one video or many."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maskedskipunet.cli import console
from maskedskipunet.cli.hiding import hide_passwords
from maskedskipunet.cli.models import find_model
from maskedskipunet.cli.parsing import Options, Parser
from maskedskipunet.cli.values import PathText, UsageError
from maskedskipunet.data.frames import OnBadFrame

if TYPE_CHECKING:
    from maskedskipunet.detection.drift import DriftChange
    from maskedskipunet.workflows.input_selection import NamedVideo, RemoteVideo
    from maskedskipunet.workflows.score import ScoreOptions, ScoreResult
    from maskedskipunet.workflows.score_many import ManyScores

TOP_MOMENTS = 5
APART_S = 2.0


def _parse(arguments: Sequence[str]) -> Options:
    parser = Parser("score", "SOURCE… --model RUN", "Score one video or many with a trained model.")
    parser.add(
        "sources",
        type=tuple[PathText, ...],
        required=True,
        metavar="SOURCE",
        help="Score these: video files, folders, patterns such as 'day*/*.mp4', addresses of videos (https://) and "
        "streams (rtsp://), or .txt lists of them. ${NAME} in an address is taken from the environment.",
    )
    parser.add("--model", type=Path, required=True, metavar="RUN", help="Score with this run folder or model.")
    parser.add(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="Write the results into this folder (default: scores/NAME; for many videos, a folder each in scores/).",
    )
    parser.add_switch(
        "--video",
        dest="with_video",
        help="Also write a comparison video, and an annotated video if the model has a threshold.",
    )
    parser.add(
        "--on-bad-frame", type=OnBadFrame, default="stop", help="Stop at a frame that cannot be read, or skip it."
    )
    parser.add(
        "--seconds",
        type=float,
        metavar="N",
        help="Score this many seconds of a stream, which never ends (default: none).",
    )
    parser.add(
        "--videos-together",
        type=int,
        default=1,
        metavar="N",
        help="Score this many videos side by side; scores do not depend on it.",
    )
    _add_recording(parser)
    parser.add_ignore()
    parser.add_device()
    parser.add_precision()
    parser.add_json()
    options = parser.parse(arguments)
    for name in ("camera", "starts"):
        if options[name] is not None and options.records is None:
            raise UsageError(f"--{name} needs --records", "score", f"Give --records, or leave --{name} out")
    return options


def _add_recording(parser: Parser) -> None:
    parser.add(
        "--records",
        type=Path,
        metavar="FOLDER",
        help="Also record events, clips and score curves in this folder, as `watch` does (default: none).",
    )
    parser.add(
        "--camera",
        type=str,
        metavar="NAME",
        help="With --records: record all videos as this camera (default: each under its own name).",
    )
    parser.add(
        "--starts",
        type=str,
        metavar="PATTERN",
        help="With --records: read start times from the names of files and folders, as `calibrate` does (default: "
        "start times of the containers, else each video ended when its file was last changed).",
    )


def run(arguments: Sequence[str]) -> int:
    options = _parse(arguments)

    from maskedskipunet.workflows.input_selection import RemoteVideo, find_sources, is_address, is_one_video

    is_one = len(options.sources) == 1 and is_one_video(options.sources[0])
    if is_one and not is_address(options.sources[0]):
        _require_a_stream([], options)
        path = Path(options.sources[0])
        if path.is_dir():
            find_sources(options.sources, console.make_progress().note)  # says what in it is no frame
        # A link keeps its own name; `.` and `..` have none. Path.resolve raises for circular links.
        named = path if path.name not in ("", "..") else Path(os.path.realpath(path))
        return _score_one(path, named.stem, options)
    videos = find_sources(options.sources, console.make_progress().note)
    remote = [video for video in videos if isinstance(video, RemoteVideo)]
    _require_a_stream(remote, options)
    hide_passwords([secret for video in remote for secret in video.address.secrets])
    return _score_one(remote[0], remote[0].name, options) if is_one else _score_many(videos, options)


def _require_a_stream(remote: "Sequence[RemoteVideo]", options: Options) -> None:
    if options.seconds is not None and not remote:
        raise UsageError("none of the sources is a stream", "--seconds", "Leave it out")


def _score_options(options: Options) -> "ScoreOptions":
    from maskedskipunet.workflows.recorded_scores import RecordsTarget
    from maskedskipunet.workflows.score import ScoreOptions

    target = None
    if options.records is not None:
        target = RecordsTarget(folder=options.records, camera=options.camera, starts=options.starts)
    return ScoreOptions(
        records=target,
        with_video=options.with_video,
        on_bad_frame=options.on_bad_frame,
        device=options.device,
        precision=options.precision,
        together=options.videos_together,
        seconds=options.seconds,
        ignore=tuple(options.ignore),
    )


def _score_one(video: "Path | RemoteVideo", name: str, options: Options) -> int:
    from maskedskipunet.workflows.score import score

    result = score(
        video,
        find_model(options.model),
        options.out or Path("scores") / name,
        _score_options(options),
        progress=console.make_progress(),
    )
    scored = result.scored
    console.write_figures(options.json, _figures(result))
    for line in _surplus(result):
        console.say(line)
    if scored.events:
        from maskedskipunet.cli.event_table import print_event_table

        print_event_table(scored, result.event_pictures, result.calibration)
    else:
        _print_highest(result)
    for line in _describe(result, options.model):
        console.say(line)
    if result.recorded is not None:
        from maskedskipunet.cli.event_table import describe_recorded

        console.say(describe_recorded(result.recorded))
    for path in result.paths:
        console.say(str(path))
    if any(result.event_pictures):
        console.say(f"pictures of events: {next(filter(None, result.event_pictures)).parent}")
    return 0


def _figures(result: "ScoreResult") -> dict[str, object]:
    scored, has_score = result.scored, result.scored.labelled.scored
    figures: dict[str, object] = {"frames": len(has_score), "frames_scored": int(has_score.sum())}
    figures["highest"] = _highest(result)
    if result.effect is not None:
        figures["precision_effect"] = result.effect.figures()
    if result.recorded is not None:
        figures["recorded"] = result.recorded.figures()
    if scored.events is not None:
        from maskedskipunet.cli.event_table import event_figures
        from maskedskipunet.workflows.events import scored_hours

        assert result.calibration is not None
        assert result.calibration.alarm is not None
        figures |= {"threshold": scored.threshold, "events": len(scored.events), "drift": [*map(asdict, scored.drift)]}
        figures |= {
            "event_list": event_figures(scored.events, result.event_pictures, result.normal_pictures),
            "budget": asdict(result.calibration.alarm.budget),
            "scored_hours": scored_hours(scored),
        }
    if scored.labels is not None:
        figures |= {"frames_anomalous": int(scored.labels.sum()), "auc": scored.curve.auc}
    return figures


def _surplus(result: "ScoreResult") -> list[str]:
    """Return lines to print first if a video has more alarms than the budget explains."""
    alarm = None if result.calibration is None else result.calibration.alarm
    if alarm is None or not result.scored.events:
        return []
    from maskedskipunet.cli.event_table import describe_surplus
    from maskedskipunet.workflows.events import scored_hours

    return describe_surplus(len(result.scored.events), scored_hours(result.scored), alarm.budget)


def _highest(result: "ScoreResult") -> list[dict[str, Any]]:
    """Return the highest scores, some seconds apart."""
    scored = result.scored
    top = top_moments(scored.time_s, scored.scores)
    shares = None if result.calibration is None else result.calibration.share(scored.scores[top]).tolist()
    return [
        {
            "time_s": float(scored.time_s[position]),
            "frame": int(scored.index[position]),
            "score": float(scored.scores[position]),
            "normal_share": share,
        }
        for position, share in zip(top, shares or [None] * len(top), strict=True)
    ]


def _print_highest(result: "ScoreResult") -> None:
    """Print the moments that come closest to an event, for a video without events."""
    from maskedskipunet.detection.calibration import describe_rarity

    header = ["time (s)", "frame", "score", *([] if result.calibration is None else ["normal frames this high"])]
    rows = []
    for moment in _highest(result):
        row = [f"{moment['time_s']:.2f}", moment["frame"], f"{moment['score']:.5f}"]
        if result.calibration is not None:
            row.append(describe_rarity(moment["normal_share"], result.calibration.frames))
        rows.append(row)
    if rows:
        console.print_table("Highest scores", header, rows, left=0)


def _describe(result: "ScoreResult", model: Path) -> list[str]:
    """Return sentences about the result."""
    scored, has_score = result.scored, result.scored.labelled.scored
    lines = [console.frames_scored(int(has_score.sum()), len(has_score))]
    if result.effect is not None:
        lines.append(result.effect.describe())
    if scored.labels is not None:
        auc = "" if scored.curve.auc is None else f", AUC {console.figure(scored.curve.auc)}"
        lines.append(f"labels beside the video: {int(scored.labels.sum()):,} of these frames are anomalous{auc}")
    if scored.events is not None and scored.threshold is not None:
        from maskedskipunet.cli.event_table import describe_budget
        from maskedskipunet.workflows.events import scored_hours

        assert result.calibration is not None
        assert result.calibration.alarm is not None
        budget = result.calibration.alarm.budget
        lines.append(describe_budget(len(scored.events), scored_hours(scored), scored.threshold, budget))
    elif result.calibration is not None:
        command = f"`maskedskipunet calibrate NORMAL… --model {shlex.quote(str(model))} --false-alarms-per-day 1`"
        lines.append(f"no events: the model has no threshold, only how rare scores are; {command} sets one")
    return [*lines, *describe_drift(scored.drift, model)]


def _score_many(videos: "Sequence[NamedVideo | RemoteVideo]", options: Options) -> int:
    from maskedskipunet.workflows.score_many import score_many

    out = options.out or Path("scores")
    result = score_many(
        videos,
        find_model(options.model),
        out,
        _score_options(options),
        progress=console.make_progress(),
    )
    console.write_figures(options.json, _figures_of_many(result))
    for line in _describe_surplus(result):
        console.say(line)
    if result.done:
        rows = [
            (
                video.name,
                f"{video.frames_scored:,}",
                f"{video.highest:.5f}",
                "–" if video.events is None else video.events,
            )
            for video in result.done
        ]
        console.print_table("ScoredFrame videos", ("video", "frames scored", "highest", "events"), rows)
    for line in _describe_kinds(result):
        console.say(line)
    for line in _describe_budget(result):
        console.say(line)
    for video in result.done:
        for line in describe_drift(video.drift, options.model):
            console.say(f"{video.name}: {line}")
    for line in _recorded_lines(result):
        console.say(line)
    if result.before:
        console.say(f"{console.counted(len(result.before), 'video')} finished before")
    for name, fault in result.failed:
        console.say(f"failed: {name}: {fault}")
    if result.events_path is not None:
        console.say(f"events of all videos: {result.events_path}")
    console.say(f"results: {out}")
    return 1 if result.failed else 0


def _figures_of_many(result: "ManyScores") -> dict[str, object]:
    return {
        "videos": [
            {
                "video": video.name,
                "frames": video.frames,
                "frames_scored": video.frames_scored,
                "highest": video.highest,
                "events": video.events,
                "scored_hours": video.scored_h,
                **({} if video.recorded is None else {"recorded": video.recorded.figures()}),
                "drift": [*map(asdict, video.drift)],
            }
            for video in result.done
        ],
        "kinds": [kind.figures() for kind in result.kinds],
        "finished_before": list(result.before),
        "failed": [{"video": name, "fault": fault} for name, fault in result.failed],
    }


def _recorded_lines(result: "ManyScores") -> list[str]:
    """Return a line for each video that was put into records."""
    from maskedskipunet.cli.event_table import describe_recorded

    return [describe_recorded(video.recorded) for video in result.done if video.recorded is not None]


def _describe_budget(result: "ManyScores") -> list[str]:
    """Return lines that compare the number of events in all videos scored now with the budget."""
    from maskedskipunet.cli.event_table import describe_budget

    alarm = None if result.calibration is None else result.calibration.alarm
    if alarm is None or not result.done:
        return []
    return [describe_budget(*_total(result), alarm.rule.threshold, alarm.budget)]


def _describe_surplus(result: "ManyScores") -> list[str]:
    """Return lines to print first if the videos together have more alarms than the budget explains."""
    from maskedskipunet.cli.event_table import describe_surplus

    alarm = None if result.calibration is None else result.calibration.alarm
    return [] if alarm is None else describe_surplus(*_total(result), alarm.budget)


def _describe_kinds(result: "ManyScores") -> list[str]:
    """Return a line for each kind of several alarms, of the largest kinds."""
    from maskedskipunet.cli.event_table import MAX_SHOWN
    from maskedskipunet.detection.kinds import describe_kind
    from maskedskipunet.view.reasons import describe_reason

    many = sorted((kind for kind in result.kinds if kind.events > 1), key=lambda kind: -kind.events)[:MAX_SHOWN]
    firsts = [f"{console.clock(kind.start_s)} of {kind.video}" for kind in many]
    return [
        f"{describe_kind(kind.events, first)}: {describe_reason(kind.reason)}"
        for kind, first in zip(many, firsts, strict=True)
    ]


def _total(result: "ManyScores") -> tuple[int, float]:
    """Return the number of events in all videos scored now, and the hours of them that have scores."""
    return sum(video.events or 0 for video in result.done), sum(video.scored_h for video in result.done)


def describe_drift(changes: "Sequence[DriftChange]", model: Path) -> list[str]:
    """Return a line for each begin and end of drift, with the cure at its begin."""
    cure = f"calibrate again, `maskedskipunet calibrate NORMAL… --model {shlex.quote(str(model))}`"
    return [f"{change.describe()}: {cure}" if change.phase == "begin" else change.describe() for change in changes]


def top_moments(time_s: np.ndarray, scores: np.ndarray) -> list[int]:
    """Return the positions of the highest scores, none within two seconds of a higher one."""
    chosen: list[int] = []
    for position in np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable"):
        if np.isnan(scores[position]) or len(chosen) == TOP_MOMENTS:
            break
        if all(abs(time_s[position] - time_s[other]) >= APART_S for other in chosen):
            chosen.append(int(position))
    return chosen
