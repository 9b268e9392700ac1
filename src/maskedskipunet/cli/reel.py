"""Runs `maskedskipunet reel`: the strangest moments of a time as one film and one sheet of pictures."""

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from maskedskipunet.cli import console
from maskedskipunet.cli.parsing import Options, Parser
from maskedskipunet.cli.values import PathText, UsageError, shown

if TYPE_CHECKING:
    from maskedskipunet.notify.config import SinkConfig
    from maskedskipunet.workflows.reel import Reel
    from maskedskipunet.workflows.reel_moments import ReelMoment, ReelRequest

DONE, PARTLY = 0, 1
_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def _parse(arguments: Sequence[str]) -> Options:
    parser = Parser("reel", "", "Make one film and one sheet of pictures of the strangest moments of a time.")
    parser.add(
        "--records",
        type=Path,
        metavar="FOLDER",
        help="Take the moments from the events in this records folder (default: records).",
    )
    parser.add(
        "--scores",
        type=Path,
        metavar="FOLDER",
        help="Take them from the tables that `score` wrote into this folder instead; needs --videos (default: none).",
    )
    parser.add(
        "--videos",
        type=tuple[PathText, ...],
        metavar="SOURCE",
        help="With --scores: show these videos, named as for `score`. Repeat the option for several (default: none).",
    )
    parser.add("--camera", type=str, metavar="NAME", help="Take only moments of this camera or video (default: all).")
    parser.add(
        "--since",
        type=str,
        metavar="TIME",
        help="Start at this time: 2026-03-01, 2026-03-01T08:00 (UTC), or 7d, 12h before now (default: all).",
    )
    parser.add("--until", type=str, metavar="TIME", help="End before this time, written likewise (default: now).")
    parser.add("--moments", type=int, default=12, metavar="N", help="Show at most this many moments.")
    parser.add("--seconds", type=float, default=8.0, metavar="N", help="Show each for this many seconds.")
    parser.add(
        "--apart",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="Show no two moments of one camera that are less than this apart.",
    )
    parser.add(
        "--starts",
        type=str,
        metavar="PATTERN",
        help="With --scores: read start times from the names of videos, as `calibrate` does (default: start times of "
        "the containers).",
    )
    parser.add(
        "--out",
        type=Path,
        default=Path("reel.mp4"),
        metavar="FILE",
        help="Write the film here, and the sheet beside it as .jpg.",
    )
    _add_mail(parser)
    parser.add_json()
    return parser.parse(arguments)


def _add_mail(parser: Parser) -> None:
    parser.add("--mail", type=str, metavar="SINK", help="Mail the sheet through this sink of --config (default: none).")
    parser.add(
        "--config",
        dest="camera_file",  # not a recipe, which the parser would read as one
        type=Path,
        metavar="PATH",
        help="With --mail: read the sinks from this YAML file, the one of `watch`.",
    )


def run(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    _require_fitting(options)
    request = _request(options)

    from maskedskipunet.workflows.reel import make_reel, require_film_path

    require_film_path(options.out)
    mail = _mail_sink(options)
    reel = make_reel(
        _moments(options, request), options.out, seconds_s=options.seconds, progress=console.make_progress()
    )
    console.write_figures(options.json, _figures(reel))
    _print_moments(reel)
    for path in (reel.film, reel.sheet):
        console.say(str(path))
    if mail is None:
        return DONE

    from maskedskipunet.workflows.reel_mail import mail_reel

    fault = mail_reel(mail, reel)
    console.say(f"mailed through {options.mail}" if fault is None else f"not mailed through {options.mail}: {fault}")
    return DONE if fault is None else PARTLY


def _require_fitting(options: Options) -> None:
    """Raise UsageError for options that do not go together."""
    if options.scores is not None and options.records is not None:
        raise UsageError("--records and --scores cannot be used together", "reel", "Give one of them")
    if (options.scores is None) != (options.videos is None):
        raise UsageError("--scores and --videos belong together", "reel", "Give both, or neither")
    if options.starts is not None and options.scores is None:
        raise UsageError("--starts needs --scores", "reel", "Leave it out")
    if (options.mail is None) != (options.camera_file is None):
        raise UsageError("--mail and --config belong together", "reel", "Give both, or neither")


def _request(options: Options) -> "ReelRequest":
    from maskedskipunet.workflows.reel_moments import ReelRequest

    now_unix_s = time.time()
    return ReelRequest(
        since_unix_s=read_time(options.since, "--since", now_unix_s),
        until_unix_s=read_time(options.until, "--until", now_unix_s),
        camera=options.camera,
        moments=options.moments,
        apart_s=options.apart,
        starts=options.starts,
    )


def _moments(options: Options, request: "ReelRequest") -> "list[ReelMoment]":
    from maskedskipunet.workflows.input_selection import find_videos
    from maskedskipunet.workflows.reel_moments import moments_of_records, moments_of_tables

    if options.scores is None:
        return moments_of_records(options.records or Path("records"), request)
    videos = find_videos(options.videos, console.make_progress().note)
    return moments_of_tables(options.scores, videos, request)


def _mail_sink(options: Options) -> "SinkConfig | None":
    if options.mail is None:
        return None
    from maskedskipunet.workflows.camera_file import read_camera_file
    from maskedskipunet.workflows.reel_mail import require_mail_sink

    return require_mail_sink(read_camera_file(options.camera_file, Path()).sinks, options.mail)


def read_time(text: str | None, where: str, now_unix_s: float) -> float | None:
    """Return a time as it was written, or so long before now, in seconds since 1970; None where there is none.

    A time is in UTC where it does not say otherwise.

    >>> read_time("1970-01-02", "--since", 0.0), read_time("2h", "--since", 10_000.0)
    (86400.0, 2800.0)
    """
    if text is None:
        return None
    if found := re.fullmatch(r"(\d{1,6}(?:\.\d+)?) ?([mhdw])", text.strip().lower(), re.ASCII):
        return max(0.0, now_unix_s - float(found[1]) * _SECONDS[found[2]])
    try:
        written = datetime.fromisoformat(text)
        return (written if written.tzinfo else written.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{shown(text)} is no time", where, "Write 2026-03-01, 2026-03-01T08:00 or 7d") from error


def _figures(reel: "Reel") -> dict[str, object]:
    return {
        "film": str(reel.film),
        "sheet": str(reel.sheet),
        "seconds": reel.seconds_s,
        "moments": [moment.figures() for moment in reel.moments],
    }


def _print_moments(reel: "Reel") -> None:
    from maskedskipunet.workflows.reel import caption_of

    rows = []
    for moment in reel.moments:
        caption = caption_of(moment, len(reel.moments))
        rows.append((caption.time, moment.source, caption.explanation, f"{moment.score:.5g}", moment.rank))
    console.print_table(reel.title, ("time", "camera", "reason", "score", "rank"), rows, left=3)
