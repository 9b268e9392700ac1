"""`maskedskipunet status [FOLDER]`: which cameras are alive, since when, and what waits."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from maskedskipunet.cli import console
from maskedskipunet.cli.parsing import Parser

if TYPE_CHECKING:
    from maskedskipunet.workflows.status import CameraStatus, SinkStatus

DONE, PARTLY = 0, 1


def run(arguments: Sequence[str]) -> int:
    parser = Parser("status", "[FOLDER]", "Show which cameras are alive, since when, and which messages wait.")
    parser.add("folder", type=Path, metavar="FOLDER", help="Read this records folder of `watch` (default: records).")
    parser.add_json()
    options = parser.parse(arguments)

    from maskedskipunet.workflows.status import watch_status

    status = watch_status(options.folder or Path("records"))
    console.write_figures(options.json, status.figures())
    if status.cameras:
        columns = ("camera", "now", "since", "last frame", "what is wrong")
        console.print_table("Cameras", columns, [_camera_row(camera) for camera in status.cameras], left=5)
    if status.sinks:
        columns = ("sink", "waiting", "since", "delivered", "dropped")
        console.print_table("Messages", columns, [_sink_row(sink) for sink in status.sinks])
    for sink in status.sinks:
        if sink.waiting is not None and sink.waiting.fault:
            console.say(f"{sink.name}: {sink.waiting.fault}")
    alive = sum(camera.is_alive for camera in status.cameras)
    watch = "a watch is running" if status.is_watched else "no watch is running"
    console.say(f"{status.folder}: {watch}, {alive} of {console.counted(len(status.cameras), 'camera')} alive")
    return DONE if status.is_well else PARTLY


def _camera_row(camera: "CameraStatus") -> tuple[str, ...]:
    condition = camera.condition
    now = "not watched" if condition.condition == "running" and not (camera.is_alive or camera.is_silent) else ""
    now = now or ("silent" if camera.is_silent else condition.condition)
    states = [f"{state.kind} since {_time(state.began_unix_s)}" for state in camera.states if state.kind != "night"]
    states = ["an event is in progress", *states] if camera.is_alarm else states
    since = condition.heard_unix_s if camera.is_silent or now == "not watched" else condition.since_unix_s
    return camera.name, now, _time(since), _time(condition.heard_unix_s), ", ".join(states) or "nothing"


def _sink_row(sink: "SinkStatus") -> tuple[str, ...]:
    since = None if sink.waiting is None else sink.waiting.since_unix_s
    count = sink.count
    return sink.name, f"{count.waiting:,}", _time(since), f"{count.delivered:,}", f"{count.dropped:,}"


def _time(unix_s: float | None) -> str:
    """Return the local time, with the date if it is not today's."""
    if unix_s is None:
        return "–"
    then, now = time.localtime(unix_s), time.localtime()
    is_today = (then.tm_year, then.tm_yday) == (now.tm_year, now.tm_yday)
    return time.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M", then)
