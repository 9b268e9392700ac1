"""The records of a folder: written in short transactions, each event's file after its row."""

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
from maskedskipunet.records.database import database_faults, open_database, writing
from maskedskipunet.records.event_files import EventFiles
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
from maskedskipunet.records.routes import Route
from maskedskipunet.records.rows import camera_row, event_row, fill, new_row, recorded_event, restore, set_answer
from maskedskipunet.records.states import CameraCondition, State
from maskedskipunet.records.tables import CameraRow, EventRow
from maskedskipunet.records.turnstile import Turnstile
from maskedskipunet.records.watch_lock import WatchLock

log = logging.getLogger(__name__)


class Records:
    """Cameras, events, states, answers and the messages that wait, in one folder.

    Safe to use from several threads and processes: one writes at a time, the others wait. A row and its messages
    are on the disk before a call returns; the event's file follows it, and where the process is killed between the
    two, or the disk is full, whoever opens the records next writes it.
    clock: the time now, in seconds since 1970. guard: says whether it can be trusted; None where no watch has these
    records. finished: what a killed process had left half done, a line each.
    Each call raises RecordsError when the database cannot be used, DiskSpaceError when there is no room.
    """

    def __init__(
        self, folder: RecordsFolder, engine: Engine, lock: WatchLock, clock: Callable[[], float] = time.time
    ) -> None:
        self.folder, self.clock, self._files = folder, clock, EventFiles(folder)
        self._engine, self._writing, self._lock = engine, writing(engine), lock
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

        create: make them where there are none. watching: be the one process that writes clips and delivers.
        busy_timeout_s: how long a call waits for another process that writes (None: as long as a watch does).
        Raises RecordsError as open_database does, and where another process is watching.
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
        """Calls the listener after each event or state that this object recorded; it must return at once."""
        self._listeners.append(listener)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that reads, as of its begin."""
        with database_faults(self.folder.database), Session(self._engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that writes: all or nothing, and no other writes from its begin to its end."""
        with self._writer, database_faults(self.folder.database):
            with Session(self._writing) as session, session.begin():
                with self._turnstile:
                    session.connection()  # takes the writer's place now, and not with the first statement
                jump = None if self.guard is None else self.guard.jump()
                if jump is not None:
                    shift_times(session, jump)
                yield session
            if jump is not None and self.guard is not None:
                self.guard.took(jump)

    @property
    def is_clock_trusted(self) -> bool:
        """Whether an age that the clock tells may remove something; without a watch, it is asked of nobody."""
        return self.guard is None or self.guard.is_trusted()

    def add_camera(self, name: str, source: str) -> None:
        """Tell where a camera is read from; its address is kept without credentials."""
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
        routes: Sequence[Route] = (),
    ) -> RecordedEvent:
        """Write what is known of an event now, with its messages to the sinks, in one transaction.

        began_unix_s: when the event began; the one given first holds. picture: a JPEG that is put in the place of the
        event's picture, or not where there is no room. normal_picture: likewise, of the nearest normal moment; where a
        picture comes without one, the one that was there goes. routes: the sinks that are told. Whether it has a clip
        is what lies at clip_path now.
        Raises RecordsError for a second `new`, for more of an event that is over, and what plain_event refuses.
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
            recorded = recorded_event(row)
            outbox.enqueue(session, recorded, routes, now_unix_s, by_age=self.is_clock_trusted)
        if picture is not None:
            self._files.write_pictures(recorded, picture, normal_picture)
        self._file_later(event.id)
        self._notify()
        return recorded

    def look_again(self, event_id: str) -> None:
        """An event's clip or picture has come, or gone."""
        with self.write() as session:
            self._files.note_presence(row := event_row(session, event_id))
            row.revision += 1
        self._file_later(event_id)

    def answer(
        self, event_id: str, answer: Answer | None, answered_unix_s: float | None = None, *, by: str | None = None
    ) -> None:
        """Keep what a person said of an event, instead of what was said before; None forgets it.

        answered_unix_s: when it was said; None: now. by: who said it, as rows.set_answer takes it.
        """
        with self.write() as session:
            unix_s = self.clock() if answered_unix_s is None else answered_unix_s
            set_answer(event_row(session, event_id), answer, unix_s, by)
        self._file_later(event_id)

    def begin_state(self, camera: str, kind: str, detail: str = "", *, routes: Sequence[Route] = ()) -> None:
        """A state of the camera begins now, and the sinks that take such are told; one that lasts goes on."""
        with self.write() as session:
            message = states.begin(session, camera, kind, detail, self.clock())
            self._tell_of_states(session, [] if message is None else [message], routes)
        self._notify()

    def end_state(self, camera: str, kind: str, *, routes: Sequence[Route] = ()) -> None:
        """A state of the camera is over; nothing happens where there is none."""
        with self.write() as session:
            self._tell_of_states(session, states.end(session, camera, kind, self.clock()), routes)
        self._notify()

    def states(self, camera: str | None = None, *, lasting_only: bool = False) -> list[State]:
        """Return all states, in order of their begin."""
        with self.read() as session:
            return states.all_states(session, camera, lasting_only=lasting_only)

    def set_condition(self, camera: str, condition: str) -> None:
        """Keep how a camera's connection is from now on."""
        with self.write() as session:
            row = camera_row(session, camera)
            if row.condition != condition:
                row.condition, row.condition_unix_s = condition, self.clock()

    def heard_of(self, cameras: Mapping[str, float]) -> None:
        """Keep when a frame of each of these cameras came last, in seconds since 1970."""
        with self.write() as session:
            is_trusted = self.is_clock_trusted
            for name, unix_s in cameras.items():
                row = camera_row(session, name)
                row.heard_unix_s = unix_s
                row.trusted_unix_s = self.clock() if is_trusted else row.trusted_unix_s

    def camera_conditions(self) -> dict[str, CameraCondition]:
        """Return how each camera is, as the watch knew it last."""
        with self.read() as session:
            return states.conditions(session)

    def _tell_of_states(self, session: Session, messages: Sequence[Mapping[str, Any]], routes: Sequence[Route]) -> None:
        for message in messages:
            now_unix_s, by_age = self.clock(), self.is_clock_trusted
            outbox.enqueue_state(session, str(message["id"]), message, routes, now_unix_s, by_age=by_age)

    def _notify(self) -> None:
        for listener in self._listeners:
            listener()

    def event(self, event_id: str) -> RecordedEvent:
        """Return one event. Raises RecordsError where there is none."""
        with self.read() as session:
            return recorded_event(event_row(session, event_id))

    def has_row(self, event_id: str) -> bool:
        """Return whether the database knows the event, be it that it is being removed."""
        with self.read() as session:
            return session.get(EventRow, event_id) is not None

    def settled_event(self, event_id: str) -> RecordedEvent | None:
        """Return an event whose file is as new as its row; None where it is not, or there is no such event."""
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
        """Events in order of their begin, those that began from `since` on and before `until`."""
        asked = EventQuery(since_unix_s=since_unix_s, until_unix_s=until_unix_s, camera=camera, open_only=open_only)
        with self.read() as session:
            return query.find_events(session, asked)

    def page(self, asked: EventQuery, *, after: str | None = None, size: int = 50) -> EventPage:
        """A page of the events that are asked for; see query.find_page."""
        with self.read() as session:
            return query.find_page(session, asked, after=after, size=size)

    def count(self, asked: EventQuery) -> int:
        """How many events there are of those that are asked for."""
        with self.read() as session:
            return query.count_events(session, asked)

    def cameras(self) -> dict[str, str]:
        """Return the source of each camera."""
        with self.read() as session:
            return {row.name: row.source for row in session.scalars(select(CameraRow).order_by(CameraRow.name))}

    def end_left_open(self, cameras: Sequence[str] | None = None, routes: Sequence[Route] = ()) -> int:
        """End the events of these cameras, or of all, that a killed process left open, as far as they were known.

        For the process that watches, before its first event: no other can have them open. Returns how many there were.
        """
        left = [one for one in self.events(open_only=True) if cameras is None or one.camera in cameras]
        for recorded in left:
            self.record(
                EventUpdate("end", recorded.event),
                camera=recorded.camera,
                began_unix_s=recorded.began_unix_s,
                routes=routes,
            )
        return len(left)

    def end_left_states(self, routes: Sequence[Route] = ()) -> None:
        """End all states that an earlier process left, and forget how cameras were; for the process that watches."""
        for state in self.states(lasting_only=True):
            self.end_state(state.camera, state.kind, routes=routes)
        with self.write() as session:
            for row in session.scalars(select(CameraRow)):
                row.condition, row.condition_unix_s = "", None

    def ages_from(self) -> dict[str, float]:
        """When the age of events is counted from whose own time cannot be right, by their ids."""
        wanted = select(EventRow.id, EventRow.aged_from_unix_s).where(EventRow.aged_from_unix_s.is_not(None))
        with self.read() as session:
            return {event_id: unix_s for event_id, unix_s in session.execute(wanted) if unix_s is not None}

    def adopt_unknown_ages(self) -> None:
        """Count the age of events from now on whose own time cannot be right, where the clock can be trusted."""
        if self.guard is not None and self.guard.is_trusted():
            with self.write() as session:
                adopt_unknown_ages(session, self.clock())

    def clip_path(self, event_id: str, began_unix_s: float) -> Path:
        return self.folder.clip(event_id, began_unix_s)

    def picture_path(self, event_id: str, began_unix_s: float) -> Path:
        return self.folder.picture(event_id, began_unix_s)

    def insert(self, recorded: RecordedEvent) -> None:
        """Make the row of an event whose file is there, or make it what the file says. Sends no messages."""
        with self.write() as session:
            restore(session, recorded)

    def remove(self, event_id: str) -> int:
        """Remove an event and its files; returns their bytes. Raises RecordsError where there is none."""
        with self.write() as session:
            event_row(session, event_id).is_removing = True
        return self._finish_removal(event_id)

    def _finish_left_behind(self, half_written: bool) -> list[str]:
        """Finish what a killed process left half done; returns what was done, a line each.

        Events' files that were not written yet are written, removals go on, half-written files are removed.
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
            with self.write():  # events' own files are written in the writer's place
                for part in self._files.remove_half_written():
                    done.append(f"removed the half-written {self.folder.relative(part)}")
        return done

    def file(self, event_id: str) -> None:
        """Write the event's file anew. Raises DiskSpaceError when there is no room."""
        with self.write() as session:  # the writer's place is held, or an older file could replace a newer one
            row = session.get(EventRow, event_id)
            if row is not None and not row.is_removing:
                self._files.write_description(row)

    def _file_later(self, event_id: str) -> bool:
        """Write the event's file, or leave it for later where there is no room: the row holds all of it."""
        try:
            self.file(event_id)
        except (MaskedSkipUNetError, OSError) as error:
            log.warning("the file of event %s is not written yet (%s)", event_id, error)
            return False
        return True

    def _finish_removal(self, event_id: str) -> int:
        """Files go first and the row last, so that no file is ever without a row that tells what it is."""
        with self.write() as session:
            row = session.get(EventRow, event_id)
            if row is None:
                return 0
            freed_bytes, began_unix_s = self._files.remove(row), row.began_unix_s
            session.delete(row)
        self._files.remove_day_if_empty(event_id, began_unix_s)
        return freed_bytes
