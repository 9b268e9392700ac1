"""Delivers the messages that wait in the records. Each sink has its own thread, so that none waits for another."""

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
from maskedskipunet.notify.sink import AnnouncingSink, Attachments, RefusedError, RetryLaterError, Sink
from maskedskipunet.records import outbox
from maskedskipunet.records.outbox import Delivery
from maskedskipunet.records.store import Records
from maskedskipunet.records.subscriptions import Subscription

log = logging.getLogger(__name__)
LONGEST_RETRY_AFTER_S = 3600.0  # the longest wait that a receiver can ask for
IDLE_S = 30.0  # new messages wake the thread; this is for those of other processes
MAINTAIN_S = 60.0


@dataclass(frozen=True)
class SubscribedSink:
    """A sink and its subscription."""

    subscription: Subscription
    sink: Sink


class Dispatcher:
    """Delivers messages to their sinks from start() to close().

    Messages that cannot be delivered wait in the records, also across restarts. A message is delivered at least once:
    after a crash the last one may come again, with the same key. A sink's messages come in order, but a refused one
    does not delay those of other events. A sink that announces states does so at the start, before any message.
    records: the records of the watching process. seed: of the random part of waits.
    """

    def __init__(
        self,
        records: Records,
        sinks: Mapping[str, SubscribedSink],
        *,
        backoff: Backoff | None = None,
        seed: int | None = None,
    ) -> None:
        self.records = records
        waits = backoff or Backoff()
        self._threads = [_SinkThread(records, subscribed, waits, Random(seed)) for subscribed in sinks.values()]
        self._names = [*sinks]

    def start(self) -> Self:
        with self.records.write() as session:
            outbox.drop_other_sinks(session, self._names, self.records.clock())
        for thread in self._threads:
            self.records.when_written(thread.wake)
            thread.start()
        return self

    def close(self, timeout_s: float = 10.0) -> None:
        """Deliver what receivers accept now, and end within about this time; the rest waits for the next start."""
        deadline_s = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.stop()
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _SinkThread:
    """The thread of one sink."""

    def __init__(self, records: Records, subscribed: SubscribedSink, backoff: Backoff, random: Random) -> None:
        self.records, self.subscription, self.sink = records, subscribed.subscription, subscribed.sink
        self._backoff, self._random = backoff, random
        self._wake, self._stop, self._give_up = threading.Event(), threading.Event(), threading.Event()
        self._failures = 0
        self._not_before_s = self._maintain_at_s = 0.0
        # A daemon, because a receiver that hangs may delay it by its timeouts when the process wants to end.
        self._thread = threading.Thread(target=self._run, name=f"sink {self.subscription.sink}", daemon=True)

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
            log.warning("sink %s: a delivery still hangs; its messages wait", self.subscription.sink)

    def _run(self) -> None:
        while not self._give_up.is_set():
            self._wake.clear()
            try:
                wait_s = self._step()
            except MaskedSkipUNetError as error:  # the records cannot be used now, for instance on a full disk
                wait_s = self._after_failure()
                log.warning("sink %s: %s", self.subscription.sink, error)
            if wait_s > 0:
                if self._stop.is_set():  # nothing more can be delivered now
                    break
                self._wake.wait(wait_s)
        self.sink.close()

    def _step(self) -> float:
        """Try one message, if one is due; return the seconds until there may be something to do again."""
        if time.monotonic() >= self._maintain_at_s:
            self._maintain_at_s = time.monotonic() + MAINTAIN_S
            self._maintain()
        if (wait_s := self._not_before_s - time.monotonic()) > 0:
            return wait_s
        error = self._announce()
        with self.records.read() as session:
            found = outbox.next_delivery(session, self.subscription.sink, self.records.clock())
        if error is not None:
            return self._retry_later(error, found if isinstance(found, Delivery) else None)
        if isinstance(found, Delivery):
            return self._try(found)
        return IDLE_S if found is None else min(IDLE_S, max(0.0, found - self.records.clock()))

    def _announce(self) -> RetryLaterError | None:
        """Announce states; return why that cannot be done now, or None."""
        try:
            if isinstance(self.sink, AnnouncingSink) and self.sink.announce():
                self._failures = 0
        except RetryLaterError as error:
            return error
        except Exception as error:  # noqa: BLE001  # of a library; its text may hold an address or a secret
            return RetryLaterError(f"unexpected error ({type(error).__name__})")
        return None

    def _retry_later(self, error: RetryLaterError, delivery: Delivery | None) -> float:
        """Wait, because the receiver accepts nothing now. delivery: its first waiting message."""
        wait_s = self._after_failure(min(error.retry_after_s, LONGEST_RETRY_AFTER_S))
        self._failed(delivery, str(error), 0.0)
        return wait_s

    def _try(self, delivery: Delivery) -> float:
        try:
            self.sink.send(delivery, self._files(delivery))
        except RetryLaterError as error:
            wait_s = self._retry_later(error, delivery)
        except RefusedError as refused:
            wait_s = self._after_failure()
            self._failed(delivery, str(refused), self._backoff.wait_s(delivery.attempts + 1, self._random))
        except Exception as error:  # noqa: BLE001  # of a library; its text may hold an address or a secret
            wait_s = self._after_failure()
            fault = f"unexpected error ({type(error).__name__})"
            self._failed(delivery, fault, self._backoff.wait_s(delivery.attempts + 1, self._random))
        else:
            wait_s = self._failures = 0
            with self.records.write() as session:
                outbox.delivered(session, delivery, self.records.clock())
        return wait_s

    def _failed(self, delivery: Delivery | None, fault: str, due_in_s: float) -> None:
        if self._failures == 1:  # logged once, until it works again
            log.warning("sink %s: %s; its messages wait", self.subscription.sink, fault)
        if delivery is None:
            return
        with self.records.write() as session:
            outbox.failed(session, delivery, fault, self.records.clock() + due_in_s)

    def _after_failure(self, asked_s: float = 0.0) -> float:
        self._failures += 1
        wait_s = max(asked_s, self._backoff.wait_s(self._failures, self._random))
        self._not_before_s = time.monotonic() + wait_s
        return wait_s

    def _files(self, delivery: Delivery) -> Attachments:
        if delivery.kind != "event":
            return Attachments()
        paths = self.records.folder.files_named(delivery.event_id, str(delivery.message["began_at"])[:10])
        return Attachments(*map(_there, paths))

    def _maintain(self) -> None:
        now_unix_s = self.records.clock()
        with self.records.write() as session:
            is_trusted = self.records.is_clock_trusted
            outbox.bound(session, self.subscription, now_unix_s, by_age=is_trusted)
            if is_trusted:
                outbox.forget_done(session, now_unix_s - outbox.KEPT_DONE_S)


def _there(path: Path) -> Path | None:
    return path if path.is_file() else None
