"""Learns in a process of its own: the page stays quick, and the memory is free again afterwards."""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from maskedskipunet.errors import MaskedSkipUNetError
from maskedskipunet.progress import Advance

LOOK_S = 0.2
TOLD_EVERY = 50  # steps of a stage, so that the pipe carries little


@dataclass(frozen=True)
class LearningRequest:
    """A request to learn from answers. events: ids of events that are normal, or whose answers are taken back.

    what: `learn`, `undo` of exactly these, or `preview`, which changes nothing.
    """

    what: Literal["learn", "undo", "preview"]
    model: Path
    records: Path
    events: tuple[str, ...]


@dataclass(frozen=True)
class LearningStage:
    """The progress of a job. title: of its present step. done, total: units of that step."""

    title: str
    done: int
    total: int


def learn_in_process(
    request: LearningRequest, note: Callable[[LearningStage], None], is_over: threading.Event
) -> Mapping[str, Any]:
    """Return the figures of a job, done by another process. Raises what it raised, and an error where it was killed.

    note: receives its progress. is_over: ends it early; an unfinished change is undone, at the latest by the next job.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(request, theirs), name="learning", daemon=True)
    process.start()
    theirs.close()
    try:
        while not is_over.is_set():
            if not ours.poll(LOOK_S):
                continue
            match ours.recv():
                case LearningStage() as stage:
                    note(stage)
                case MaskedSkipUNetError() as error:
                    raise error
                case figures:
                    return dict(figures)
        raise MaskedSkipUNetError("the page was ended before this was learned", "", "Answer again")
    except EOFError as error:
        process.join(5)
        fault = f"the process that learns ended ({process.exitcode})"
        raise MaskedSkipUNetError(fault, "", "Check that there is enough memory, and answer again") from error
    finally:
        process.terminate()
        process.join(5)
        ours.close()


def work(request: LearningRequest, progress: "PipeProgress") -> Mapping[str, Any]:
    """Do a job and return its figures. Raises MaskedSkipUNetError for what cannot be done."""
    from maskedskipunet.workflows.feedback import FeedbackOptions, feed_back_normal, figures, undo_feedback

    if request.what != "undo":
        options = FeedbackOptions(dry_run=request.what == "preview")
        result = feed_back_normal(request.model, request.records, request.events, options, progress=progress)
        return figures(result)
    last = undo_feedback(request.model, request.records, dry_run=True)
    if {*last.answers, *last.gone} != {*request.events}:
        fault = "the model has learned other answers since then"
        raise MaskedSkipUNetError(fault, "", "Undo those first; the answers themselves are taken back")
    undone = undo_feedback(request.model, request.records, progress=progress)
    return {"undone": {"files": list(undone.files), "events": list(undone.answers)}}


class PipeProgress:
    """Tells another process how far work is."""

    def __init__(self, send: Callable[[LearningStage], None]) -> None:
        self._send = send

    @contextmanager
    def stage(self, title: str, total: int, unit: str = "frames") -> Iterator[Advance]:
        done = 0
        self._send(LearningStage(title, 0, total))

        def advance(more: int) -> None:
            nonlocal done
            before, done = done, done + more
            if done // TOLD_EVERY != before // TOLD_EVERY or done >= total:
                self._send(LearningStage(title, done, total))

        yield advance

    def note(self, message: str) -> None:
        self._send(LearningStage(message, 0, 0))


def _work(request: LearningRequest, pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the page, which ends this
    try:
        pipe.send(work(request, PipeProgress(pipe.send)))
    except MaskedSkipUNetError as error:
        pipe.send(error)
