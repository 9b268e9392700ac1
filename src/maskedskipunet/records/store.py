"""The records of a folder, written in short transactions; an event's file follows its row."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from maskedskipunet.detection.events import EventUpdate
from maskedskipunet.errors import MaskedSkipUNetError, RecordsError
from maskedskipunet.records import outbox, query, states
from maskedskipunet.records.clock import ClockGuard, adopt_unknown_ages, last_trusted_unix_s, shift_times
from maskedskipunet.records.curves import ScoreCurves
from maskedskipunet.records.database import database_faults, open_database, writing
from maskedskipunet.records.event_files import EventFiles, ExplainingPictures
from maskedskipunet.records.folder import RecordsFolder
from maskedskipunet.records.query import EventPage, EventQuery
from maskedskipunet.records.recorded import (
    Answer,
    RecordedEvent,
    plain_event,
    require_camera,
    require_time,
    without_credentials,
)
from maskedskipunet.records.rows import camera_row, event_row, fill, new_row, recorded_event, restore, set_answer
from maskedskipunet.records.states import CameraCondition, State
from maskedskipunet.records.subscriptions import Subscription
from maskedskipunet.records.tables import CameraRow, EventRow
from maskedskipunet.records.turnstile import Turnstile
from maskedskipunet.records.watch_lock import WatchLock

log = logging.getLogger(__name__)


class Records:
    """Cameras, events, states, answers and waiting messages in one folder.

    Several threads and processes may use it: one writes at a time, the others wait. A row and its messages are on disk
    before a call returns; the event's file follows, or the next one that opens the records writes it. clock: returns
    seconds since 1970. guard: tells whether the clock can be trusted; None without a watch. finished: work of a killed
    process that was completed, a line each. curves: the scores of each camera.
    Each call raises RecordsError when the database cannot be used, DiskSpaceError when the disk is full.
    """

    def __init__(
        self, folder: RecordsFolder, engine: Engine, lock: WatchLock, clock: Callable[[], float] = time.time
    ) -> None:
        self.folder, self.clock, self._files = folder, clock, EventFiles(folder)
        self._engine, self._writing, self._lock = engine, writing(engine), lock
        self.curves = ScoreCurves(folder.curves)
        self._writer, self._turnstile = threading.Lock(), Turnstile(folder.turn_lock)
        self._listeners: list[Callable[[], None]] = []
        self.guard: ClockGuard | None = None
        self.finished: list[str] = []

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        create: bool = True,
        watching: bool = False,
        clock: Callable[[], float] = time.time,
        busy_timeout_s: float | None = None,
    ) -> Self:
        """Open the records of a folder and finish what a killed process left half done (see `finished`).

        create: create them if there are none. watching: be the one process that writes clips and delivers messages.
        busy_timeout_s: how long a call waits for another process that writes (None: as long as a watch does).
        """
        folder = RecordsFolder(path)
        engine = open_database(folder, create=create, busy_timeout_s=busy_timeout_s)
        lock = WatchLock(folder.watch_lock)
        try:
            is_alone = lock.take(wait=watching)
            if watching and not is_alone:
                cure = "Give each `watch` a records folder of its own"
                raise RecordsError("another process is watching into these records", str(path), cure)
            records = cls(folder, engine, lock, clock)
            records.finished = records._finish_left_behind(half_written=is_alone)
            if watching:
                with records.read() as session:
                    records.guard = ClockGuard(clock, trusted_unix_s=last_trusted_unix_s(session))
            else:
                lock.give_back()
        except BaseException:
            lock.give_back()
            engine.dispose()
            raise
        return records

    def close(self) -> None:
        self._lock.give_back()
        self._turnstile.close()
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def when_written(self, listener: Callable[[], None]) -> None:
        """Call the listener after each event or state that this object records; it must return at once."""
        self._listeners.append(listener)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a transaction that reads the state of its begin."""
        with database_faults(self.folder.database), Session(self._engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a transaction that writes everything or nothing; no other writes until it ends."""
        with self._writer, database_faults(self.folder.database):
            with Session(self._writing) as session, session.begin():
                with self._turnstile:
                    session.connection()  # locks for writing now, and not with the first statement
                jump = None if self.guard is None else self.guard.jump()
                if jump is not None:
                    shift_times(session, jump)
                yield session
            if jump is not None and self.guard is not None:
                self.guard.took(jump)

    @property
    def is_clock_trusted(self) -> bool:
        """The clock can be trusted to remove old messages and events; always true without a watch."""
        return self.guard is None or self.guard.is_trusted()

    def add_camera(self, name: str, source: str) -> None:
        """Add a camera or change its source; the address is kept without credentials."""
        with self.write() as session:
            camera_row(session, name, source).source = without_credentials(source)

    def record(
        self,
        update: EventUpdate,
        *,
        camera: str,
        began_unix_s: float,
        picture: bytes | None = None,
        normal_picture: bytes | None = None,
        explaining: ExplainingPictures | None = None,
        subscriptions: Sequence[Subscription] = (),
    ) -> RecordedEvent:
        """Write an event and its messages to the sinks in one transaction.

        began_unix_s: when the event began; only the first value counts. picture: a JPEG that replaces the event's
        picture, unless the disk is full. normal_picture, explaining: of the nearest normal moment, and what the model
        saw; a picture without them removes the earlier ones. subscriptions: of the sinks that get messages. The event
        has a clip if there is a file at clip_path.
        Raises RecordsError for a second `new`, for more of an event that has ended, and for what plain_event refuses.
        """
        event, now_unix_s = plain_event(update.event), self.clock()
        with self.write() as session:
            row = session.get(EventRow, event.id)
            if row is None:
                row = new_row(session, event, require_camera(camera), require_time(began_unix_s))
            elif update.phase == "new" or row.phase == "end":
                fault = "begins twice" if update.phase == "new" else "is over"
                raise RecordsError(f"the event {fault}", event.id, "Give each event an id of its own")
            else:
                fill(row, event)
                row.sequence += 1
                row.revision += 1
            row.phase, row.updated_unix_s = update.phase, now_unix_s
            self._files.note_presence(row)
            if picture is not None:
                row.has_picture, row.has_normal_picture = True, normal_picture is not None
                self._files.note_explaining(row, explaining)
            recorded = recorded_event(row)
            outbox.enqueue(session, recorded, subscriptions, now_unix_s, by_age=self.is_clock_trusted)
        if picture is not None:
            self._files.write_pictures(recorded, picture, normal_picture, explaining)
        self._file_later(event.id)
        self._notify()
        return recorded

    def refresh_files(self, event_id: str) -> None:
        """Note that an event's clip or picture was added or removed."""
        with self.write() as session:
            self._files.note_presence(row := event_row(session, event_id))
            row.revision += 1
        self._file_later(event_id)

    def answer(
        self, event_id: str, answer: Answer | None, answered_unix_s: float | None = None, *, by: str | None = None
    ) -> None:
        """Set a person's answer to an event, given now or at answered_unix_s, by someone; None removes it."""
        with self.write() as session:
            unix_s = self.clock() if answered_unix_s is None else answered_unix_s
            set_answer(event_row(session, event_id), answer, unix_s, by)
        self._file_later(event_id)

    def begin_state(
        self, camera: str, kind: str, detail: str = "", *, subscriptions: Sequence[Subscription] = ()
    ) -> None:
        """Begin a state of a camera now and inform the sinks that take it; a state that is open continues."""
        with self.write() as session:
            message = states.begin(session, camera, kind, detail, self.clock())
            self._enqueue_states(session, [] if message is None else [message], subscriptions)
        self._notify()

    def end_state(self, camera: str, kind: str, *, subscriptions: Sequence[Subscription] = ()) -> None:
        """End a state of a camera; nothing happens if it is not open."""
        with self.write() as session:
            self._enqueue_states(session, states.end(session, camera, kind, self.clock()), subscriptions)
        self._notify()

    def states(self, camera: str | None = None, *, lasting_only: bool = False) -> list[State]:
        """Return all states, in order of their begin."""
        with self.read() as session:
            return states.all_states(session, camera, lasting_only=lasting_only)

    def set_condition(self, camera: str, condition: str) -> None:
        """Set the condition of a camera's connection from now on."""
        with self.write() as session:
            row = camera_row(session, camera)
            if row.condition != condition:
                row.condition, row.condition_unix_s = condition, self.clock()

    def set_last_frames(self, cameras: Mapping[str, float]) -> None:
        """Set when the last frame of each of these cameras arrived, in seconds since 1970."""
        with self.write() as session:
            is_trusted = self.is_clock_trusted
            for name, unix_s in cameras.items():
                row = camera_row(session, name)
                row.heard_unix_s = unix_s
                row.trusted_unix_s = self.clock() if is_trusted else row.trusted_unix_s

    def camera_conditions(self) -> dict[str, CameraCondition]:
        """Return the last known condition of each camera."""
        with self.read() as session:
            return states.conditions(session)

    def _enqueue_states(
        self, session: Session, messages: Sequence[Mapping[str, Any]], subscriptions: Sequence[Subscription]
    ) -> None:
        for message in messages:
            now_unix_s, by_age = self.clock(), self.is_clock_trusted
            outbox.enqueue_state(session, str(message["id"]), message, subscriptions, now_unix_s, by_age=by_age)

    def _notify(self) -> None:
        for listener in self._listeners:
            listener()

    def event(self, event_id: str) -> RecordedEvent:
        """Return one event. Raises RecordsError if there is none."""
        with self.read() as session:
            return recorded_event(event_row(session, event_id))

    def has_row(self, event_id: str) -> bool:
        """Return whether the database has the event, also while it is being removed."""
        with self.read() as session:
            return session.get(EventRow, event_id) is not None

    def settled_event(self, event_id: str) -> RecordedEvent | None:
        """Return an event whose file is as new as its row; None if it is not, or if there is no such event."""
        with self.read() as session:
            row = session.get(EventRow, event_id)
            return None if row is None or row.is_removing or row.filed_revision != row.revision else recorded_event(row)

    def events(
        self,
        *,
        since_unix_s: float | None = None,
        until_unix_s: float | None = None,
        camera: str | None = None,
        open_only: bool = False,
    ) -> list[RecordedEvent]:
        """Return the events that began from `since` on and before `until`, in order of their begin."""
        asked = EventQuery(since_unix_s=since_unix_s, until_unix_s=until_unix_s, camera=camera, open_only=open_only)
        with self.read() as session:
            return query.find_events(session, asked)

    def page(self, event_query: EventQuery, *, after: str | None = None, size: int = 50) -> EventPage:
        """Return a page of the events that a query finds; see query.find_page."""
        with self.read() as session:
            return query.find_page(session, event_query, after=after, size=size)

    def count(self, event_query: EventQuery) -> int:
        """Return how many events a query finds."""
        with self.read() as session:
            return query.count_events(session, event_query)

    def cameras(self) -> dict[str, str]:
        """Return the source of each camera."""
        with self.read() as session:
            return {row.name: row.source for row in session.scalars(select(CameraRow).order_by(CameraRow.name))}

    def end_left_open(self, cameras: Sequence[str] | None = None, subscriptions: Sequence[Subscription] = ()) -> int:
        """End the events of these cameras, or of all, that a killed process left open, with their last known state.

        Only the process that watches may call it, before its first event. Returns how many there were.
        """
        left = [event for event in self.events(open_only=True) if cameras is None or event.camera in cameras]
        for recorded in left:
            self.record(
                EventUpdate("end", recorded.event),
                camera=recorded.camera,
                began_unix_s=recorded.began_unix_s,
                subscriptions=subscriptions,
            )
        return len(left)

    def end_left_states(self, subscriptions: Sequence[Subscription] = ()) -> None:
        """End all open states and reset the conditions of cameras; only for the process that watches."""
        for state in self.states(lasting_only=True):
            self.end_state(state.camera, state.kind, subscriptions=subscriptions)
        with self.write() as session:
            for row in session.scalars(select(CameraRow)):
                row.condition, row.condition_unix_s = "", None

    def ages_from(self) -> dict[str, float]:
        """Return the time from which the age of events with a wrong time is counted, by event id."""
        found = select(EventRow.id, EventRow.aged_from_unix_s).where(EventRow.aged_from_unix_s.is_not(None))
        with self.read() as session:
            return {event_id: unix_s for event_id, unix_s in session.execute(found) if unix_s is not None}

    def adopt_unknown_ages(self) -> None:
        """Count the age of events with a wrong time from now on, if the clock can be trusted."""
        if self.guard is not None and self.guard.is_trusted():
            with self.write() as session:
                adopt_unknown_ages(session, self.clock())

    def clip_path(self, event_id: str, began_unix_s: float) -> Path:
        return self.folder.clip(event_id, began_unix_s)

    def picture_path(self, event_id: str, began_unix_s: float) -> Path:
        return self.folder.picture(event_id, began_unix_s)

    def insert(self, recorded: RecordedEvent) -> None:
        """Insert or update the row of an event from its file. Sends no messages."""
        with self.write() as session:
            restore(session, recorded)

    def remove(self, event_id: str) -> int:
        """Remove an event and its files, and return their bytes. Raises RecordsError if there is none."""
        with self.write() as session:
            event_row(session, event_id).is_removing = True
        return self._finish_removal(event_id)

    def _finish_left_behind(self, half_written: bool) -> list[str]:
        """Finish what a killed process left half done, and return what was done, a line each.

        It writes missing files of events, completes removals, and removes half-written files.
        """
        with self.read() as session:
            unfiled = session.scalars(
                select(EventRow.id).where(EventRow.filed_revision != EventRow.revision, ~EventRow.is_removing)
            ).all()
            leaving = session.scalars(select(EventRow.id).where(EventRow.is_removing)).all()
        done = [f"wrote the file of event {event_id}" for event_id in unfiled if self._file_later(event_id)]
        for event_id in leaving:
            self._finish_removal(event_id)
            done.append(f"finished the removal of event {event_id}")
        if half_written:
            with self.write():  # events' files are written while writing is locked
                for part in self._files.remove_half_written():
                    done.append(f"removed the half-written {self.folder.relative(part)}")
        return done

    def file(self, event_id: str) -> None:
        """Write the event's file again. Raises DiskSpaceError when the disk is full."""
        with self.write() as session:  # writing is locked, or an older file could replace a newer one
            row = session.get(EventRow, event_id)
            if row is not None and not row.is_removing:
                self._files.write_description(row)

    def _file_later(self, event_id: str) -> bool:
        """Write the event's file, or leave it for later if the disk is full: the row holds everything."""
        try:
            self.file(event_id)
        except (MaskedSkipUNetError, OSError) as error:
            log.warning("the file of event %s is not written yet (%s)", event_id, error)
            return False
        return True

    def _finish_removal(self, event_id: str) -> int:
        """Remove an event's files and then its row, so that no file is ever without a row."""
        with self.write() as session:
            row = session.get(EventRow, event_id)
            if row is None:
                return 0
            freed_bytes, began_unix_s = self._files.remove(row), row.began_unix_s
            session.delete(row)
        self._files.remove_day_if_empty(event_id, began_unix_s)
        return freed_bytes
