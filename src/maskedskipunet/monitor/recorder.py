"""Writes what happens at cameras into the records, in a thread of its own: no disk and no encoder holds up scoring."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from maskedskipunet.data.frames import Image
from maskedskipunet.data.jpeg import from_jpeg, to_jpeg
from maskedskipunet.detection.drift import DriftChange
from maskedskipunet.detection.fusing import EventReason
from maskedskipunet.errors import DiskSpaceError, MaskedSkipUNetError
from maskedskipunet.monitor.clips import ClipConfig, ClipCutter, FinishedClip
from maskedskipunet.monitor.news import Alarm, CameraState, Drift, Health, News, Scored
from maskedskipunet.monitor.ring import KeptFrame
from maskedskipunet.monitor.room import Room
from maskedskipunet.records.database import DamagedError, UnavailableError
from maskedskipunet.records.pruning import Retention, prune
from maskedskipunet.records.routes import Route
from maskedskipunet.records.store import Records
from maskedskipunet.view.enlarging import resized
from maskedskipunet.view.marking import with_boxes

log = logging.getLogger(__name__)

LOST, DRIFT = "lost", "drift"  # states of a camera: nothing is seen of it, or normal itself has changed
MOST_FRAMES = 500  # that wait for the thread; beyond it frames are left out of clips
MOST_UPDATES = 10_000  # of events, that wait for the disk
RETRY_S = 5.0
TIDY_S = 600.0
LOOK_S = 1.0
HEARD_S = 30.0  # from one note of when cameras' frames came last to the next


@dataclass(frozen=True, kw_only=True)
class RecordingConfig:
    """What is kept, and for how long.

    clips: how they are cut. retention: how old and how large the records may become. keep_free_bytes: of the disk;
    below it clips pause.
    """

    clips: ClipConfig = field(default_factory=ClipConfig)
    retention: Retention = field(
        default_factory=lambda: Retention(older_than_s=30 * 86400.0, larger_than_bytes=10_000_000_000)
    )
    keep_free_bytes: int = 500_000_000


@dataclass(frozen=True, slots=True)
class _Writing:
    """An alarm on its way to the records, with JPEGs of its peak and of the nearest normal moment."""

    alarm: Alarm
    picture: bytes | None = None
    normal_picture: bytes | None = None


class Recorder:
    """A listener that hands on everything to its thread, from start() to close().

    What the records cannot take now, as on a full disk, waits in memory and is tried again. Frames that the thread
    has no time for are left out of clips and counted in `frames_left_out`.
    records: of the process that watches. cameras: by name their addresses, without credentials. routes: the sinks
    that are told of events. normal: finds the picture of the nearest normal moment that a reason names.
    """

    def __init__(
        self,
        records: Records,
        cameras: Mapping[str, str],
        *,
        routes: Sequence[Route] = (),
        config: RecordingConfig | None = None,
        retry_s: float = RETRY_S,
        normal: Callable[[EventReason | None], Image | None] = lambda reason: None,
    ) -> None:
        self.records, self._cameras, self._routes = records, cameras, routes
        self._config, self._retry_s, self._normal = config or RecordingConfig(), retry_s, normal
        room = Room(records.folder.path, keep_free_bytes=self._config.keep_free_bytes)
        self._cutters = {name: ClipCutter(self._config.clips, room=room) for name in cameras}
        self._queue: SimpleQueue[News | None] = SimpleQueue()
        self._unwritten: deque[_Writing] = deque()
        self._held_back: dict[str, _Writing] = {}  # ends of events whose clips are still to come
        self._not_before_s, self._tidy_at_s = 0.0, time.monotonic() + TIDY_S
        self._heard: dict[str, float] = {}
        self._note_heard_at_s = 0.0
        self._is_away = self._has_taken_over = False
        self.frames_left_out = 0
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def take_over(self) -> None:
        """End what an earlier watch left: the events and states of all its cameras, of those no longer watched too.

        Called before sinks begin, they say at once what holds now; `start` does it otherwise. Raises as Records does.
        """
        if self._has_taken_over:
            return
        self._has_taken_over = True
        for name, source in self._cameras.items():
            self.records.add_camera(name, source)
        self.records.end_left_states(self._routes)
        self.records.end_left_open(routes=self._routes)

    def start(self) -> Self:
        """Take over what an earlier watch left, and begin. Raises as Records does."""
        self.take_over()
        prune(self.records, self._config.retention)
        self._thread.start()
        return self

    def close(self, timeout_s: float = 30.0) -> None:
        """Write what waits, and end the clips; returns when that is done, or given up."""
        self._queue.put(None)
        self._thread.join(timeout_s)
        if self._thread.is_alive() or self._unwritten:
            log.warning("%s: the last changes could not be written", self.records.folder.path)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, news: News) -> None:
        """Takes what is told, and returns at once."""
        if isinstance(news, Scored):
            self._heard[news.camera] = news.unix_s
            if news.picture is None:
                return
            if self._queue.qsize() >= MOST_FRAMES:
                if not self.frames_left_out:
                    log.warning("%s: too slow for all frames; some are left out of clips", self.records.folder.path)
                self.frames_left_out += 1
                return
        self._queue.put(news)

    def _run(self) -> None:
        while True:
            try:
                news = self._queue.get(timeout=LOOK_S)
            except Empty:
                self._write_waiting()
            else:
                if news is None:
                    break
                self._take_safely(news)
            if time.monotonic() >= self._note_heard_at_s:
                self._note_heard_at_s = time.monotonic() + HEARD_S
                self._note_heard()
            if time.monotonic() >= self._tidy_at_s:
                self._tidy_at_s = time.monotonic() + TIDY_S
                self._try(lambda: prune(self.records, self._config.retention))
        self._not_before_s = 0.0
        self._write_waiting()
        for cutter in self._cutters.values():
            self._clips_came(cutter.close())
        self._note_heard()

    def _take_safely(self, news: News) -> None:
        """Take one change, and log what goes wrong, so that a fault never ends the thread and all recording."""
        try:
            self._take(news)
        except MaskedSkipUNetError as error:
            log.warning("%s", error)
        except Exception as error:  # noqa: BLE001  # of a library; its words may hold an address
            log.warning("%s: something was not recorded (%s)", self.records.folder.path, type(error).__name__)

    def _take(self, news: News) -> None:
        match news:
            case Scored():
                if news.picture is not None:
                    frame = KeptFrame(news.frame.time_s, news.picture)
                    self._clips_came(self._cutters[news.camera].see(frame))
            case Alarm():
                self._alarm(news)
            case CameraState():
                self._camera_state(news)
            case Drift(change=DriftChange(phase="begin")):
                self._begin_state(news.camera, DRIFT, news.change.told())
            case Drift():
                self._end_state(news.camera, DRIFT)
            case Health(present=True):
                self._begin_state(news.camera, news.fault, news.told)
            case Health():
                self._end_state(news.camera, news.fault)

    def _camera_state(self, news: CameraState) -> None:
        self._try(lambda: self.records.set_condition(news.camera, news.condition))
        if news.condition in ("lost", "ended"):
            self._clips_came(self._cutters[news.camera].close())
        if news.condition == "lost":
            self._begin_state(news.camera, LOST, news.reason)
        elif news.condition == "running":
            self._end_state(news.camera, LOST)

    def _begin_state(self, camera: str, kind: str, detail: str) -> None:
        self._try(lambda: self.records.begin_state(camera, kind, detail, routes=self._routes))

    def _end_state(self, camera: str, kind: str) -> None:
        self._try(lambda: self.records.end_state(camera, kind, routes=self._routes))

    def _note_heard(self) -> None:
        if self._heard:
            self._try(lambda: self.records.heard_of({**self._heard}))

    def _alarm(self, alarm: Alarm) -> None:
        event = alarm.update.event
        path, cutter = self.records.clip_path(event.id, alarm.began_unix_s), self._cutters[alarm.camera]
        peak = cutter.follow(alarm.update, path)
        writing = _Writing(alarm) if peak is None else self._with_pictures(alarm, peak)
        if alarm.update.phase == "end" and cutter.is_cutting(event.id):
            self._held_back[event.id] = writing  # who is told of an event that is over is given its clip
            return
        self._write(writing)

    def _with_pictures(self, alarm: Alarm, peak: bytes) -> _Writing:
        """Return an alarm with its picture, and the nearest normal moment as large and with the same boxes."""
        event, image = alarm.update.event, from_jpeg(peak)
        picture = to_jpeg(with_boxes(image, event.boxes)) if event.boxes else peak
        if (usual := self._normal(event.reason)) is None:
            return _Writing(alarm, picture)
        beside = with_boxes(resized(usual, *image.shape[:2]), event.boxes)
        return _Writing(alarm, picture, to_jpeg(beside))

    def _write(self, writing: _Writing) -> None:
        if len(self._unwritten) >= MOST_UPDATES:
            lost = self._unwritten.popleft().alarm
            what = f"{lost.update.phase} of event {lost.update.event.id}"
            log.warning("%s is lost: nothing could be written for too long", what)
        self._unwritten.append(writing)
        self._write_waiting()

    def _write_waiting(self) -> None:
        """Events in their order; the first that finds no room keeps the others waiting."""
        while self._unwritten and time.monotonic() >= self._not_before_s:
            writing = self._unwritten[0]
            alarm = writing.alarm
            try:
                self.records.record(
                    alarm.update,
                    camera=alarm.camera,
                    began_unix_s=alarm.began_unix_s,
                    picture=writing.picture,
                    normal_picture=writing.normal_picture,
                    routes=self._routes,
                )
            except (DiskSpaceError, UnavailableError, DamagedError) as error:
                self._not_before_s = time.monotonic() + self._retry_s
                if not self._is_away:
                    log.warning("%s Events wait in memory; scoring continues", error)
                self._is_away = True
                return
            except Exception as error:  # noqa: BLE001  # an event that can never be written holds up no other
                told = error if isinstance(error, MaskedSkipUNetError) else type(error).__name__
                log.warning("event %s is not recorded: %s", alarm.update.event.id, told)
            self._unwritten.popleft()
            if self._is_away:
                log.warning("%s: events can be written again", self.records.folder.path)
            self._is_away = False

    def _clips_came(self, clips: Sequence[FinishedClip]) -> None:
        for clip in clips:
            if (held := self._held_back.pop(clip.event_id, None)) is not None:
                self._write(held)
            elif clip.path is not None:
                self._try(lambda event_id=clip.event_id: self.records.look_again(event_id))  # type: ignore[misc]

    def _try(self, step: Callable[[], object]) -> None:
        """What can be done without: a state, a mark that a clip is there, a tidying."""
        try:
            step()
        except (MaskedSkipUNetError, OSError) as error:
            log.warning("%s", error)
