"""Answers change a model's files whole or not at all, wherever the process is killed, and can be undone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maskedskipunet.detection.events import Event, EventUpdate
from maskedskipunet.errors import RunError
from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.records.store import Records
from maskedskipunet.workflows.answered_clips import AnsweredClips
from maskedskipunet.workflows.feedback_steps import MAX_STEPS, FeedbackSteps

NAMES = ("cues.safetensors", "calibration.json")
COPIES = {Path("model/cues.2.safetensors"), Path("model/calibration.2.json")}  # that nothing names yet
BEGAN_UNIX_S = 1_772_355_600.0


class Killed(BaseException):
    """The process is no more: nothing else is done."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A run with two files and the clip of an event that was answered long ago."""
    (tmp_path / "model").mkdir()
    for name in NAMES:
        (tmp_path / "model" / name).write_text(f"the first {name}")
    return tmp_path


@pytest.fixture
def records(home: Path) -> Iterator[Records]:
    with Records.open(home / "records") as records:
        for event_id in ("old", "new", "other"):
            event = Event(event_id, "rtsp://h/x", 1, 2, 1.5, 5, 10, 7, 0.5, 0.4, (), None)
            records.record(EventUpdate("end", event), camera="door", began_unix_s=BEGAN_UNIX_S)
            records.clip_path(event_id, BEGAN_UNIX_S).write_text(f"clip of {event_id}")
        records.answer("other", "anomaly", 5.0)
        yield records


@pytest.fixture
def steps(home: Path) -> FeedbackSteps:
    return FeedbackSteps(home / "model", AnsweredClips(home / "feedback"))


def state(home: Path, records: Records) -> object:
    """Everything that answers change."""
    files = {
        path.relative_to(home): path.read_bytes()
        for folder in (home / "model", home / "feedback")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return files, [(one.event.id, one.answer, one.answered_unix_s) for one in records.events()]


def answer(home: Path, records: Records, steps: FeedbackSteps, *ids: str, text: str = "the second") -> None:
    """What a command does: it writes the cues, then the calibration, keeps clips, and answers."""
    marked: list[RecordedEvent] = [one for one in records.events() if one.event.id in ids]
    with steps.step(records, marked, NAMES):
        for name in NAMES:
            part = home / "model" / f".{name}.part"
            part.write_text(f"{text} {name}")
            part.replace(home / "model" / name)
        steps.kept.add(marked, {one: records.clip_path(one, BEGAN_UNIX_S) for one in ids})
        for event_id in ids:
            records.answer(event_id, "normal")


@pytest.fixture
def killed_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Kills the process before the n-th time that a file takes its name or loses it; -1 for never."""
    real_replace, real_unlink = Path.replace, Path.unlink
    left = [-1]

    def count() -> None:
        if left[0] == 0:
            raise Killed
        left[0] -= 1

    def replace(path: Path, target: Path) -> Path:
        count()
        return real_replace(path, target)

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path.exists() and not path.name.startswith("."):
            count()
        if left[0] != 0 or not path.name.startswith("."):
            real_unlink(path, missing_ok)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(Path, "unlink", unlink)

    def arm(number: int) -> None:
        left[0] = number

    return arm


@pytest.mark.parametrize("number", range(9))
def test_killed_anywhere_while_it_writes_it_is_undone_by_whoever_comes_next(
    home: Path, records: Records, steps: FeedbackSteps, killed_at: Callable[[int], None], number: int
) -> None:
    answer(home, records, steps, "old")
    before = state(home, records)
    killed_at(number)
    with pytest.raises(Killed):
        answer(home, records, steps, "new", "other", text="the third")
    killed_at(-1)
    for name in NAMES:  # each is one of the two, whole
        assert (home / "model" / name).read_text() in (f"the second {name}", f"the third {name}")

    steps.finish_interrupted(home / "nowhere")

    files, answers = state(home, records)  # type: ignore[misc]
    strays = {path for path in files if path not in before[0]}  # type: ignore[index]
    assert {path: text for path, text in files.items() if path not in strays} == before[0]  # type: ignore[index]
    assert answers == before[1]  # type: ignore[index]
    assert all(path.name.startswith(".") or path in COPIES for path in strays), strays
    assert steps.finish_interrupted(home / "nowhere") is None
    assert steps.undo(home / "nowhere").answers == ("old",)


@pytest.mark.parametrize("number", range(6))
def test_an_undoing_that_is_killed_is_finished_by_the_next(
    home: Path, records: Records, steps: FeedbackSteps, killed_at: Callable[[int], None], number: int
) -> None:
    answer(home, records, steps, "old")
    before = state(home, records)
    answer(home, records, steps, "new", "other", text="the third")
    killed_at(number)
    with pytest.raises(Killed):
        steps.undo(home / "nowhere")
    killed_at(-1)

    steps.undo(home / "nowhere")

    assert state(home, records) == before


def test_steps_are_undone_one_by_one_and_nothing_of_them_is_left(
    home: Path, records: Records, steps: FeedbackSteps
) -> None:
    first = state(home, records)
    answer(home, records, steps, "old")
    second = state(home, records)
    answer(home, records, steps, "other", text="the third")

    undone = steps.undo(home / "nowhere")
    assert (undone.files, undone.answers, undone.gone) == (NAMES, ("other",), ())
    assert state(home, records) == second
    steps.undo(home / "nowhere")
    assert state(home, records) == first
    assert not (home / "feedback").exists()


def test_only_so_many_steps_can_be_undone_that_their_copies_fill_no_disk(
    home: Path, records: Records, steps: FeedbackSteps
) -> None:
    for number in range(MAX_STEPS + 3):
        answer(home, records, steps, "old", text=str(number))

    assert len([*(home / "model").glob("cues.*.safetensors")]) == MAX_STEPS
    for number in range(MAX_STEPS, 0, -1):
        steps.undo(home / "nowhere")
        assert (home / "model" / NAMES[0]).read_text() == f"{number + 1} {NAMES[0]}"
    with pytest.raises(RunError, match="no answers changed this model"):
        steps.undo(home / "nowhere")


def test_what_fails_while_it_is_written_is_undone_at_once(home: Path, records: Records, steps: FeedbackSteps) -> None:
    before = state(home, records)

    def fail() -> None:
        with steps.step(records, records.events(), NAMES):
            (home / "model" / NAMES[0]).write_text("half of it")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert state(home, records) == before


def test_what_was_said_or_written_since_is_not_taken_back(home: Path, records: Records, steps: FeedbackSteps) -> None:
    answer(home, records, steps, "old", "new")
    records.answer("old", "anomaly", 7.0)
    steps.undo(home / "nowhere")
    assert [one.answer for one in records.events() if one.event.id in ("old", "new")] == [None, "anomaly"]

    answer(home, records, steps, "new")
    (home / "model" / NAMES[1]).write_text("calibrated again")
    with pytest.raises(RunError, match=r"calibration\.json was changed after the answers"):
        steps.undo(home / "nowhere")
    (home / "model" / NAMES[1]).write_text(f"the second {NAMES[1]}")
    (home / "model" / "cues.1.safetensors").unlink()
    with pytest.raises(RunError, match=r"cues\.1\.safetensors, the earlier file, has changed or is gone"):
        steps.undo(home / "nowhere")


def test_events_that_were_pruned_are_said_and_stop_nothing(home: Path, records: Records, steps: FeedbackSteps) -> None:
    answer(home, records, steps, "old", "new")
    records.remove("old")
    assert steps.undo(home / "nowhere").gone == ("old",)


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        '{"steps": [{"done": true}]}',
        '{"steps": [{"done": true, "records": "", "files": [], "answers": [], "clips": ["../../x"]}]}',
        '{"steps": [{"done": 1, "records": "", "files": [{"name": "/etc/x", "earlier": "y", "before": ""}],'
        ' "answers": [], "clips": []}]}',
    ],
)
def test_a_damaged_list_is_refused(steps: FeedbackSteps, text: str) -> None:
    steps.path.parent.mkdir()
    steps.path.write_text(text)
    with pytest.raises(RunError, match="not a list of answers' steps"):
        steps.read()
