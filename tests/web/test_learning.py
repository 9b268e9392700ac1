"""Learning in a process of its own: its figures, its errors and its end come back."""

import sys
import threading
from pathlib import Path

import pytest

from maskedskipunet.errors import MaskedSkipUNetError, RunError
from maskedskipunet.web import learning_process
from maskedskipunet.web.learning import LearningQueue
from maskedskipunet.web.learning_process import LearningRequest, LearningStage, PipeProgress, learn_in_process
from maskedskipunet.web.refusals import BusyError


def request(tmp_path: Path, model: Path | None = None) -> LearningRequest:
    return LearningRequest("learn", model or tmp_path / "no run", tmp_path / "no records", ("a",))


def test_an_error_of_the_other_process_arrives_whole(tmp_path: Path) -> None:
    with pytest.raises(MaskedSkipUNetError) as told:
        learn_in_process(request(tmp_path), lambda stage: None, threading.Event())

    assert type(told.value) is not MaskedSkipUNetError
    assert "no run" in str(told.value)
    assert told.value.cure


def test_a_process_that_is_killed_is_an_error_with_a_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning_process, "_work", sys.exit)  # which takes no two arguments, and ends the process

    with pytest.raises(MaskedSkipUNetError, match="the process that learns ended"):
        learn_in_process(request(tmp_path), lambda stage: None, threading.Event())


def test_the_end_of_the_page_ends_what_is_learned(tmp_path: Path) -> None:
    is_over = threading.Event()
    is_over.set()

    with pytest.raises(MaskedSkipUNetError, match="the page was ended"):
        learn_in_process(request(tmp_path), lambda stage: None, is_over)


def test_progress_is_told_now_and_then_and_at_the_end() -> None:
    told: list[LearningStage] = []
    with PipeProgress(told.append).stage("scoring", 120) as advance:
        for _ in range(120):
            advance(1)

    assert [(stage.done, stage.total) for stage in told] == [(0, 120), (50, 120), (100, 120), (120, 120)]


def test_undo_of_answers_that_are_not_the_last_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from maskedskipunet.workflows import feedback
    from maskedskipunet.workflows.feedback_steps import Undone

    calls: list[bool] = []

    def undo(model: Path, folder: Path, *, dry_run: bool = False, progress: object = None) -> Undone:
        calls.append(dry_run)
        return Undone((), ("b",), ())

    monkeypatch.setattr(feedback, "undo_feedback", undo)
    asked = LearningRequest("undo", tmp_path, tmp_path, ("a",))

    with pytest.raises(MaskedSkipUNetError, match="has learned other answers since then"):
        learning_process.work(asked, PipeProgress(lambda stage: None))
    assert calls == [True]  # nothing was changed


def test_too_much_at_once_is_refused_and_what_is_over_is_forgotten(tmp_path: Path) -> None:
    go = threading.Event()

    def learn(*_: object) -> dict[str, object]:
        go.wait(10)
        raise RunError("no", "", "")

    queue = LearningQueue(tmp_path, tmp_path, learn)
    for number in range(50):
        queue.submit("learn", (f"e{number}",), user="", action="", now=0.0)
    with pytest.raises(BusyError):
        queue.submit("learn", ("e",), user="", action="", now=0.0)
    go.set()
    with queue:
        for _ in range(200):
            if all(job.is_over for job in queue.jobs()):
                break
            threading.Event().wait(0.02)
    assert {job.state for job in queue.jobs()} == {"failed"}
