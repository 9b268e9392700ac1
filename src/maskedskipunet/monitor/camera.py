"""One camera: its process is started, watched, ended when no frames come, and started again, later each time."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from maskedskipunet.errors import ConfigError
from maskedskipunet.monitor.channel import Receiver
from maskedskipunet.monitor.news import CameraState, Gap
from maskedskipunet.monitor.reading import Arrived, Failed, Finished, Reading, read_camera

GOODBYE_S = 0.5  # that a process has to take leave of its camera
END_S = 2.0  # that one which was killed may take
LEAST_STEP_S = 1e-3


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a camera is waited for, in seconds.

    first_s: for the first frame of a connection. stall_s: for each next one. again_s: before a lost camera is tried
    again, doubled each time up to longest_s, less up to half by chance, so that many do not come back in step.
    good_s: a connection that gave frames for so long was a good one, after which waiting starts anew at again_s.
    refused_s: before a camera that refused the login is asked again, for a handful of wrong passwords locks many.
    """

    first_s: float = 20.0
    stall_s: float = 10.0
    again_s: float = 1.0
    longest_s: float = 60.0
    good_s: float = 2.0
    refused_s: float = 600.0

    def __post_init__(self) -> None:
        for name in ("first_s", "stall_s", "again_s", "longest_s", "good_s", "refused_s"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"{getattr(self, name)!r} seconds", name, "Use a number above 0")


class Reader(Protocol):
    """What reads a camera: a process, or in tests what stands for one."""

    def messages(self) -> list[object]: ...

    @property
    def gone(self) -> str:
        """How it ended; empty while it may still send something."""
        ...

    @property
    def descriptor(self) -> int:
        """What to wait on for its messages."""
        ...

    def ask_to_end(self) -> None: ...

    def kill(self) -> None: ...


class ReaderProcess:
    """A process that reads one camera."""

    def __init__(self, name: str, reading: Reading) -> None:
        context = multiprocessing.get_context("spawn")  # a forked child would inherit torch's threads in mid-work
        ours, theirs = context.Pipe(duplex=False)
        self._process = context.Process(
            # What goes to it, the address too, goes through a pipe: its command line holds nothing of it.
            target=read_camera,
            args=(reading, theirs, os.getpid()),
            daemon=True,
            name=f"camera {name}",
        )
        # Ctrl-C reaches the whole group of processes; one that is just starting would die of it with a traceback.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
        self._pipe = ours
        self._receiver = Receiver(ours.fileno())
        self._asked = False

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def descriptor(self) -> int:
        return self._receiver.descriptor

    def messages(self) -> list[object]:
        return self._receiver.messages()

    @property
    def gone(self) -> str:
        if not self._receiver.closed:
            return ""
        self._process.join(END_S)
        code = self._process.exitcode
        return f"its process was ended by signal {-code}" if code is not None and code < 0 else "its process ended"

    def ask_to_end(self) -> None:
        """Let it take leave of its camera, which may otherwise hold a place for it for a minute."""
        self._process.terminate()
        self._asked = True

    def kill(self) -> None:
        """End it, whatever it does; returns when it is gone, or after END_S."""
        if self._asked:
            self._process.join(GOODBYE_S)
        self._process.kill()
        self._process.join(END_S)
        self._pipe.close()
        with suppress(ValueError):  # the system has not ended it yet; it will
            self._process.close()


@dataclass(frozen=True, slots=True)
class CameraFrame:
    """A frame of a camera. arrived: its index and time go on over connections.

    fresh: whether it is no neighbour of the frame before it: after a gap, frames lost, or another size.
    """

    arrived: Arrived
    fresh: bool


CameraNews = CameraFrame | CameraState | Gap


class Camera:
    """A camera's connection through time. Call `step` now and then, or when its descriptor has something to read.

    A camera is judged by frames that arrive: a process that lives and sends none is ended like one that died.
    once: it is no camera but a file, which nothing is gained by opening again.
    """

    def __init__(
        self,
        name: str,
        start: Callable[[], Reader],
        patience: Patience,
        *,
        once: bool = False,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self.ended = False
        self.dropped = 0
        self._start, self._patience, self._once, self._clock, self._chance = start, patience, once, clock, chance
        self._reader: Reader | None = None
        self._started_s = 0.0
        self._again_at_s = clock()
        self._losses = 0  # without a good time between them
        self._last: Arrived | None = None  # with its index and time of all connections
        self._began_s: float | None = None  # when time 0 was, by the clock of arrivals
        self._here: tuple[int, float] | None = None  # what is added to this connection's index and time
        self._frame_s = self._good_since_s = 0.0
        self._why_lost = ""

    @property
    def descriptor(self) -> int | None:
        """What to wait on for news; None while there is no process."""
        return None if self._reader is None else self._reader.descriptor

    @property
    def running(self) -> bool:
        return self._here is not None

    def step(self) -> list[CameraNews]:
        """Return what has happened since the last step."""
        return [] if self.ended else list(self._step(self._clock()))

    def ask_to_end(self) -> None:
        """Let its process take leave; `stop` then waits for that."""
        if self._reader is not None:
            self._reader.ask_to_end()

    def stop(self) -> None:
        """End its process."""
        if self._reader is not None:
            self._reader.kill()
        self._reader, self._here = None, None

    def _step(self, now_s: float) -> Iterator[CameraNews]:
        if self._reader is None:
            if now_s < self._again_at_s:
                return
            yield CameraState(self.name, "connecting", time.time())
            self._started_s = self._frame_s = now_s
            try:
                self._reader = self._start()
            except OSError as error:  # no process or no pipe more; later there may be
                yield self._lost(f"it cannot be read ({error.strerror})", now_s)
                return
        reason, refused = "", False
        for message in self._reader.messages():
            if isinstance(message, Arrived):
                yield from self._arrived(message, now_s)
            elif isinstance(message, Failed):
                reason, refused = message.reason, message.refused
            elif isinstance(message, Finished):
                self.stop()
                self.ended = True
                yield CameraState(self.name, "ended", time.time())
                return
        if not reason:
            limit_s = self._patience.stall_s if self.running else self._patience.first_s
            waited_s = now_s - self._frame_s
            reason = self._reader.gone or (f"no frame for {waited_s:.1f} s" if waited_s > limit_s else "")
        if reason:
            yield self._lost(reason, now_s, refused=refused)

    def _arrived(self, message: Arrived, now_s: float) -> Iterator[CameraNews]:
        before = self._last
        if self._here is None:
            yield from self._back(message)
            before, self._good_since_s = None, now_s
        assert self._here is not None
        lost = message.dropped - (0 if before is None else before.dropped)
        fresh = before is None or lost > 0 or _is_resized(before, message)
        self.dropped += lost
        if now_s - self._good_since_s >= self._patience.good_s:
            self._losses = 0
        self._frame_s = now_s
        self._last = replace(message, index=message.index + self._here[0], time_s=message.time_s + self._here[1])
        yield CameraFrame(self._last, fresh)

    def _back(self, message: Arrived) -> Iterator[CameraNews]:
        """Yield a connection's first frame: finds what is added to its index and time, so that they go on."""
        began_s = message.arrived_s - message.time_s
        if self._began_s is None or self._last is None:
            self._began_s, self._here = began_s, (0, 0.0)
        else:
            earliest_s = self._last.time_s + LEAST_STEP_S - message.time_s
            self._here = self._last.index + 1 - message.index, max(began_s - self._began_s, earliest_s)
            yield Gap(self.name, unix_s(self._last.arrived_s), unix_s(message.arrived_s), self._why_lost)
        yield CameraState(self.name, "running", time.time())

    def _lost(self, reason: str, now_s: float, *, refused: bool = False) -> CameraState:
        self.stop()
        if self._once:
            self.ended = True
            return CameraState(self.name, "ended", time.time(), reason)
        self._why_lost = reason
        wait_s = min(self._patience.longest_s, self._patience.again_s * 2.0 ** min(self._losses, 30))
        wait_s *= 1 - self._chance() / 2
        if refused:
            wait_s = max(wait_s, self._patience.refused_s)
        self._losses += 1
        self._again_at_s = now_s + wait_s
        return CameraState(self.name, "lost", time.time(), reason, wait_s)


def _is_resized(before: Arrived, message: Arrived) -> bool:
    sizes = {(one.height_px, one.width_px) for one in (before, message)} - {(0, 0)}  # of damaged frames
    return len(sizes) > 1


def unix_s(monotonic_s: float) -> float:
    """Return the time of day at a reading of time.monotonic."""
    return time.time() - (time.monotonic() - monotonic_s)
