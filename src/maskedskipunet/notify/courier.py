"""Delivers what waits in the records, each sink in a thread of its own, so that none waits for another."""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from maskedskipunet.errors import MaskedSkipUNetError
from maskedskipunet.notify.backoff import Backoff
from maskedskipunet.notify.sink import AnnouncingSink, Attachments, AwayError, RefusedError, Sink
from maskedskipunet.records import outbox
from maskedskipunet.records.outbox import Delivery
from maskedskipunet.records.routes import Route
from maskedskipunet.records.store import Records

log = logging.getLogger(__name__)
LONGEST_RETRY_AFTER_S = 3600.0  # a receiver may ask for patience, not for ever
IDLE_S = 30.0  # a message is announced when it is recorded; this is for those of other processes
TIDY_S = 60.0


@dataclass(frozen=True)
class Post:
    """A sink and what it is told."""

    route: Route
    sink: Sink


class Courier:
    """Takes messages to their sinks from start() to close().

    What cannot be delivered waits in the records, also across restarts. A message is delivered at least once: after a
    crash the last one may come again, with the same key. A sink's messages come in order, but that one it refuses
    does not hold up those of other events. A sink that announces does so at the start, before any message.
    records: of the process that watches. chance: of the waits.
    """

    def __init__(
        self, records: Records, posts: Mapping[str, Post], *, backoff: Backoff | None = None, seed: int | None = None
    ) -> None:
        self.records = records
        waits = backoff or Backoff()
        self._rounds = [_Round(records, post, waits, Random(seed)) for post in posts.values()]
        self._names = [*posts]

    def start(self) -> Self:
        with self.records.write() as session:
            outbox.drop_other_sinks(session, self._names, self.records.clock())
        for one in self._rounds:
            self.records.when_written(one.wake)
            one.start()
        return self

    def close(self, timeout_s: float = 10.0) -> None:
        """Deliver what receivers take now, and end within about this time; the rest waits for the next start."""
        deadline_s = time.monotonic() + timeout_s
        for one in self._rounds:
            one.stop()
        for one in self._rounds:
            one.join(max(0.0, deadline_s - time.monotonic()))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _Round:
    """One sink's thread."""

    def __init__(self, records: Records, post: Post, backoff: Backoff, chance: Random) -> None:
        self.records, self.route, self.sink = records, post.route, post.sink
        self._backoff, self._chance = backoff, chance
        self._wake, self._stop, self._give_up = threading.Event(), threading.Event(), threading.Event()
        self._failures = 0
        self._not_before_s = self._tidy_at_s = 0.0
        # A daemon, because a receiver that hangs may hold it for its timeouts after the process wants to end.
        self._thread = threading.Thread(target=self._run, name=f"sink {self.route.sink}", daemon=True)

    def start(self) -> None:
        if isinstance(self.sink, AnnouncingSink):
            self.sink.when_due(self.wake)
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        self._stop.set()
        self._wake.set()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)
        self._give_up.set()
        if self._thread.is_alive():
            log.warning("sink %s: a delivery still hangs; its messages wait", self.route.sink)

    def _run(self) -> None:
        while not self._give_up.is_set():
            self._wake.clear()
            try:
                wait_s = self._step()
            except MaskedSkipUNetError as error:  # the records cannot be used now, as on a full disk
                wait_s = self._after_failure()
                log.warning("sink %s: %s", self.route.sink, error)
            if wait_s > 0:
                if self._stop.is_set():  # nothing more can be delivered now
                    break
                self._wake.wait(wait_s)
        self.sink.close()

    def _step(self) -> float:
        """Try one message, if one is due; returns the seconds until there may be something to do again."""
        if time.monotonic() >= self._tidy_at_s:
            self._tidy_at_s = time.monotonic() + TIDY_S
            self._tidy()
        if (wait_s := self._not_before_s - time.monotonic()) > 0:
            return wait_s
        away = self._announce()
        with self.records.read() as session:
            found = outbox.next_delivery(session, self.route.sink, self.records.clock())
        if away is not None:
            return self._away(away, found if isinstance(found, Delivery) else None)
        if isinstance(found, Delivery):
            return self._try(found)
        return IDLE_S if found is None else min(IDLE_S, max(0.0, found - self.records.clock()))

    def _announce(self) -> AwayError | None:
        """Say what holds; returns why that cannot be done now."""
        try:
            if isinstance(self.sink, AnnouncingSink) and self.sink.announce():
                self._failures = 0
        except AwayError as away:
            return away
        except Exception as error:  # noqa: BLE001  # of a library; its words may hold an address or a secret
            return AwayError(f"unexpected error ({type(error).__name__})")
        return None

    def _away(self, away: AwayError, delivery: Delivery | None) -> float:
        """The receiver takes nothing now. delivery: what waits for it first."""
        wait_s = self._after_failure(min(away.retry_after_s, LONGEST_RETRY_AFTER_S))
        self._failed(delivery, str(away), 0.0)
        return wait_s

    def _try(self, delivery: Delivery) -> float:
        try:
            self.sink.send(delivery, self._files(delivery))
        except AwayError as away:
            wait_s = self._away(away, delivery)
        except RefusedError as refused:
            wait_s = self._after_failure()
            self._failed(delivery, str(refused), self._backoff.wait_s(delivery.attempts + 1, self._chance))
        except Exception as error:  # noqa: BLE001  # of a library; its words may hold an address or a secret
            wait_s = self._after_failure()
            fault = f"unexpected error ({type(error).__name__})"
            self._failed(delivery, fault, self._backoff.wait_s(delivery.attempts + 1, self._chance))
        else:
            wait_s = self._failures = 0
            with self.records.write() as session:
                outbox.delivered(session, delivery, self.records.clock())
        return wait_s

    def _failed(self, delivery: Delivery | None, fault: str, due_in_s: float) -> None:
        if self._failures == 1:  # said once, until it works again
            log.warning("sink %s: %s; its messages wait", self.route.sink, fault)
        if delivery is None:
            return
        with self.records.write() as session:
            outbox.failed(session, delivery, fault, self.records.clock() + due_in_s)

    def _after_failure(self, asked_s: float = 0.0) -> float:
        self._failures += 1
        wait_s = max(asked_s, self._backoff.wait_s(self._failures, self._chance))
        self._not_before_s = time.monotonic() + wait_s
        return wait_s

    def _files(self, delivery: Delivery) -> Attachments:
        if delivery.kind != "event":
            return Attachments()
        paths = self.records.folder.files_named(delivery.event_id, str(delivery.message["began_at"])[:10])
        return Attachments(*map(_there, paths))

    def _tidy(self) -> None:
        now_unix_s = self.records.clock()
        with self.records.write() as session:
            is_trusted = self.records.is_clock_trusted
            outbox.bound(session, self.route, now_unix_s, by_age=is_trusted)
            if is_trusted:
                outbox.forget_done(session, now_unix_s - outbox.KEPT_DONE_S)


def _there(path: Path) -> Path | None:
    return path if path.is_file() else None
