"""Changes of a model's folder by feedback, in steps that are applied whole and can be undone."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from maskedskipunet.cues.cue_model import CUES_NAME
from maskedskipunet.errors import RunError
from maskedskipunet.files import keep_earlier
from maskedskipunet.records.recorded import Answer, RecordedEvent
from maskedskipunet.records.store import Records
from maskedskipunet.runs import write_json
from maskedskipunet.workflows.answered_clips import AnsweredClips

STEPS_NAME = "steps.json"
FORMAT_VERSION = 1
MAX_STEPS = 10  # that can be undone: each keeps a copy of the cues, tens of megabytes


@dataclass(frozen=True)
class ChangedFile:
    """A file of a model's folder that a step writes anew.

    name: of the file. earlier: the name of its copy as it was before. before, after: SHA-256 of its content; after is
    empty while the step is not done.
    """

    name: str
    earlier: str
    before: str
    after: str = ""


@dataclass(frozen=True)
class EarlierAnswer:
    """The answer to an event before a step. answer: None if there was none."""

    id: str
    answer: Answer | None
    answered_unix_s: float | None


@dataclass(frozen=True)
class FeedbackStep:
    """The answers of one command, and the changes they made.

    done: everything was written; the next command undoes an incomplete step. records: the folder that holds the
    answers. clips: ids of events with clips that the run has kept since then.
    """

    done: bool
    records: str
    files: tuple[ChangedFile, ...]
    answers: tuple[EarlierAnswer, ...]
    clips: tuple[str, ...]


@dataclass(frozen=True)
class Undone:
    """The files and answers that undoing a step restored.

    files: names of files of the model's folder that are as they were. answers: ids of events that are answered as
    before. gone: ids of events that the records do not hold any more.
    """

    files: tuple[str, ...]
    answers: tuple[str, ...]
    gone: tuple[str, ...]


@dataclass(frozen=True)
class FeedbackSteps:
    """The steps of a run, the last one last, kept in `feedback/steps.json`.

    folder: of the model's files. kept: the clips that the run keeps.
    """

    folder: Path
    kept: AnsweredClips
    path: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", self.kept.folder / STEPS_NAME)

    def read(self) -> list[FeedbackStep]:
        """Return all steps that can be undone. Raises RunError for a damaged list."""
        try:
            return [_step(values) for values in json.loads(self.path.read_text(encoding="utf-8"))["steps"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise RunError(
                "not a list of answers' steps", str(self.path), "Remove it; they cannot be undone"
            ) from error

    def _write(self, steps: Sequence[FeedbackStep]) -> None:
        if steps:
            write_json(self.path, {"format": FORMAT_VERSION, "steps": [asdict(step) for step in steps]})
        else:
            self.path.unlink(missing_ok=True)

    @contextmanager
    def step(
        self,
        records: Records,
        marked: Sequence[RecordedEvent],
        names: Sequence[str],
        *,
        also: Sequence[RecordedEvent] = (),
    ) -> Iterator[Mapping[str, Path]]:
        """Replace files and answer events in this block, all of it or nothing.

        marked: events with their new answers. names: of the files to replace. also: events that are answered without
        keeping their clips. Yields the paths of the earlier files. If the block ends with an error, everything is
        undone at once; if the process is killed in it, `finish_interrupted` undoes it.
        """
        steps = self.read()
        known = {recorded.event.id: recorded for recorded in records.events()}
        answers = [
            EarlierAnswer(event_id, known[event_id].answer, known[event_id].answered_unix_s)
            for event_id in (recorded.event.id for recorded in (*marked, *also))
        ]
        clips = {recorded.event.id for recorded in marked} - self.kept.ids()
        where = str(records.folder.path.resolve())
        step = FeedbackStep(False, where, self._keep(names), tuple(answers), tuple(sorted(clips)))
        try:
            self._write([*steps, step])
            yield {file.name: self.folder / file.earlier for file in step.files}
            finished = [replace(file, after=_digest(self.folder / file.name)) for file in step.files]
            steps_then = [*steps, replace(step, done=True, files=tuple(finished))]
            self._write(steps_then[-MAX_STEPS:])
        except BaseException:
            self._restore(steps, step, records)
            raise
        self._forget(steps_then[:-MAX_STEPS])

    def _forget(self, steps: Sequence[FeedbackStep]) -> None:
        """Remove the large files that steps kept which cannot be undone any more; calibrations are small, and stay."""
        for file in (file for step in steps for file in step.files if file.name == CUES_NAME):
            (self.folder / file.earlier).unlink(missing_ok=True)

    def _keep(self, names: Sequence[str]) -> tuple[ChangedFile, ...]:
        """Copy files beside themselves, all of them or none."""
        files: list[ChangedFile] = []
        try:
            for name in names:
                if (earlier := keep_earlier(self.folder / name)) is not None:
                    files.append(ChangedFile(name, earlier.name, _digest(earlier)))
        except BaseException:
            for file in files:
                (self.folder / file.earlier).unlink(missing_ok=True)
            raise
        return tuple(files)

    def finish_interrupted(self, records: Path) -> Undone | None:
        """Undo a step that a killed process left half done; None if there is none.

        records: the folder to use where the step's own is not there any more.
        """
        steps = self.read()
        if not steps or steps[-1].done:
            return None
        with _records_of(steps[-1], records) as opened:
            return self._restore(steps[:-1], steps[-1], opened)

    def last(self) -> FeedbackStep:
        """Return the step that `undo` undoes. Raises RunError if there is none, or if its files were replaced since."""
        if not (steps := self.read()):
            raise RunError("no answers changed this model", str(self.folder), "There is nothing to undo")
        for file in steps[-1].files:
            now, earlier = _digest(self.folder / file.name), _digest(self.folder / file.earlier)
            if steps[-1].done and now not in (file.after, file.before):
                cure = f"Copy {file.earlier} back by hand if that is what you want"
                fault = f"{file.name} was changed after the answers, by a calibration or a training"
                raise RunError(fault, str(self.folder), cure)
            if file.before not in (now, earlier):
                fault = f"{file.earlier}, the earlier file, has changed or is gone"
                raise RunError(fault, str(self.folder), "Train or calibrate the model again")
        return steps[-1]

    def undo(self, records: Path) -> Undone:
        """Give the earlier files and answers of the last step back. Raises RunError as `last` does."""
        step = self.last()
        steps = self.read()[:-1]
        with _records_of(step, records) as opened:
            half_done = replace(step, done=False)
            self._write([*steps, half_done])  # from here on whoever comes next finishes it
            return self._restore(steps, half_done, opened)

    def _restore(self, steps: Sequence[FeedbackStep], step: FeedbackStep, records: Records) -> Undone:
        for file in reversed(step.files):
            target, earlier = self.folder / file.name, self.folder / file.earlier
            if _digest(target) == file.before:
                earlier.unlink(missing_ok=True)
            elif _digest(earlier) == file.before:
                earlier.replace(target)
        known = {recorded.event.id: recorded for recorded in records.events()}
        for before in step.answers:
            now = known.get(before.id)
            if now is None or now.answer != "normal":  # what somebody said since then counts
                continue
            if (now.answer, now.answered_unix_s) != (before.answer, before.answered_unix_s):
                records.answer(before.id, before.answer, before.answered_unix_s)
        self.kept.remove(step.clips)
        self._write(steps)
        if self.kept.folder.is_dir() and not any(self.kept.folder.iterdir()):
            self.kept.folder.rmdir()
        names, ids = [file.name for file in step.files], [before.id for before in step.answers]
        found, gone = (
            [event_id for event_id in ids if event_id in known],
            [event_id for event_id in ids if event_id not in known],
        )
        return Undone(tuple(names), tuple(found), tuple(gone))


@contextmanager
def _records_of(step: FeedbackStep, given: Path) -> Iterator[Records]:
    """Open the records that hold a step's answers; the given ones if they were moved."""
    own = Path(step.records)
    with Records.open(own if own.is_dir() else given, create=False) as records:
        yield records


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file's content; empty if there is no file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


def _step(values: Mapping[str, Any]) -> FeedbackStep:
    files = tuple(ChangedFile(**{name: str(value) for name, value in item.items()}) for item in values["files"])
    clips = tuple(map(str, values["clips"]))
    for name in (*(name for file in files for name in (file.name, file.earlier)), *clips):
        if not name or Path(name).name != name:
            raise ValueError(f"{name!r} is no name of a file")
    answers = tuple(EarlierAnswer(**item) for item in values["answers"])
    if any(item.answer not in (None, *get_args(Answer)) for item in answers):
        raise ValueError("an answer that there is not")
    return FeedbackStep(bool(values["done"]), str(values["records"]), files, answers, clips)
