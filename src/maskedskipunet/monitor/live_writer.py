"""Keeps the score curves and the last picture of each camera, in a thread that gives way to all others."""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from maskedskipunet.data.jpeg import smaller_jpeg
from maskedskipunet.errors import MaskedSkipUNetError
from maskedskipunet.monitor.disk_space import free_bytes
from maskedskipunet.monitor.monitor_events import CameraState, MonitorEvent, ScoredFrame
from maskedskipunet.records.curve_writer import CurveWriter
from maskedskipunet.records.curves import ScoreCurves
from maskedskipunet.records.live import LiveCamera, LiveFolder, LiveState

log = logging.getLogger(__name__)
TICK_S = 0.5
PICTURE_S = 1.0  # from one picture of a camera to the next, while somebody looks on
UNSEEN_S = 15.0  # and while nobody does
STATE_S = 1.0
ROOM_S = 10.0  # from one look at the free space to the next
RATE_S = 5.0  # over which frames are counted
LONGEST_PX = 640  # side of a picture
MAX_WAITING = 50_000  # scores that wait for the thread
NICENESS = 10


@dataclass
class _Camera:
    """The state of one camera in the thread.

    counted: frames of the last seconds: when each was reported, whether it has a score, whether it was skipped.
    """

    live: LiveCamera = field(default_factory=LiveCamera)
    counted: deque[tuple[float, bool, bool]] = field(default_factory=deque)
    writer: CurveWriter | None = None
    picture_at_s: float = float("-inf")


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame that waits for the thread. reported_s: when it was reported, in seconds that only grow."""

    camera: str
    reported_s: float
    unix_s: float
    score: float | None
    threshold: float | None
    delay_s: float
    skipped: bool


class LiveWriter:
    """A listener that keeps curves and live pictures from start() to close(); it never makes its caller wait.

    records: the records folder. cameras: their names. threshold: says which holds for a camera now. keep_free_bytes: of
    the disk; below it there are no pictures. Scores that the thread has no time for are left out of the curves.
    """

    def __init__(
        self,
        records: Path,
        cameras: Mapping[str, object],
        *,
        threshold: Callable[[str], float | None] = lambda camera: None,
        keep_free_bytes: int = 500_000_000,
    ) -> None:
        self._records, self._threshold, self._keep_free_bytes = records, threshold, keep_free_bytes
        self._curves, self._live = ScoreCurves(records / "curves"), LiveFolder(records / "live")
        self._cameras = {name: _Camera() for name in cameras}
        self._frames: deque[_Frame] = deque(maxlen=MAX_WAITING)
        self._pictures: dict[str, tuple[float, bytes]] = {}  # the newest of each camera that is not written yet
        self._conditions: dict[str, str] = {}
        self._has_room, self._look_for_room_at_s, self._state_at_s = True, 0.0, 0.0
        self._said: set[str] = set()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)

    def start(self) -> Self:
        self._live.keep_only([*self._cameras])
        self._thread.start()
        return self

    def close(self, timeout_s: float = 10.0) -> None:
        """Write the curves to their end; returns when that is done, or given up."""
        self._ending.set()
        self._thread.join(timeout_s)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, event: MonitorEvent) -> None:
        """Queue an event for the thread, and return at once."""
        if isinstance(event, ScoredFrame) and event.camera in self._cameras:
            level = self._threshold(event.camera)
            frame = _Frame(
                event.camera, time.monotonic(), event.unix_s, event.frame.score, level, event.delay_s, event.skipped
            )
            self._frames.append(frame)
            if event.picture is not None:
                self._pictures[event.camera] = event.unix_s, event.picture
        elif isinstance(event, CameraState):
            self._conditions[event.camera] = event.condition

    def _run(self) -> None:
        with suppress(AttributeError, OSError):  # where threads have a priority of their own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while not self._ending.wait(TICK_S):
            self._step()
        self._step()
        for name, camera in self._cameras.items():
            if camera.writer is not None:
                self._safely(f"the score curve of {name}", camera.writer.close)
        self._safely("the live state", self._write_state)

    def _step(self) -> None:
        self._take_frames()
        for name, camera in self._cameras.items():
            if camera.writer is not None:
                self._safely(f"the score curve of {name}", camera.writer.write)
            self._safely(f"the live picture of {name}", partial(self._write_picture, name, camera))
        if time.monotonic() >= self._state_at_s:
            self._state_at_s = time.monotonic() + STATE_S
            self._safely("the live state", self._write_state)

    def _take_frames(self) -> None:
        for _ in range(len(self._frames)):
            frame = self._frames.popleft()
            camera = self._cameras[frame.camera]
            camera.counted.append((frame.reported_s, frame.score is not None, frame.skipped))
            camera.live = replace(camera.live, frame_unix_s=frame.unix_s)
            if frame.score is None:
                continue
            camera.live = replace(camera.live, score=frame.score, threshold=frame.threshold, delay_s=frame.delay_s)
            if camera.writer is None:
                self._safely(f"the score curve of {frame.camera}", partial(self._open, frame.camera))
            if camera.writer is not None:
                camera.writer.add(frame.unix_s, frame.score, frame.threshold)

    def _open(self, name: str) -> None:
        self._cameras[name].writer = CurveWriter(self._curves.of(name))

    def _write_picture(self, name: str, camera: _Camera) -> None:
        now_s = time.monotonic()
        every_s = PICTURE_S if self._live.is_asked(time.time()) else UNSEEN_S
        if name not in self._pictures or now_s < camera.picture_at_s + every_s or not self._is_room(now_s):
            return
        camera.picture_at_s = now_s
        unix_s, jpeg = self._pictures.pop(name)
        self._live.write_picture(name, smaller_jpeg(jpeg, LONGEST_PX))
        camera.live = replace(camera.live, picture_unix_s=unix_s)

    def _is_room(self, now_s: float) -> bool:
        if now_s >= self._look_for_room_at_s:
            self._look_for_room_at_s = now_s + ROOM_S
            with suppress(OSError):
                self._has_room = free_bytes(self._records) >= self._keep_free_bytes
        return self._has_room

    def _write_state(self) -> None:
        since_s = time.monotonic() - RATE_S
        for name, camera in self._cameras.items():
            while camera.counted and camera.counted[0][0] <= since_s:
                camera.counted.popleft()
            camera.live = replace(
                camera.live,
                condition=self._conditions.get(name, ""),
                frames_per_s=len(camera.counted) / RATE_S,
                scored_per_s=sum(scored for _, scored, _ in camera.counted) / RATE_S,
                skipped_per_s=sum(skipped for _, _, skipped in camera.counted) / RATE_S,
            )
        live = {name: camera.live for name, camera in self._cameras.items()}
        self._live.write_state(LiveState(time.time(), live))

    def _safely(self, what: str, step: Callable[[], object]) -> None:
        """Do something that can be done without; what goes wrong is said once, until it works again."""
        try:
            step()
        except Exception as error:  # noqa: BLE001  # of a library too: a picture that is none, say
            if what not in self._said:
                is_safe = isinstance(error, MaskedSkipUNetError) or getattr(error, "errno", None) is not None
                reason = error if is_safe else type(error).__name__
                log.warning("%s: %s cannot be written (%s); scoring continues", self._records, what, reason)
            self._said.add(what)
        else:
            self._said.discard(what)
