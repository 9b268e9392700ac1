"""Reads the status of a watch from its records, while it runs or after: cameras, and waiting messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskedskipunet.records import outbox
from maskedskipunet.records.outbox import QueueCount, Waiting
from maskedskipunet.records.recorded import iso_time
from maskedskipunet.records.states import CameraCondition, State
from maskedskipunet.records.store import Records
from maskedskipunet.records.watch_lock import is_watched

SILENT_S = 120.0  # a watch notes twice a minute which cameras it heard of


@dataclass(frozen=True)
class CameraStatus:
    """The status of one camera.

    is_alive: a watch is running and frames arrive. is_silent: the camera should be running, but no frame has arrived.
    is_alarm: an event is open.
    """

    name: str
    condition: CameraCondition
    is_alive: bool
    is_silent: bool
    is_alarm: bool
    states: tuple[State, ...]

    def figures(self) -> Mapping[str, Any]:
        states = [
            {"kind": state.kind, "detail": state.detail, "began_at": iso_time(state.began_unix_s)}
            for state in self.states
        ]
        return {
            "name": self.name,
            "alive": self.is_alive,
            "condition": self.condition.condition,
            "since": _time(self.condition.since_unix_s),
            "last_frame": _time(self.condition.heard_unix_s),
            "silent": self.is_silent,
            "alarm": self.is_alarm,
            "states": states,
        }


@dataclass(frozen=True)
class SinkStatus:
    """The status of one sink. waiting: None if no message waits."""

    name: str
    count: QueueCount
    waiting: Waiting | None

    def figures(self) -> Mapping[str, Any]:
        oldest = None if self.waiting is None else self.waiting.since_unix_s
        fault = None if self.waiting is None else self.waiting.fault
        return {"name": self.name} | vars(self.count) | {"waiting_since": _time(oldest), "fault": fault}


@dataclass(frozen=True)
class WatchStatus:
    """The status of a watch.

    is_watched: a watch is running into these records. cameras: those of the present or the last watch.
    """

    folder: Path
    is_watched: bool
    cameras: tuple[CameraStatus, ...]
    sinks: tuple[SinkStatus, ...]

    @property
    def is_well(self) -> bool:
        """A watch is running, and all its cameras are alive."""
        return self.is_watched and all(camera.is_alive for camera in self.cameras)

    def figures(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "watched": self.is_watched,
            "well": self.is_well,
            "cameras": [camera.figures() for camera in self.cameras],
            "sinks": [sink.figures() for sink in self.sinks],
        }


def watch_status(folder: Path) -> WatchStatus:
    """Return how the watch into a records folder is. Raises RecordsError if there are no records."""
    with Records.open(folder, create=False) as records:
        return status_of(records)


def status_of(records: Records) -> WatchStatus:
    """Return how the watch into records that are open is."""
    watched, now_unix_s = is_watched(records.folder), records.clock()
    alarms = {recorded.camera for recorded in records.events(open_only=True)}
    states = records.states(lasting_only=True)
    conditions = {name: found for name, found in records.camera_conditions().items() if found.condition}
    with records.read() as session:
        counts, waiting = outbox.counts(session), outbox.waiting(session)
    cameras = []
    for name, condition in conditions.items():
        is_running, is_silent = condition.condition == "running", _is_silent(condition, now_unix_s)
        cameras.append(
            CameraStatus(
                name,
                condition,
                is_alive=watched and is_running and not is_silent,
                is_silent=is_running and is_silent,
                is_alarm=name in alarms,
                states=tuple(state for state in states if state.camera == name),
            )
        )
    sinks = [SinkStatus(name, count, waiting.get(name)) for name, count in counts.items()]
    return WatchStatus(records.folder.path, watched, tuple(cameras), tuple(sinks))


def _is_silent(condition: CameraCondition, now_unix_s: float) -> bool:
    times = [time_s for time_s in (condition.since_unix_s, condition.heard_unix_s) if time_s is not None]
    return now_unix_s - max(times, default=0.0) > SILENT_S


def _time(unix_s: float | None) -> str | None:
    return None if unix_s is None else iso_time(unix_s)
