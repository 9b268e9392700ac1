"""Runs `maskedskipunet archive SOURCE… --model RUN --to FOLDER` and `maskedskipunet archive report FOLDER`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from maskedskipunet.cli import console
from maskedskipunet.cli.models import find_model
from maskedskipunet.cli.parsing import Options, Parser
from maskedskipunet.cli.values import PathText, UsageError
from maskedskipunet.data.frames import OnBadFrame

if TYPE_CHECKING:
    from maskedskipunet.archive.report import ArchiveFailure, ArchiveReport
    from maskedskipunet.workflows.archive import ArchiveOptions

DONE, PARTLY = 0, 1
REPORT = "report"
MAX_SHOWN = 20


def _parse(arguments: Sequence[str]) -> Options:
    parser = Parser(
        "archive",
        "SOURCE… --model RUN --to FOLDER",
        "Score an archive of videos with several workers, on one machine or many; `archive report FOLDER` tells what "
        "has become of it.",
    )
    parser.add(
        "sources",
        type=tuple[PathText, ...],
        required=True,
        metavar="SOURCE",
        help="Score these: video files, folders, patterns such as 'day*/*.mp4', addresses of object stores (s3://, "
        "gs://, az://, https://), which may end with / for all videos below them, or .txt lists of them.",
    )
    parser.add("--model", type=Path, metavar="RUN", help="Score with this run folder or model.")
    parser.add("--to", type=Path, metavar="FOLDER", help="Write scores and manifest here; what is there is kept.")
    parser.add("--runner", type=Literal["local", "ray", "slurm"], default="local", help="Run the workers there.")
    parser.add(
        "--workers",
        type=int,
        metavar="N",
        help="Use so many workers (default: as many as this machine has cores and memory for).",
    )
    parser.add(
        "--worker-memory",
        type=float,
        default=4.0,
        metavar="GB",
        help="End a worker that takes more memory; a video that does this to two workers is set aside.",
    )
    parser.add("--minutes", type=float, default=15.0, metavar="N", help="Score about so many minutes at once.")
    parser.add(
        "--on-bad-frame",
        type=OnBadFrame,
        default="stop",
        help="Record a segment with a frame that cannot be read as failed, or skip the frame.",
    )
    parser.add(
        "--starts",
        type=str,
        metavar="PATTERN",
        help="Read start times from the names of files and folders, as `calibrate` does (default: start times of the "
        "containers, else each video ended when its file was last changed).",
    )
    parser.add_switch("--again", dest="again", help="Also try what was set aside before.")
    parser.add_ignore()
    parser.add_device()
    parser.add_precision()
    parser.add_json()
    return parser.parse(arguments)


def run(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    if options.sources[0] == REPORT and options.model is None:
        return _report(options)
    missing = [name for name, value in (("--model RUN", options.model), ("--to FOLDER", options.to)) if value is None]
    if missing:
        raise UsageError(f"{' and '.join(missing)} must be given", cure="See `maskedskipunet archive --help`")

    from maskedskipunet.workflows.archive import archive

    progress = console.make_progress()
    report = archive(options.sources, find_model(options.model), options.to, _options(options), progress=progress)
    console.write_figures(options.json, report.figures())
    for line in _lines(report):
        console.say(line)
    console.say(f"results: {options.to}")
    return PARTLY if report.failures else DONE


def _options(options: Options) -> "ArchiveOptions":
    from maskedskipunet.workflows.archive import ArchiveOptions

    return ArchiveOptions(
        runner=options.runner,
        workers=options.workers,
        worker_gb=options.worker_memory,
        minutes=options.minutes,
        on_bad_frame=options.on_bad_frame,
        device=options.device,
        precision=options.precision,
        ignore=tuple(options.ignore),
        starts=options.starts,
        again=options.again,
    )


def _report(options: Options) -> int:
    from maskedskipunet.archive.report import ArchiveReport
    from maskedskipunet.archive.target import Target

    if len(options.sources) != 2:
        raise UsageError("archive report takes one folder", cure="Write `maskedskipunet archive report FOLDER`")
    report = ArchiveReport.of(Target(Path(options.sources[1])))
    console.write_figures(options.json, report.figures())
    if report.moments:
        rows = [
            (f"{moment.score:.5f}", console.clock(moment.time_s), moment.frame, moment.address)
            for moment in report.moments
        ]
        console.print_table("Strangest moments", ("score", "at", "frame", "video"), rows, left=0)
    for line in _lines(report):
        console.say(line)
    return DONE


def _lines(report: "ArchiveReport") -> list[str]:
    """Returns sentences about an archive."""
    states = ", ".join(f"{count:,} {state}" for state, count in report.segments.items())
    lines = [
        f"{report.hours_scored:,.2f} of {report.hours:,.2f} hours of {console.counted(report.sources, 'video')} are "
        f"scored ({states})"
    ]
    if report.frames_per_second is not None and report.worker_hours_per_hour is not None:
        lines.append(
            f"{report.frames:,} frames, {console.rate(report.frames_per_second)} frames/s of one worker; an hour of "
            f"footage took {60 * report.worker_hours_per_hour:.1f} minutes of it, {report.peak_mb:,.0f} MB at most"
        )
    lines += [f"failed: {_describe(failure)}" for failure in report.failures[:MAX_SHOWN]]
    if (more := len(report.failures) - MAX_SHOWN) > 0:
        lines.append(f"failed: {more:,} more; by cause:")
        lines += [f"  {count:,}: {cause}" for cause, count in [*report.causes.items()][:MAX_SHOWN]]
    return lines


def _describe(failure: "ArchiveFailure") -> str:
    cause = failure.cause if failure.address in failure.cause else f"{failure.address}: {failure.cause}"
    if failure.start_s is None or failure.end_s is None:
        return cause
    return f"{cause} [{console.clock(failure.start_s)} to {console.clock(failure.end_s)}]"
