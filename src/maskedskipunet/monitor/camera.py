"""Connects to one camera: starts its process, ends it when no frames come, and starts it again with a growing delay."""

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
from maskedskipunet.monitor.monitor_events import CameraState, Gap
from maskedskipunet.monitor.reader_process import ArrivedFrame, EndOfFile, ReaderConfig, ReadFailed, read_camera

GOODBYE_S = 0.5  # for a process to log out of its camera
END_S = 2.0  # for a killed process to end
MIN_STEP_S = 1e-3


@dataclass(frozen=True, kw_only=True)
class ReconnectPolicy:
    """Timeouts of a camera's connection and delays before the next attempt, all in seconds.

    first_s: timeout of a connection's first frame. stall_s: timeout of each next frame. again_s: delay before a lost
    camera is tried again; it doubles with each attempt up to longest_s, and a random share of up to half is taken off,
    so that many cameras do not reconnect at once. good_s: after a connection that gave frames for so long, the delay
    starts at again_s again. refused_s: delay after a refused login, because a few wrong passwords lock many cameras.
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
    """Reads a camera: a process, or a fake in tests."""

    def messages(self) -> list[object]: ...

    @property
    def exit_reason(self) -> str:
        """The reason why it ended; empty while it may still send something."""
        ...

    @property
    def descriptor(self) -> int:
        """The file descriptor to wait on for its messages."""
        ...

    def ask_to_end(self) -> None: ...

    def kill(self) -> None: ...


class ReaderProcess:
    """A process that reads one camera."""

    def __init__(self, name: str, config: ReaderConfig) -> None:
        context = multiprocessing.get_context("spawn")  # a forked child would inherit torch's threads in mid-work
        ours, theirs = context.Pipe(duplex=False)
        self._process = context.Process(
            # What goes to it, the address too, goes through a pipe: its command line holds nothing of it.
            target=read_camera,
            args=(config, theirs, os.getpid()),
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
    def exit_reason(self) -> str:
        if not self._receiver.closed:
            return ""
        self._process.join(END_S)
        code = self._process.exitcode
        return f"its process was ended by signal {-code}" if code is not None and code < 0 else "its process ended"

    def ask_to_end(self) -> None:
        """Let it log out of its camera, which may otherwise keep the session open for a minute."""
        self._process.terminate()
        self._asked = True

    def kill(self) -> None:
        """Kill it. Returns when it has ended, or after END_S."""
        if self._asked:
            self._process.join(GOODBYE_S)
        self._process.kill()
        self._process.join(END_S)
        self._pipe.close()
        with suppress(ValueError):  # the system has not ended it yet; it will
            self._process.close()


@dataclass(frozen=True, slots=True)
class CameraFrame:
    """A frame of a camera. arrived: its index and time continue over connections.

    after_gap: it does not follow the previous frame directly: a gap, lost frames or another size lie between.
    """

    arrived: ArrivedFrame
    after_gap: bool


CameraEvent = CameraFrame | CameraState | Gap


class Camera:
    """Keeps a camera connected. Call `step` regularly, or when its descriptor has something to read.

    Only frames that arrive count: a process that runs but sends none is ended like one that died.
    once: it is a file, which is not opened again.
    """

    def __init__(
        self,
        name: str,
        start: Callable[[], Reader],
        reconnect_policy: ReconnectPolicy,
        *,
        once: bool = False,
        clock: Callable[[], float] = time.monotonic,
        random_share: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self.ended = False
        self.dropped = 0
        self._start, self._reconnect_policy, self._once = start, reconnect_policy, once
        self._clock, self._random_share = clock, random_share
        self._reader: Reader | None = None
        self._started_s = 0.0
        self._retry_at_s = clock()
        self._losses = 0  # since the last good connection
        self._last: ArrivedFrame | None = None  # with index and time over all connections
        self._began_s: float | None = None  # time 0 on the clock of arrivals
        self._here: tuple[int, float] | None = None  # offsets to this connection's index and time
        self._frame_s = self._good_since_s = 0.0
        self._why_lost = ""

    @property
    def descriptor(self) -> int | None:
        """The file descriptor to wait on for events; None while there is no process."""
        return None if self._reader is None else self._reader.descriptor

    @property
    def running(self) -> bool:
        return self._here is not None

    def step(self) -> list[CameraEvent]:
        """Return what has happened since the last step."""
        return [] if self.ended else list(self._step(self._clock()))

    def ask_to_end(self) -> None:
        """Let its process log out; `stop` then waits for that."""
        if self._reader is not None:
            self._reader.ask_to_end()

    def stop(self) -> None:
        """End its process."""
        if self._reader is not None:
            self._reader.kill()
        self._reader, self._here = None, None

    def _step(self, now_s: float) -> Iterator[CameraEvent]:
        if self._reader is None:
            if now_s < self._retry_at_s:
                return
            yield CameraState(self.name, "connecting", time.time())
            self._started_s = self._frame_s = now_s
            try:
                self._reader = self._start()
            except OSError as error:  # no process or pipe available; try later
                yield self._lost(f"it cannot be read ({error.strerror})", now_s)
                return
        reason, refused = "", False
        for message in self._reader.messages():
            if isinstance(message, ArrivedFrame):
                yield from self._arrived(message, now_s)
            elif isinstance(message, ReadFailed):
                reason, refused = message.reason, message.refused
            elif isinstance(message, EndOfFile):
                self.stop()
                self.ended = True
                yield CameraState(self.name, "ended", time.time())
                return
        if not reason:
            limit_s = self._reconnect_policy.stall_s if self.running else self._reconnect_policy.first_s
            waited_s = now_s - self._frame_s
            reason = self._reader.exit_reason or (f"no frame for {waited_s:.1f} s" if waited_s > limit_s else "")
        if reason:
            yield self._lost(reason, now_s, refused=refused)

    def _arrived(self, message: ArrivedFrame, now_s: float) -> Iterator[CameraEvent]:
        before = self._last
        if self._here is None:
            yield from self._back(message)
            before, self._good_since_s = None, now_s
        assert self._here is not None
        lost = message.dropped - (0 if before is None else before.dropped)
        after_gap = before is None or lost > 0 or _is_resized(before, message)
        self.dropped += lost
        if now_s - self._good_since_s >= self._reconnect_policy.good_s:
            self._losses = 0
        self._frame_s = now_s
        self._last = replace(message, index=message.index + self._here[0], time_s=message.time_s + self._here[1])
        yield CameraFrame(self._last, after_gap)

    def _back(self, message: ArrivedFrame) -> Iterator[CameraEvent]:
        """Begin a connection with its first frame: find the offsets that let index and time continue."""
        began_s = message.arrived_s - message.time_s
        if self._began_s is None or self._last is None:
            self._began_s, self._here = began_s, (0, 0.0)
        else:
            earliest_s = self._last.time_s + MIN_STEP_S - message.time_s
            self._here = self._last.index + 1 - message.index, max(began_s - self._began_s, earliest_s)
            yield Gap(self.name, unix_s(self._last.arrived_s), unix_s(message.arrived_s), self._why_lost)
        yield CameraState(self.name, "running", time.time())

    def _lost(self, reason: str, now_s: float, *, refused: bool = False) -> CameraState:
        self.stop()
        if self._once:
            self.ended = True
            return CameraState(self.name, "ended", time.time(), reason)
        self._why_lost = reason
        wait_s = min(self._reconnect_policy.longest_s, self._reconnect_policy.again_s * 2.0 ** min(self._losses, 30))
        wait_s *= 1 - self._random_share() / 2
        if refused:
            wait_s = max(wait_s, self._reconnect_policy.refused_s)
        self._losses += 1
        self._retry_at_s = now_s + wait_s
        return CameraState(self.name, "lost", time.time(), reason, wait_s)


def _is_resized(before: ArrivedFrame, message: ArrivedFrame) -> bool:
    sizes = {(frame.height_px, frame.width_px) for frame in (before, message)} - {(0, 0)}  # of damaged frames
    return len(sizes) > 1


def unix_s(monotonic_s: float) -> float:
    """Return the time of day at a reading of time.monotonic."""
    return time.time() - (time.monotonic() - monotonic_s)
