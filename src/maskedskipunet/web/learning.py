"""Has the model learn what was answered as normal: one answer after the other, in the background."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Literal, Self
from uuid import uuid4

from maskedskipunet.errors import MaskedSkipUNetError
from maskedskipunet.web.learning_process import LearningRequest, LearningStage, learn_in_process
from maskedskipunet.web.refusals import BusyError

log = logging.getLogger(__name__)

JobState = Literal["waiting", "running", "done", "failed"]
KEPT_JOBS = 100
MOST_WAITING = 50

Learn = Callable[[LearningRequest, Callable[[LearningStage], None], threading.Event], Mapping[str, Any]]


@dataclass
class LearningJob:
    """A job that teaches the model answers, and its progress.

    action: the click that it belongs to. result: figures, once it is done. fault: why it failed, with the cure.
    """

    request: LearningRequest
    user: str
    action: str
    made_unix_s: float
    id: str = field(default_factory=lambda: uuid4().hex)
    state: JobState = "waiting"
    stage: LearningStage | None = None
    result: Mapping[str, Any] | None = None
    fault: str = ""

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "failed")


class LearningQueue:
    """Jobs of one model, done one after the other by a thread; what is over is remembered for a while.

    model: None where nothing learns. records: the folder of answers and clips. learn: does a job.
    """

    def __init__(self, model: Path | None, records: Path, learn: Learn = learn_in_process) -> None:
        self.model, self._records, self._learn = model, records, learn
        self._jobs: OrderedDict[str, LearningJob] = OrderedDict()
        self._queue: SimpleQueue[LearningJob | None] = SimpleQueue()
        self._lock, self._is_over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="learning", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._queue.put(None)
        self._thread.join(30)

    @property
    def is_on(self) -> bool:
        """True if there is a model that learns."""
        return self.model is not None

    def submit(
        self, what: Literal["learn", "undo", "preview"], ids: tuple[str, ...], *, user: str, action: str, now: float
    ) -> LearningJob:
        """Put a job at the end of the queue. Raises BusyError where too many wait."""
        assert self.model is not None
        job = LearningJob(LearningRequest(what, self.model, self._records, ids), user, action, now)
        with self._lock:
            if sum(not job.is_over for job in self._jobs.values()) >= MOST_WAITING:
                raise BusyError("too much waits to be learned", "", "Wait until some of it is done")
            self._jobs[job.id] = job
            for old in [job for job in self._jobs.values() if job.is_over][: max(0, len(self._jobs) - KEPT_JOBS)]:
                del self._jobs[old.id]
        self._queue.put(job)
        return job

    def job(self, job_id: str) -> LearningJob | None:
        """Return a job; None where there is none, or no longer."""
        with self._lock:
            return self._jobs.get(job_id)

    def jobs(self) -> list[LearningJob]:
        """Return all jobs that are remembered, the newest first."""
        with self._lock:
            return [*reversed(self._jobs.values())]

    def of_action(self, action: str) -> LearningJob | None:
        """Return the job that learns what a click said; None where there is none."""
        return next((job for job in self.jobs() if job.action == action and job.request.what == "learn"), None)

    def of_event(self, event_id: str) -> LearningJob | None:
        """Return the newest job that concerns an event; None where there is none."""
        return next((job for job in self.jobs() if event_id in job.request.events), None)

    def cancel(self, job: LearningJob) -> bool:
        """Take back a job that has not begun; returns whether it could be."""
        with self._lock:
            if job.state != "waiting":
                return False
            job.state, job.fault = "failed", "Taken back before it was learned."
            return True

    def _run(self) -> None:
        while (job := self._queue.get()) is not None and not self._is_over.is_set():
            with self._lock:
                if job.is_over:
                    continue
                job.state = "running"
            state, result, fault = self._done(job)
            with self._lock:
                job.state, job.result, job.fault = state, result, fault

    def _done(self, job: LearningJob) -> tuple[JobState, Mapping[str, Any] | None, str]:
        def note(stage: LearningStage) -> None:
            job.stage = stage

        try:
            return "done", self._learn(job.request, note, self._is_over), ""
        except MaskedSkipUNetError as error:
            return "failed", None, str(error)
        except Exception as error:  # one job that fails in an unknown way ends no other
            log.exception("an answer was not learned")
            return "failed", None, f"An unexpected error ({type(error).__name__}); the log of `serve` has more."
