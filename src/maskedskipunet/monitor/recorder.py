"""Writes events of cameras into the records, in its own thread, so that neither disk nor encoder delays scoring."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from maskedskipunet.data.frames import Image
from maskedskipunet.data.jpeg import from_jpeg, to_jpeg
from maskedskipunet.detection.drift import DriftChange
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.detection.fusing import EventReason
from maskedskipunet.errors import DiskSpaceError, MaskedSkipUNetError
from maskedskipunet.monitor.clips import ClipConfig, ClipCutter, FinishedClip
from maskedskipunet.monitor.disk_space import DiskSpaceGuard
from maskedskipunet.monitor.monitor_events import Alarm, CameraState, Drift, Health, MonitorEvent, ScoredFrame
from maskedskipunet.monitor.ring import BufferedFrame
from maskedskipunet.records.database import DamagedError, UnavailableError
from maskedskipunet.records.event_files import ExplainingPictures
from maskedskipunet.records.pruning import Retention, prune
from maskedskipunet.records.store import Records
from maskedskipunet.records.subscriptions import Subscription
from maskedskipunet.view.enlarging import resized
from maskedskipunet.view.marking import with_boxes
from maskedskipunet.view.peak_pictures import peak_pictures

log = logging.getLogger(__name__)

LOST, DRIFT = "lost", "drift"  # states of a camera: no frames arrive, or the scene has changed
MAX_FRAMES = 500  # waiting for the thread; beyond it frames are left out of clips
MAX_UPDATES = 10_000  # of events, waiting for the disk
RETRY_S = 5.0
TIDY_S = 600.0
POLL_S = 1.0
HEARD_S = 30.0  # from one note of the cameras' last frames to the next


@dataclass(frozen=True, kw_only=True)
class RecordingConfig:
    """Settings of recording.

    clips: how clips are cut. retention: how old and how large the records may become. keep_free_bytes: free space of
    the disk below which clips pause.
    """

    clips: ClipConfig = field(default_factory=ClipConfig)
    retention: Retention = field(
        default_factory=lambda: Retention(older_than_s=30 * 86400.0, larger_than_bytes=10_000_000_000)
    )
    keep_free_bytes: int = 500_000_000


@dataclass(frozen=True, slots=True)
class _Writing:
    """An alarm to be written, with JPEGs of its peak and of the nearest normal moment, and what the model saw."""

    alarm: Alarm
    picture: bytes | None = None
    normal_picture: bytes | None = None
    explaining: ExplainingPictures | None = None


class Recorder:
    """A subscriber that records events in its own thread, from start() to close().

    Events that cannot be written now, for instance on a full disk, wait in memory and are tried again. Frames that the
    thread has no time for are left out of clips and counted in `frames_left_out`.
    records: the records of the watching process. cameras: addresses by name, without credentials. subscriptions: of the
    sinks that receive events. normal: returns the picture of the nearest normal moment that a reason names.
    """

    def __init__(
        self,
        records: Records,
        cameras: Mapping[str, str],
        *,
        subscriptions: Sequence[Subscription] = (),
        config: RecordingConfig | None = None,
        retry_s: float = RETRY_S,
        normal: Callable[[EventReason | None], Image | None] = lambda reason: None,
    ) -> None:
        self.records, self._cameras, self._subscriptions = records, cameras, subscriptions
        self._config, self._retry_s, self._normal = config or RecordingConfig(), retry_s, normal
        disk_space = DiskSpaceGuard(records.folder.path, keep_free_bytes=self._config.keep_free_bytes)
        self._cutters = {name: ClipCutter(self._config.clips, disk_space=disk_space) for name in cameras}
        self._queue: SimpleQueue[MonitorEvent | None] = SimpleQueue()
        self._unwritten: deque[_Writing] = deque()
        self._held_back: dict[str, _Writing] = {}  # ends of events whose clips are still to come
        self._not_before_s, self._tidy_at_s = 0.0, time.monotonic() + TIDY_S
        self._heard: dict[str, float] = {}
        self._note_heard_at_s = 0.0
        self._is_away = self._ended_left_open = False
        self.frames_left_out = 0
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def end_left_open(self) -> None:
        """End the events and states that an earlier watch left open, also those of cameras no longer watched.

        Call it before sinks start, so that they announce the right state; otherwise `start` does it. Raises as Records
        does.
        """
        if self._ended_left_open:
            return
        self._ended_left_open = True
        for name, source in self._cameras.items():
            self.records.add_camera(name, source)
        self.records.end_left_states(self._subscriptions)
        self.records.end_left_open(subscriptions=self._subscriptions)

    def start(self) -> Self:
        """End what an earlier watch left open, and start the thread. Raises as Records does."""
        self.end_left_open()
        prune(self.records, self._config.retention)
        self._thread.start()
        return self

    def close(self, timeout_s: float = 30.0) -> None:
        """Write what waits, and finish the clips. Returns when that is done, or after the timeout."""
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

    def __call__(self, event: MonitorEvent) -> None:
        """Queue an event for the thread, and return at once."""
        if isinstance(event, ScoredFrame):
            self._heard[event.camera] = event.unix_s
            if event.picture is None:
                return
            if self._queue.qsize() >= MAX_FRAMES:
                if not self.frames_left_out:
                    log.warning("%s: too slow for all frames; some are left out of clips", self.records.folder.path)
                self.frames_left_out += 1
                return
        self._queue.put(event)

    def _run(self) -> None:
        while True:
            try:
                event = self._queue.get(timeout=POLL_S)
            except Empty:
                self._write_waiting()
            else:
                if event is None:
                    break
                self._handle_safely(event)
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

    def _handle_safely(self, event: MonitorEvent) -> None:
        """Handle one event and log errors, so that a fault never ends the thread and all recording."""
        try:
            self._handle(event)
        except MaskedSkipUNetError as error:
            log.warning("%s", error)
        except Exception as error:  # noqa: BLE001  # of a library; its words may hold an address
            log.warning("%s: something was not recorded (%s)", self.records.folder.path, type(error).__name__)

    def _handle(self, event: MonitorEvent) -> None:
        match event:
            case ScoredFrame():
                if event.picture is not None:
                    frame = BufferedFrame(event.frame.time_s, event.picture)
                    self._clips_came(self._cutters[event.camera].see(frame))
            case Alarm():
                self._alarm(event)
            case CameraState():
                self._camera_state(event)
            case Drift(change=DriftChange(phase="begin")):
                self._begin_state(event.camera, DRIFT, event.change.describe())
            case Drift():
                self._end_state(event.camera, DRIFT)
            case Health(present=True):
                self._begin_state(event.camera, event.fault, event.description)
            case Health():
                self._end_state(event.camera, event.fault)

    def _camera_state(self, event: CameraState) -> None:
        self._try(lambda: self.records.set_condition(event.camera, event.condition))
        if event.condition in ("lost", "ended"):
            self._clips_came(self._cutters[event.camera].close())
        if event.condition == "lost":
            self._begin_state(event.camera, LOST, event.reason)
        elif event.condition == "running":
            self._end_state(event.camera, LOST)

    def _begin_state(self, camera: str, kind: str, detail: str) -> None:
        self._try(lambda: self.records.begin_state(camera, kind, detail, subscriptions=self._subscriptions))

    def _end_state(self, camera: str, kind: str) -> None:
        self._try(lambda: self.records.end_state(camera, kind, subscriptions=self._subscriptions))

    def _note_heard(self) -> None:
        if self._heard:
            self._try(lambda: self.records.set_last_frames({**self._heard}))

    def _alarm(self, alarm: Alarm) -> None:
        event = alarm.update.event
        path, cutter = self.records.clip_path(event.id, alarm.began_unix_s), self._cutters[alarm.camera]
        peak = cutter.follow(alarm.update, path)
        kept = replace(alarm, update=replace(alarm.update, peak=None))  # what waits for the disk holds no maps
        writing = _Writing(kept) if peak is None else self._with_pictures(kept, peak, alarm.update.peak)
        if alarm.update.phase == "end" and cutter.is_cutting(event.id):
            self._held_back[event.id] = writing  # the message of an ended event comes with its clip
            return
        self._write(writing)

    def _with_pictures(self, alarm: Alarm, peak: bytes, scored: FrameScore | None) -> _Writing:
        """Return an alarm with its picture, and the nearest normal moment as large and with the same boxes.

        scored: the frame of its peak, with its maps.
        """
        event, image = alarm.update.event, from_jpeg(peak)
        picture = to_jpeg(with_boxes(image, event.boxes)) if event.boxes else peak
        explaining = None if scored is None else _explaining(scored, event.top_score, image)
        if (normal := self._normal(event.reason)) is None:
            return _Writing(alarm, picture, None, explaining)
        beside = with_boxes(resized(normal, *image.shape[:2]), event.boxes)
        return _Writing(alarm, picture, to_jpeg(beside), explaining)

    def _write(self, writing: _Writing) -> None:
        if len(self._unwritten) >= MAX_UPDATES:
            lost = self._unwritten.popleft().alarm
            what = f"{lost.update.phase} of event {lost.update.event.id}"
            log.warning("%s is lost: nothing could be written for too long", what)
        self._unwritten.append(writing)
        self._write_waiting()

    def _write_waiting(self) -> None:
        """Write waiting alarms in order; one that cannot be written keeps the others waiting."""
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
                    explaining=writing.explaining,
                    subscriptions=self._subscriptions,
                )
            except (DiskSpaceError, UnavailableError, DamagedError) as error:
                self._not_before_s = time.monotonic() + self._retry_s
                if not self._is_away:
                    log.warning("%s Events wait in memory; scoring continues", error)
                self._is_away = True
                return
            except Exception as error:  # noqa: BLE001  # an event that can never be written holds up no other
                reason = error if isinstance(error, MaskedSkipUNetError) else type(error).__name__
                log.warning("event %s is not recorded: %s", alarm.update.event.id, reason)
            self._unwritten.popleft()
            if self._is_away:
                log.warning("%s: events can be written again", self.records.folder.path)
            self._is_away = False

    def _clips_came(self, clips: Sequence[FinishedClip]) -> None:
        for clip in clips:
            if (held := self._held_back.pop(clip.event_id, None)) is not None:
                self._write(held)
            elif clip.path is not None:
                self._try(lambda event_id=clip.event_id: self.records.refresh_files(event_id))  # type: ignore[misc]

    def _try(self, step: Callable[[], object]) -> None:
        """Run a step whose failure is only logged: a state, a mark that a clip exists, pruning."""
        try:
            step()
        except (MaskedSkipUNetError, OSError) as error:
            log.warning("%s", error)


def _explaining(scored: FrameScore, top_score: float, image: Image) -> ExplainingPictures | None:
    """Return what the model saw in a frame; None if its map was not asked for, or is empty."""
    height_px, width_px = image.shape[:2]
    made = peak_pictures(scored, top_score, height_px=height_px, width_px=width_px)
    return None if made is None else ExplainingPictures(made.heat_map, made.reconstruction)
