"""`maskedskipunet demo`: see it work, with no download."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from maskedskipunet.cli import console
from maskedskipunet.cli.parsing import Parser

if TYPE_CHECKING:
    from maskedskipunet.workflows.demo import DemoResult


def run(arguments: Sequence[str]) -> int:
    parser = Parser("demo", "", "Train and calibrate a small model on a generated scene, test it, and show an alarm.")
    parser.add(
        "--seed", type=int, default=0, help="Set the seed; another seed gives another scene and another training."
    )
    parser.add(
        "--out",
        type=Path,
        default=Path("demo"),
        metavar="FOLDER",
        help="Write into this folder; if it exists, into the next free name.",
    )
    parser.add("--videos", type=bool, default=True, help="Write a comparison video for each test video.")
    parser.add_json()
    options = parser.parse(arguments)

    from maskedskipunet.workflows.demo import demo

    result = demo(options.out, seed=options.seed, with_videos=options.videos, progress=console.make_progress())
    figures = result.figures
    console.write_figures(options.json, figures)
    by_kind, plain = figures["auc_by_kind"], figures["auc_by_kind_frame_difference"]
    console.print_table(
        "AUC over frames",
        ("anomaly", "MaskedSkipUNet", "frame differencing"),
        [
            *((kind.replace("_", " "), console.figure(by_kind[kind]), console.figure(plain[kind])) for kind in by_kind),
            ("all", console.figure(figures["auc"]), console.figure(figures["auc_frame_difference"])),
        ],
    )
    for line in describe_alarms(result):
        console.say(line)
    console.say(f"{figures['seconds']:.0f} seconds, seed {figures['seed']}")
    if result.film is not None:
        console.say(f"watch:   {result.film}")
        console.say(f"picture: {result.picture}")
        console.say(f"videos:  {result.run.videos}")
    console.say(f"plots:   {result.run.plots}")
    return 0


def describe_alarms(result: "DemoResult") -> list[str]:
    """Describe how many anomalies raised an alarm, and the strongest alarm with its picture and reason."""
    from maskedskipunet.detection.calibration import describe_rarity
    from maskedskipunet.view.reasons import describe_reason

    if result.calibration is None or result.calibration.alarm is None:
        return []
    setting, alarms = result.calibration.alarm, result.figures["alarms"]
    length = console.duration(3600 * setting.footage_h)
    lines = [
        f"threshold {setting.rule.threshold:.5f} for {setting.budget}, from {length} of "
        f"other normal footage: {alarms['stretches_found']} of {alarms['stretches']} anomalies found, "
        f"{console.counted(alarms['false_alarms'], 'false alarm')}"
    ]
    shown = result.alarm
    if shown is None or not (events := shown.scored.events):
        return lines
    event, picture = max(zip(events, shown.event_pictures, strict=True), key=lambda pair: pair[0].top_score)
    share, frames = event.normal_share, result.calibration.frames
    rare = "" if share is None else f", reached by {describe_rarity(share, frames)}"
    when = f"{console.clock(event.start_s)} of {shown.scored.name}.mp4"
    paths = [path for path in (picture, shown.annotated_path) if path is not None]
    why = [] if event.reason is None else [f"why:     {event.reason.cue}: {describe_reason(event.reason)}"]
    return [
        *lines,
        f"ALARM at {when}, score {event.top_score:.5f}{rare}",
        *why,
        f"alarm:   {' and '.join(map(str, paths))}",
    ]
