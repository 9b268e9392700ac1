"""Runs `maskedskipunet calibrate NORMAL… --model RUN`, which sets the threshold that keeps a false alarm budget."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskedskipunet.cli import console
from maskedskipunet.cli.models import find_model
from maskedskipunet.cli.parsing import Options, Parser
from maskedskipunet.cli.values import PathText, UsageError
from maskedskipunet.data.frames import OnBadFrame

if TYPE_CHECKING:
    from maskedskipunet.detection.budget import AlarmSetting, Per
    from maskedskipunet.workflows.calibrate import CalibrateOptions, CalibrateResult

BUDGETS: "tuple[Per, ...]" = ("hour", "day", "week")


def _parse(arguments: Sequence[str]) -> Options:
    parser = Parser(
        "calibrate",
        "NORMAL… --model RUN",
        "Set the threshold from the number of false alarms you accept, on normal footage that was not trained on.",
    )
    parser.add(
        "sources",
        type=tuple[PathText, ...],
        required=True,
        metavar="NORMAL",
        help="Use this normal footage: files, folders, patterns such as 'day*/*.mp4', .txt lists.",
    )
    parser.add("--model", type=Path, required=True, metavar="RUN", help="Calibrate this run folder or model folder.")
    for per in BUDGETS:
        parser.add(
            f"--false-alarms-per-{per}",
            type=float,
            metavar="N",
            help=f"Accept at most this many false alarms per {per}; give one of the three budgets.",
        )
    parser.add(
        "--exclude",
        type=str,
        metavar="NAMES",
        help="Leave out these videos or parts NAME@START-END, in seconds, separated by commas (default: none).",
    )
    parser.add(
        "--interval-hours",
        type=float,
        default=24.0,
        metavar="HOURS",
        help="Predict the alarm rate for this many hours of new footage.",
    )
    _add_parts_of_day(parser)
    parser.add(
        "--pictures",
        type=Path,
        metavar="FOLDER",
        help="Write pictures of the highest moments into this folder (default: calibration/ in the run folder).",
    )
    parser.add(
        "--on-bad-frame", type=OnBadFrame, default="stop", help="Stop at a frame that cannot be read, or skip it."
    )
    parser.add_ignore("; the model ignores them from now on")
    parser.add_switch(
        "--remember",
        dest="remember",
        help="Also remember this footage as normal once the threshold is set: its light and looks raise fewer alarms.",
    )
    parser.add_device()
    parser.add_json()
    return parser.parse(arguments)


def _add_parts_of_day(parser: Parser) -> None:
    parser.add(
        "--parts",
        type=str,
        metavar="PARTS",
        help="Set a threshold for each of these parts of the day, for example day=7-20,night=20:30-7 (default: one "
        "threshold for all).",
    )
    parser.add(
        "--starts",
        type=str,
        metavar="PATTERN",
        help="Read start times from the names of files and folders: %H for 13.mp4, %Y-%m-%d/%H/*/%M.%S, where * is any "
        "text; put utc: before it for names in UTC (default: start times of the containers).",
    )


def run(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    alarms, per = _budget(options)
    if options.starts is not None and options.parts is None:
        raise UsageError("--starts needs --parts", "calibrate", "Give --parts, or leave --starts out")

    from maskedskipunet.data.non_footage import says_anomalous
    from maskedskipunet.detection.budget import Budget
    from maskedskipunet.workflows.calibrate import calibrate
    from maskedskipunet.workflows.input_selection import find_videos

    progress = console.make_progress()
    videos = find_videos(options.sources, progress.note)
    for odd in [video.name for video in videos if says_anomalous(Path(video.name))]:
        progress.note(
            f"{odd}: its name says anomalous, but calibration needs normal footage: leave it out with --exclude"
        )
    result = calibrate(
        find_model(options.model),
        videos,
        Budget(alarms, per),
        _calibrate_options(options),
        progress=progress,
    )
    console.write_figures(options.json, _figures(result))
    _print(result)
    return 0


def _calibrate_options(options: Options) -> "CalibrateOptions":
    from maskedskipunet.detection.day import read_parts
    from maskedskipunet.workflows.calibrate import CalibrateOptions

    return CalibrateOptions(
        exclude=[name.strip() for name in (options.exclude or "").split(",") if name.strip()],
        interval_h=options.interval_hours,
        parts=read_parts(options.parts) if options.parts is not None else (),
        starts=options.starts,
        pictures=options.pictures,
        on_bad_frame=options.on_bad_frame,
        ignore=options.ignore,
        remember=options.remember,
        device=options.device,
    )


def _figures(result: "CalibrateResult") -> dict[str, Any]:
    setting = result.calibration.alarm
    assert setting is not None
    moments = [
        {
            "name": moment.name,
            "time_s": moment.time_s,
            "frame": moment.frame,
            "score": moment.score,
            "picture": str(moment.picture),
        }
        for moment in result.moments
    ]
    return setting.to_dict() | {
        "videos": list(result.calibration.videos),
        "excluded": list(result.excluded),
        "frames": result.calibration.frames,
        "highest": moments,
    }


def _print(result: "CalibrateResult") -> None:
    setting = result.calibration.alarm
    assert setting is not None
    rows = [(moment.name, f"{moment.time_s:.1f}", moment.frame, f"{moment.score:.5f}") for moment in result.moments]
    console.print_table("Highest moments of the normal footage", ("name", "time (s)", "frame", "score"), rows)
    for line in describe(setting):
        console.say(line)
    if result.moments:
        console.say(f"pictures: {result.moments[0].picture.parent} (leave a moment out with --exclude {rows[0][0]})")
    if result.earlier is not None:
        console.say(f"the earlier calibration: {result.earlier}")
    if result.earlier_cues is not None:
        console.say(f"the footage is remembered, so expect fewer alarms; the earlier cues: {result.earlier_cues}")
    console.say(f"calibration: {result.path}")
    if result.kept_path is not None:
        console.say(f"scores: {result.kept_path} (another budget for this footage takes only seconds)")


def describe(setting: "AlarmSetting") -> list[str]:
    """Return sentences about the threshold and its certainty."""
    lines = [
        f"threshold {setting.rule.threshold:.5f}, release level {setting.rule.release:.5f} for {setting.budget}",
        f"{setting.footage_h:.2f} hours of normal footage give {console.counted(setting.alarms, 'alarm')} "
        "at this threshold",
        f"expected in {setting.interval_h:g} new normal hours: {setting.low_per_hour:.3g} to "
        f"{setting.high_per_hour:.3g} alarms an hour (95 % interval)",
    ]
    if setting.footage_h < setting.needed_h:
        lines.append(
            f"to know this rate to within a third, use at least {setting.needed_h:,.0f} hours, "
            "more if alarms come in bursts"
        )
    if setting.extrapolated:
        lines.append("there is too little footage to see so few alarms; the threshold is an estimate")
    for part in () if setting.day is None else setting.day.parts:
        if part.rule is None:
            lines.append(f"{part.part}: uses the common threshold; {part.footage_h:.2f} hours are too few for its own")
        else:
            alarms = console.counted(part.alarms, "alarm")
            lines.append(
                f"{part.part}: threshold {part.rule.threshold:.5f}, {alarms} in {part.footage_h:.2f} hours of footage"
            )
    return lines


def _budget(options: Options) -> "tuple[float, Per]":
    given = [(options[f"false_alarms_per_{per}"], per) for per in BUDGETS]
    given = [(alarms, per) for alarms, per in given if alarms is not None]
    if len(given) != 1:
        fault = "no budget is given" if not given else "more than one budget is given"
        raise UsageError(fault, "calibrate", "Use one of --false-alarms-per-hour, -per-day or -per-week")
    return given[0]
