"""Leads the work on an archive: gives tasks to a pool of workers, and writes down what comes back."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from maskedskipunet.archive.claims import Claims
from maskedskipunet.archive.manifest import Manifest
from maskedskipunet.archive.pool import Pool
from maskedskipunet.archive.target import CLAIMS, DRIVER, SET_ASIDE, WORKER, Failure, Target
from maskedskipunet.archive.tasks import ArchiveSource, Died, Fault, Outcome, Plan, PlanTask, Scores, ScoreTask, Task
from maskedskipunet.progress import Advance

TRIES = 2  # of a task that fails while its worker goes on
WORKER_DEATHS = 2  # after which a task is set aside
DRIVER_DEATHS = 4  # a process that is killed is seldom killed by what it has in hand
LOST_MACHINES = 10  # workers lost with their machine, after which a task is given up
WAIT_S = 1.0
MANIFEST_S = 60.0  # between writing the manifest, at least
MANIFEST_SHARE = 0.05  # of the time, that writing it may take


@dataclass(frozen=True, kw_only=True)
class DriverOptions:
    """Options of leading the work.

    key: a hash of the model and settings. again: also try what was set aside before.
    """

    key: str
    again: bool = False


@dataclass
class Driver:
    """Leads the work on an archive until every segment is scored, has failed or is set aside.

    Several of them, on any machines, may work on one target at the same time: they share the segments.
    """

    target: Target
    pool: Pool
    options: DriverOptions
    advance: Advance = lambda done: None
    note: Callable[[str], None] = lambda message: None
    scored: int = 0
    _waiting: deque[Task] = field(default_factory=deque)
    _elsewhere: deque[Task] = field(default_factory=deque)
    _faults: dict[str, int] = field(default_factory=dict)
    _lost: dict[str, int] = field(default_factory=dict)
    _left: dict[str, int] = field(default_factory=dict)  # segments of a source that are not settled
    _begun_s: float = field(default_factory=time.time)

    def run(self, sources: Iterable[ArchiveSource]) -> None:
        """Do all work on the sources. Raises DiskSpaceError if there is no room for results."""
        arriving = iter(sources)
        manifest = Manifest.read(self.target)
        due_s = time.monotonic() + MANIFEST_S
        try:
            with Claims(self.target.folder / CLAIMS) as claims:
                while True:
                    arriving = self._fill(arriving, claims)
                    if not self.pool.busy and not self._retake(claims):
                        break  # there was room, and nothing to fill it
                    for task, outcome in self.pool.outcomes(WAIT_S) if self.pool.busy else ():
                        self._settle(task, outcome, claims)
                    if (begun_s := time.monotonic()) > due_s:
                        manifest.update()
                        took_s = time.monotonic() - begun_s
                        due_s = time.monotonic() + max(MANIFEST_S, took_s / MANIFEST_SHARE)
                self.pool.close()
        finally:
            self.pool.close()
            manifest.update()

    def _fill(self, arriving: Iterator[ArchiveSource], claims: Claims) -> Iterator[ArchiveSource]:
        """Submit tasks while there are free workers."""
        while self.pool.free:
            if not self._waiting:
                source = next(arriving, None)
                if source is None:
                    break
                self._begin(source)
                continue
            task = self._waiting.popleft()
            if self._is_settled(task):
                self._count(task)
            elif not claims.take(task.id):
                self._elsewhere.append(task)
            elif self._is_settled(task) or self._is_set_aside(task):
                claims.release(task.id)  # another process settled it just before
                self._count(task)
            else:
                self.pool.submit(task)
        return arriving

    def _begin(self, source: ArchiveSource) -> None:
        """Add the tasks of a source."""
        task = PlanTask(source)
        plan = self.target.plan(source.name)
        if source.fault is not None:
            self.target.write_failure(task, source.fault)
            self.advance(1)
        elif plan is not None and self._holds(plan, source):
            self._add(plan)
        else:
            self._waiting.append(task)

    def _holds(self, plan: Plan, source: ArchiveSource) -> bool:
        return source.version is not None and plan.version == str(source.version) and plan.key == self.options.key

    def _add(self, plan: Plan) -> None:
        self._left[plan.source] = len(plan.segments)
        self._waiting.extendleft(ScoreTask(segment) for segment in reversed(plan.segments))
        if not plan.segments:
            self.advance(1)

    def _is_settled(self, task: Task) -> bool:
        """Return whether a task needs no more work: it is done, or failed since this process began."""
        if isinstance(task, PlanTask):
            plan = self.target.plan(task.source.name)
            if plan is not None and self._holds(plan, task.source):
                self.target.forget(task.id)
                self._add(plan)
                return True
        elif self.target.is_scored(task.segment):
            return True
        failure = self.target.failure(task.id)
        return failure is not None and self._stands(failure)

    def _stands(self, failure: Failure) -> bool:
        if failure.failed_s >= self._begun_s:
            return True
        return failure.kind == SET_ASIDE and not self.options.again

    def _is_set_aside(self, task: Task) -> bool:
        """Set a task aside if too many have died with it in hand; return whether it is."""
        workers, drivers = (self.target.deaths(task.id, kind) for kind in (WORKER, DRIVER))
        failure = self.target.failure(task.id)
        if failure is not None and failure.kind == SET_ASIDE and self.options.again:
            self.target.forget(task.id)
            return False
        if len(workers) < WORKER_DEATHS and len(drivers) < DRIVER_DEATHS:
            return False
        causes = "; ".join(dict.fromkeys(workers or drivers))
        self.target.write_failure(task, f"set aside after {len(workers or drivers)} tries: {causes}", SET_ASIDE)
        return True

    def _settle(self, task: Task, outcome: Outcome, claims: Claims) -> None:
        """Write down how a task has ended, or let it be tried again."""
        match outcome:
            case Plan():
                self.target.write_plan(outcome)
                self.target.forget(task.id)
                self._add(outcome)
            case Scores():
                assert isinstance(task, ScoreTask)
                self.target.write_scores(task.segment, outcome)
                self.scored += 1
                self._count(task)
            case Fault():
                self._fail(task, outcome.cause, self._faults, TRIES if outcome.again else 1)
            case Died() if outcome.is_own_fault:
                self.target.write_death(task.id, WORKER, outcome.cause)
                if self._is_set_aside(task):
                    self._count(task)
                else:
                    self._waiting.append(task)
            case Died():
                self._fail(task, outcome.cause, self._lost, LOST_MACHINES)
        claims.release(task.id)

    def _fail(self, task: Task, cause: str, tries: dict[str, int], most: int) -> None:
        tries[task.id] = tries.get(task.id, 0) + 1
        if tries[task.id] < most:
            self._waiting.append(task)  # behind all others, so that it holds up none
            return
        self.target.write_failure(task, cause)
        self._count(task)

    def _count(self, task: Task) -> None:
        """Note that a task needs no more work."""
        if isinstance(task, PlanTask):
            if self.target.failure(task.id) is not None:
                self.advance(1)
            return
        source = task.segment.source
        self._left[source] = self._left.get(source, 1) - 1
        if not self._left[source]:
            self.advance(1)

    def _retake(self, claims: Claims) -> bool:
        """Look again at what other processes had in hand; return whether any of it may still need work."""
        if not self._elsewhere:
            return False
        for task in self._elsewhere:
            if claims.remove_dead(task.id):
                self.target.write_death(task.id, DRIVER, "the process that worked on it ended")
        self._waiting.extend(self._elsewhere)
        self._elsewhere.clear()
        time.sleep(WAIT_S)
        return True
