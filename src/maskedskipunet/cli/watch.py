"""`maskedskipunet watch SOURCE… --model RUN`: live cameras, scored as frames arrive."""

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from maskedskipunet.cli import console
from maskedskipunet.cli.hiding import hide_passwords
from maskedskipunet.cli.models import find_model
from maskedskipunet.cli.parsing import Parser
from maskedskipunet.cli.values import UsageError

if TYPE_CHECKING:
    from maskedskipunet.cli.alarm_lines import AlarmLines
    from maskedskipunet.monitor.news import News
    from maskedskipunet.monitor.sinks.config import SinkConfig

DONE, PARTLY, INTERRUPTED = 0, 1, 130
CALIBRATE = "; calibrate again, `maskedskipunet calibrate NORMAL… --model RUN`"


def run(arguments: Sequence[str]) -> int:
    parser = Parser("watch", "SOURCE… --model RUN", "Watch live cameras: scores as frames arrive, events, alarms.")
    parser.add(
        "sources",
        type=str,
        many=True,
        metavar="SOURCE",
        help="A stream (rtsp://, http://), usb:NUMBER, or a file, played at its own pace. ${NAME} in a stream's "
        "address is taken from the environment.",
    )
    parser.add("--model", type=Path, metavar="RUN", help="A run folder or a model.")
    parser.add(
        "--config",
        dest="camera_file",  # not a recipe, which the parser would read as one
        type=Path,
        metavar="PATH",
        help="A YAML file that names cameras (default: none).",
    )
    parser.add("--fps", type=float, help="Frames a second to look at (default: as the model was trained).")
    parser.add("--speed", type=float, default=1.0, help="How many times faster than real time files are played.")
    parser.add("--max-delay-s", type=float, help="Seconds a score may take; skip frames beyond it (default: 2).")
    parser.add("--report-s", type=float, help="Seconds from one report of the delay to the next (default: 60).")
    parser.add(
        "--records",
        type=Path,
        metavar="FOLDER",
        help="Where events, clips and pictures are kept (default: records).",
    )
    parser.add_switch("--no-records", dest="no_records", help="Tell of events and keep nothing (default: keep them).")
    parser.add_switch("--events", dest="events", help="Print events as JSON lines (default: nothing).")
    parser.add_switch("--scores", dest="scores", help="Print all that is seen as JSON lines (default: nothing).")
    parser.add_device()
    parser.add_precision()
    options = parser.parse(arguments)

    from maskedskipunet.cli.alarm_lines import AlarmLines
    from maskedskipunet.monitor.camera import Patience
    from maskedskipunet.monitor.news import CameraState, ModelChange
    from maskedskipunet.monitor.watching import WatchConfig
    from maskedskipunet.workflows.camera_file import CameraFile, named_sources, read_camera_file
    from maskedskipunet.workflows.watch import Recording, WatchPlan, watch_cameras

    if (options.camera_file is None) == (options.sources is None):
        raise UsageError("SOURCE or --config must be given, and not both", cure="See `maskedskipunet watch --help`")
    if options.camera_file is not None:
        asked = read_camera_file(options.camera_file, options.model)
    else:
        asked = CameraFile(named_sources(options.sources), None, None, WatchConfig(), Patience())
        hide_passwords([secret for address in asked.cameras.values() for secret in address.secrets])
    if (model := options.model or asked.model) is None:
        raise UsageError("--model RUN must be given, or `model:` in the file of cameras", cure="See `watch --help`")
    changes = {name: options[name] for name in ("max_delay_s", "report_s") if options[name] is not None}
    if options.no_records and (options.records or options.events or asked.sinks):
        what = "--records" if options.records else "--events" if options.events else "sinks"
        raise UsageError(f"{what} cannot be had with --no-records", cure="Leave it out: messages wait in the records")
    recording = None
    if not options.no_records:
        sinks = (*asked.sinks, *([_stdout_sink()] if options.events else []))
        recording = Recording(options.records or asked.records or Path("records"), asked.recording, sinks)
    broken: list[str] = []
    films = frozenset(name for name, address in asked.cameras.items() if address.kind == "file")
    alarm_lines = AlarmLines(films, None if recording is None else recording.folder)

    def tell_plan(plan: WatchPlan) -> None:
        alarm_lines.normal_frames = plan.normal_frames
        left = [f"left half done by a watch that was killed: {line}" for line in plan.left]
        for line in (plan.told(), plan.told_of_alarms(), *left):
            _note(line)

    def hear(news: "News") -> None:
        if options.scores:
            print(json.dumps(_plain(news)), flush=True)
        if isinstance(news, CameraState) and news.condition == "ended" and news.reason:
            broken.append(news.camera)
        if isinstance(news, ModelChange) and news.heeded:
            alarm_lines.normal_frames = news.normal_frames
        if line := told(news, alarm_lines):
            _note(line)

    with signals() as stop:
        watch_cameras(
            asked.cameras,
            find_model(model),
            [hear],
            fps=options.fps if options.fps is not None else asked.fps,
            speed=options.speed,
            device=options.device,
            precision=options.precision,
            config=replace(asked.config, **changes),
            patience=asked.patience,
            recording=recording,
            ignore=asked.ignore,
            wanted=lambda: not stop.signal,
            planned=tell_plan,
        )
    if stop.signal == signal.SIGINT:
        _note("interrupted")
        return INTERRUPTED
    return PARTLY if broken else DONE


def told(news: "News", alarm_lines: "AlarmLines | None" = None) -> str:
    """A line for people; none for a single frame's score. alarm_lines: what is known besides of alarms."""
    from maskedskipunet.cli.alarm_lines import AlarmLines
    from maskedskipunet.monitor.news import Alarm, CameraState, Drift, Gap, Health, Load, ModelChange

    match news:
        case Alarm():
            return (alarm_lines or AlarmLines()).describe(news)
        case CameraState(condition="lost"):
            return f"{news.camera}: lost, {news.reason}; tried again in {news.again_s:.1f} s"
        case CameraState():
            return f"{news.camera}: {news.condition}{f', {news.reason}' if news.reason else ''}"
        case Gap():
            start, end = (time.strftime("%H:%M:%S", time.localtime(at)) for at in (news.start_unix_s, news.end_unix_s))
            length_s = news.end_unix_s - news.start_unix_s
            return f"{news.camera}: nothing seen from {start} to {end}, {length_s:.1f} s ({news.reason})"
        case Drift():
            return f"{news.camera}: {news.change.told()}{CALIBRATE if news.change.phase == 'begin' else ''}"
        case ModelChange():
            return news.told
        case Health():
            return f"{news.camera}: {'' if news.present else 'no longer '}{news.fault}, {news.told}"
        case Load():
            delay = "no score"
            if news.delay_median_s is not None:
                delay = f"delay {news.delay_median_s:.2f} s, {news.delay_most_s:.2f} s at most"
            counts = f"{console.counted(news.frames, 'frame')}, {news.skipped:,} skipped, {news.dropped:,} dropped"
            counts += f", {news.damaged:,} damaged on their way" if news.damaged else ""
            return f"{news.camera}: {counts}; {delay}" + (f"; 1 of {news.every} scored" if news.every > 1 else "")
    return ""


def _stdout_sink() -> "SinkConfig":
    from maskedskipunet.monitor.sinks.config import LineSettings, SinkConfig
    from maskedskipunet.records.routes import Route

    return SinkConfig(Route(sink="stdout"), LineSettings())


@dataclass
class Stop:
    """Which signal asked for an end; 0 for none. A plain field: a signal may strike while any lock is held."""

    signal: int = 0


@contextmanager
def signals() -> Iterator[Stop]:
    """Ctrl-C and the system's request to end are noted, and the watching ends after the turn in hand."""
    stop = Stop()

    def note(number: int, _: FrameType | None) -> None:
        stop.signal = stop.signal or number

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _plain(news: "News") -> dict[str, Any]:
    from maskedskipunet.monitor.news import plain

    return plain(news)


def _note(line: str) -> None:
    from maskedskipunet.cli.lines import shown_on

    print(shown_on(sys.stderr, line), file=sys.stderr, flush=True)
