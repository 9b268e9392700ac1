"""Runs `maskedskipunet watch SOURCE… --model RUN`, which scores the frames of live cameras as they arrive."""

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from maskedskipunet.cli import console
from maskedskipunet.cli.hiding import hide_passwords
from maskedskipunet.cli.models import find_model
from maskedskipunet.cli.page_process import PageProcess
from maskedskipunet.cli.parsing import Options, Parser
from maskedskipunet.cli.serve import require_page_libraries
from maskedskipunet.cli.values import UsageError

if TYPE_CHECKING:
    from maskedskipunet.cli.alarm_lines import AlarmLines
    from maskedskipunet.monitor.monitor_events import MonitorEvent
    from maskedskipunet.notify.config import SinkConfig
    from maskedskipunet.workflows.camera_file import CameraFile
    from maskedskipunet.workflows.watch import Recording, WatchOptions, WatchPlan

DONE, PARTLY, INTERRUPTED = 0, 1, 130
CALIBRATE = "; calibrate again, `maskedskipunet calibrate NORMAL… --model RUN`"


def _parse(arguments: Sequence[str]) -> Options:
    parser = Parser(
        "watch",
        "SOURCE… --model RUN",
        "Watch live cameras: score frames as they arrive, record events and report alarms.",
    )
    parser.add(
        "sources",
        type=tuple[str, ...],
        metavar="SOURCE",
        help="Watch these: a stream (rtsp://, http://), usb:NUMBER, or a file, which is played at its own speed. "
        "${NAME} in a stream's address is taken from the environment.",
    )
    parser.add("--model", type=Path, metavar="RUN", help="Score with this run folder or model.")
    parser.add(
        "--config",
        dest="camera_file",  # not a recipe, which the parser would read as one
        type=Path,
        metavar="PATH",
        help="Read cameras, sinks and settings from this YAML file (default: none).",
    )
    parser.add("--fps", type=float, help="Score this many frames a second (default: as the model was trained).")
    parser.add("--speed", type=float, default=1.0, help="Play files this many times as fast as real time.")
    parser.add("--max-delay-s", type=float, help="Skip frames whose score would take longer than this (default: 2).")
    parser.add("--report-s", type=float, help="Report delays and skipped frames every so many seconds (default: 60).")
    parser.add(
        "--records",
        type=Path,
        metavar="FOLDER",
        help="Keep events, clips and pictures in this folder (default: records).",
    )
    parser.add_switch("--no-records", dest="no_records", help="Report events on the screen, and record nothing.")
    parser.add_switch("--serve", dest="serve", help="Open the page of `serve` over these records too.")
    parser.add_switch("--events", dest="events", help="Print events as JSON lines.")
    parser.add_switch("--scores", dest="scores", help="Print scores and everything else that happens as JSON lines.")
    parser.add_device()
    parser.add_precision()
    return parser.parse(arguments)


def run(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    camera_file = _cameras(options)
    if (model := options.model or camera_file.model) is None:
        raise UsageError("--model RUN must be given, or `model:` in cameras.yaml", cure="See `watch --help`")
    watch_options = _watch_options(options, camera_file)
    page = _page(options, watch_options, find_model(model))

    from maskedskipunet.workflows.watch import watch_cameras

    watcher = _Watcher(camera_file, watch_options.recording, prints_scores=bool(options.scores))
    with page or nullcontext(), signals() as stop:
        watch_cameras(
            camera_file.cameras,
            find_model(model),
            [watcher.on_event],
            watch_options,
            should_continue=lambda: not stop.signal,
            on_plan=lambda plan: _planned(plan, watcher, page),
        )
    if stop.signal == signal.SIGINT:
        _note("interrupted")
        return INTERRUPTED
    return PARTLY if watcher.broken else DONE


def _page(options: Options, watch_options: "WatchOptions", model: Path) -> PageProcess | None:
    """Return the page that is to be opened beside the watch; None where none is."""
    if not options.serve:
        return None
    if watch_options.recording is None:
        raise UsageError("--serve cannot be used with --no-records", cure="Leave it out: the page shows the records")
    require_page_libraries()
    return PageProcess(watch_options.recording.folder, model)


def _planned(plan: "WatchPlan", watcher: "_Watcher", page: PageProcess | None) -> None:
    watcher.print_plan(plan)
    if page is not None and plan.records is not None:
        page.start()
    elif page is not None:
        _note("no page: nothing is recorded, for the model has no threshold")


def _cameras(options: Options) -> "CameraFile":
    """Read the file of cameras, or make one of the sources that are named."""
    from maskedskipunet.monitor.camera import ReconnectPolicy
    from maskedskipunet.monitor.watching import WatchConfig
    from maskedskipunet.workflows.camera_file import CameraFile, named_sources, read_camera_file

    if (options.camera_file is None) == (options.sources is None):
        raise UsageError("SOURCE or --config must be given, and not both", cure="See `maskedskipunet watch --help`")
    if options.camera_file is not None:
        return read_camera_file(options.camera_file, options.model)
    camera_file = CameraFile(named_sources(options.sources), None, None, WatchConfig(), ReconnectPolicy())
    hide_passwords([secret for address in camera_file.cameras.values() for secret in address.secrets])
    return camera_file


def _watch_options(options: Options, camera_file: "CameraFile") -> "WatchOptions":
    from maskedskipunet.workflows.watch import WatchOptions

    changes = {name: options[name] for name in ("max_delay_s", "report_s") if options[name] is not None}
    return WatchOptions(
        fps=options.fps if options.fps is not None else camera_file.fps,
        speed=options.speed,
        device=options.device,
        precision=options.precision,
        config=replace(camera_file.config, **changes),
        reconnect_policy=camera_file.reconnect_policy,
        recording=_recording(options, camera_file),
        ignore=camera_file.ignore,
    )


def _recording(options: Options, camera_file: "CameraFile") -> "Recording | None":
    from maskedskipunet.workflows.watch import Recording

    if options.no_records and (options.records or options.events or camera_file.sinks):
        what = "--records" if options.records else "--events" if options.events else "sinks"
        raise UsageError(f"{what} cannot be used with --no-records", cure="Leave it out: messages wait in the records")
    if options.no_records:
        return None
    sinks = (*camera_file.sinks, *([_stdout_sink()] if options.events else []))
    return Recording(options.records or camera_file.records or Path("records"), camera_file.recording, sinks)


class _Watcher:
    """Prints the events of a watch. broken: the files that ended early."""

    def __init__(self, camera_file: "CameraFile", recording: "Recording | None", *, prints_scores: bool) -> None:
        from maskedskipunet.cli.alarm_lines import AlarmLines

        films = frozenset(name for name, address in camera_file.cameras.items() if address.kind == "file")
        self.broken: list[str] = []
        self._lines = AlarmLines(films, None if recording is None else recording.folder)
        self._prints_scores = prints_scores

    def print_plan(self, plan: "WatchPlan") -> None:
        self._lines.normal_frames = plan.normal_frames
        left = [f"unfinished work of a watch that was killed: {line}" for line in plan.left]
        for line in (plan.describe(), plan.describe_alarms(), *left):
            _note(line)

    def on_event(self, event: "MonitorEvent") -> None:
        from maskedskipunet.monitor.monitor_events import CameraState, ModelChange

        if self._prints_scores:
            print(json.dumps(_to_dict(event)), flush=True)
        if isinstance(event, CameraState) and event.condition == "ended" and event.reason:
            self.broken.append(event.camera)
        if isinstance(event, ModelChange) and event.applied:
            self._lines.normal_frames = event.normal_frames
        if line := describe_event(event, self._lines):
            _note(line)


def describe_event(event: "MonitorEvent", alarm_lines: "AlarmLines | None" = None) -> str:
    """Return a line that describes an event of the monitor; an empty one for the score of a frame.

    alarm_lines: describes alarms.
    """
    from maskedskipunet.cli.alarm_lines import AlarmLines
    from maskedskipunet.monitor.monitor_events import Alarm, CameraState, Drift, Gap, Health, Load, ModelChange

    match event:
        case Alarm():
            return (alarm_lines or AlarmLines()).describe(event)
        case CameraState(condition="lost"):
            return f"{event.camera}: lost, {event.reason}; next attempt in {event.again_s:.1f} s"
        case CameraState():
            return f"{event.camera}: {event.condition}{f', {event.reason}' if event.reason else ''}"
        case Gap():
            start, end = map(_clock_time, (event.start_unix_s, event.end_unix_s))
            length_s = event.end_unix_s - event.start_unix_s
            return f"{event.camera}: nothing seen from {start} to {end}, {length_s:.1f} s ({event.reason})"
        case Drift():
            return f"{event.camera}: {event.change.describe()}{CALIBRATE if event.change.phase == 'begin' else ''}"
        case ModelChange():
            return event.description
        case Health():
            return f"{event.camera}: {'' if event.present else 'no longer '}{event.fault}, {event.description}"
        case Load():
            delay = "no score"
            if event.delay_median_s is not None:
                delay = f"delay {event.delay_median_s:.2f} s, {event.delay_most_s:.2f} s at most"
            counts = f"{console.counted(event.frames, 'frame')}, {event.skipped:,} skipped, {event.dropped:,} dropped"
            counts += f", {event.damaged:,} damaged in transit" if event.damaged else ""
            return f"{event.camera}: {counts}; {delay}" + (f"; 1 of {event.every} scored" if event.every > 1 else "")
    return ""


def _clock_time(unix_s: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(unix_s))


def _stdout_sink() -> "SinkConfig":
    from maskedskipunet.notify.config import SinkConfig
    from maskedskipunet.notify.lines import LineSettings
    from maskedskipunet.records.subscriptions import Subscription

    return SinkConfig(Subscription(sink="stdout"), LineSettings())


@dataclass
class Stop:
    """Holds the signal that asked for an end; 0 for none. It takes no lock: a signal may come while one is held."""

    signal: int = 0


@contextmanager
def signals() -> Iterator[Stop]:
    """Note Ctrl-C and SIGTERM, so that watching ends after the current cycle."""
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


def _to_dict(event: "MonitorEvent") -> dict[str, Any]:
    from maskedskipunet.monitor.monitor_events import event_to_dict

    return event_to_dict(event)


def _note(line: str) -> None:
    from maskedskipunet.cli.lines import shown_on

    print(shown_on(sys.stderr, line), file=sys.stderr, flush=True)
