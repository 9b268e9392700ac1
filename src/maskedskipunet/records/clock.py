"""A wall clock that may be wrong: it is compared with a monotonic clock, and wrong times are corrected."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from maskedskipunet.records.tables import CameraRow, DeliveryRow, EventRow, StateRow

log = logging.getLogger(__name__)
EARLIEST_UNIX_S = datetime(2020, 1, 1, tzinfo=UTC).timestamp()  # a clock that says less was never set
JUMP_S = 60.0  # a clock that is kept in time moves by less
LEAP_S = 86400.0  # what lies between two runs of a watch by more may be a wrong clock
SETTLE_S = 43200.0  # how long a clock that was set goes on before anything is removed because of its age
PUT_OFF_S = 3600.0  # how far ahead a time may lie that was written by the same clock


def steady_s() -> float:
    """Return monotonic seconds, which also count while the machine sleeps if the system can tell."""
    boot_clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_clock is None else time.clock_gettime(boot_clock)


@dataclass(frozen=True)
class ClockJump:
    """The wall clock was set.

    by_s: the size of the jump. since_unix_s, until_unix_s: the range of earlier time stamps, by the clock before the
    jump.
    """

    by_s: float
    since_unix_s: float
    until_unix_s: float


class ClockGuard:
    """Decides whether the wall clock can be trusted for ages, and detects when it was set.

    It cannot be trusted before 2020, for half a day after it was set, and if it differs by more than a day from the
    time when it was last trusted; then nothing is removed by age. clock: returns seconds since 1970. steady: returns
    monotonic seconds. trusted_unix_s: when a watch last trusted it, None if none did.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = steady_s,
        *,
        trusted_unix_s: float | None = None,
    ) -> None:
        self._clock, self._steady = clock, steady
        self._began_s = self._trusted_at_s = steady()
        self._offset_s = clock() - self._began_s
        gap_s = 0.0 if trusted_unix_s is None else clock() - trusted_unix_s
        if abs(gap_s) > LEAP_S:
            self._trusted_at_s += SETTLE_S
            direction = "after" if gap_s > 0 else "before"
            log.warning(
                "the clock is %.0f days %s the last watch: nothing is removed for its age within half a "
                "day, in case the clock is wrong",
                abs(gap_s) / 86400,
                direction,
            )

    def is_trusted(self) -> bool:
        """Return whether the clock can be trusted to remove something by age."""
        is_set = self._clock() >= EARLIEST_UNIX_S
        return is_set and self.jump() is None and self._steady() >= self._trusted_at_s

    def jump(self) -> ClockJump | None:
        """Return how the clock was set since the last `took`; None if it was not."""
        steady = self._steady()
        by_s = self._clock() - steady - self._offset_s
        if abs(by_s) <= JUMP_S:
            return None
        return ClockJump(by_s, self._offset_s + self._began_s, self._offset_s + steady)

    def took(self, jump: ClockJump) -> None:
        """Note that times before the jump were corrected."""
        self._offset_s += jump.by_s
        self._trusted_at_s = self._steady() + SETTLE_S
        direction = "forward" if jump.by_s > 0 else "back"
        log.warning(
            "the clock was set %s by %.0f s: times that were written before are corrected, and nothing is removed "
            "because of its age within half a day",
            direction,
            abs(jump.by_s),
        )


def shift_times(session: Session, jump: ClockJump) -> None:
    """Move the time stamps of this process to the clock that was just set.

    An event keeps the time in its files and messages; only the time from which its age is counted moves.
    """
    columns = (
        CameraRow.condition_unix_s,
        CameraRow.heard_unix_s,
        CameraRow.trusted_unix_s,
        StateRow.began_unix_s,
        StateRow.ended_unix_s,
        DeliveryRow.made_unix_s,
        DeliveryRow.due_unix_s,
        DeliveryRow.done_unix_s,
    )
    since, until = jump.since_unix_s, jump.until_unix_s
    for column in columns:
        until_s = until + (PUT_OFF_S if column is DeliveryRow.due_unix_s else 1.0)
        stamped = update(column.class_).where(column.between(since - 1.0, until_s))
        session.execute(stamped.values({column: column + jump.by_s}).execution_options(synchronize_session=False))
    age = func.coalesce(EventRow.aged_from_unix_s, EventRow.began_unix_s)
    of_events = update(EventRow).where(age.between(since - PUT_OFF_S, until + 1.0))
    moved = of_events.values({EventRow.aged_from_unix_s: age + jump.by_s})
    session.execute(moved.execution_options(synchronize_session=False))


def adopt_unknown_ages(session: Session, now_unix_s: float) -> None:
    """Count the age of events with a wrong time from now on; the clock must be trusted."""
    began = EventRow.began_unix_s
    cannot_be = (began < EARLIEST_UNIX_S) | (began > now_unix_s + LEAP_S)
    unknown = update(EventRow).where(EventRow.aged_from_unix_s.is_(None), cannot_be)
    adopted = unknown.values({EventRow.aged_from_unix_s: now_unix_s})
    session.execute(adopted.execution_options(synchronize_session=False))


def last_trusted_unix_s(session: Session) -> float | None:
    """Return when a watch last trusted the clock; None if there was no watch.

    Where only an earlier version wrote here, its newest event or message stands for that.
    """
    trusted: float | None = session.scalar(select(func.max(CameraRow.trusted_unix_s)))
    if trusted is not None:
        return trusted
    times = (session.scalar(select(func.max(column))) for column in (EventRow.updated_unix_s, DeliveryRow.made_unix_s))
    return max((time_s for time_s in times if time_s is not None), default=None)
