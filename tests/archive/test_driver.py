"""The leader of an archive: what it hands out, what it tries again, and what it sets aside."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from maskedskipunet.archive.claims import Claims
from maskedskipunet.archive.driver import DRIVER_DEATHS, LOST_MACHINES, Driver, DriverOptions
from maskedskipunet.archive.report import ArchiveReport
from maskedskipunet.archive.segments import Segment, source_name
from maskedskipunet.archive.target import CLAIMS, DRIVER, SET_ASIDE, Target
from maskedskipunet.archive.tasks import (
    ArchiveSource,
    Died,
    Fault,
    Outcome,
    Plan,
    PlanTask,
    Scores,
    ScoreTask,
    Task,
)
from maskedskipunet.data.footage_files import FileVersion, FootageFile

KEY = "a key"
VERSION = FileVersion(1000, "1")
Do = Callable[[Task], Outcome]


def source(name: str, version: FileVersion = VERSION) -> ArchiveSource:
    return ArchiveSource(FootageFile(f"/videos/{name}.mp4"), version)


def segment(video: ArchiveSource, number: int, key: str = KEY) -> Segment:
    name = source_name(video.file.address)
    return Segment(
        id=f"{name}-{video.version}-{number}-{key}".replace(" ", "_").replace(":", "_"),
        source=name,
        address=video.file.address,
        version=str(video.version),
        day="2026-03-01",
        start=10 * number,
        end=10 * number + 10,
        first=0,
        last=10 * number + 10,
        start_s=float(number),
        end_s=number + 0.9,
        began_s=None,
        key=None,
        kept_before=None,
        file_start_s=0.0,
        limit=0,
    )


def do(task: Task, segments: int = 3, key: str = KEY) -> Outcome:
    """Do a task as a worker would, without footage."""
    if isinstance(task, PlanTask):
        video = task.source
        parts = tuple(segment(video, number, key) for number in range(segments))
        return Plan(video.name, video.file.address, str(video.version), key, 1000, parts)
    numbers = range(task.segment.start, task.segment.end)
    columns = {"address": [task.address] * 10, "frame": [*numbers], "time": [number / 10 for number in numbers]}
    table = pa.table(columns | {"score": [float(number) for number in numbers]})
    return Scores(table, {"seconds": 1.0, "host": "here", "peak_mb": 1.0})


class FakePool:
    """Does tasks in this process when it is asked for outcomes, the one that came first."""

    def __init__(self, do: Do = do, workers: int = 2) -> None:
        self.done: list[str] = []
        self._do, self._workers = do, workers
        self._tasks: list[Task] = []

    @property
    def free(self) -> int:
        return self._workers - len(self._tasks)

    @property
    def busy(self) -> int:
        return len(self._tasks)

    def submit(self, task: Task) -> None:
        assert self.free > 0
        self._tasks.append(task)

    def outcomes(self, timeout_s: float) -> Sequence[tuple[Task, Outcome]]:
        task = self._tasks.pop(0)
        self.done.append(task.id)
        return [(task, self._do(task))]

    def close(self) -> None:
        self._tasks.clear()


@pytest.fixture
def target(tmp_path: Path) -> Target:
    found = Target(tmp_path / "out")
    found.prepare({"key": KEY})
    return found


def drive(target: Target, pool: FakePool, *sources: ArchiveSource, key: str = KEY, again: bool = False) -> Driver:
    driver = Driver(target, pool, DriverOptions(key=key, again=again))
    driver.run(sources)
    return driver


def test_every_segment_is_scored_once_and_none_when_it_is_called_again(target: Target) -> None:
    pool = FakePool()
    advanced: list[int] = []
    Driver(target, pool, DriverOptions(key=KEY), advanced.append).run([source("a"), source("b"), source("c")])

    assert set(Counter(pool.done).values()) == {1}
    assert len(pool.done) == 3 + 9
    assert sum(advanced) == 3
    assert ArchiveReport.of(target).segments == {"done": 9}
    again = FakePool()
    drive(target, again, source("a"), source("b"), source("c"))
    assert again.done == []


def test_a_failure_is_tried_again_with_a_bound_and_then_told_with_its_cause(target: Target) -> None:
    def failing(task: Task) -> Outcome:
        return Fault("it is cut off") if task.id == segment(source("a"), 1).id else do(task)

    pool = FakePool(failing)
    drive(target, pool, source("a"))

    assert Counter(pool.done)[segment(source("a"), 1).id] == 2
    report = ArchiveReport.of(target)
    assert report.segments == {"done": 2, "failed": 1}
    assert [(failure.cause, failure.start_s) for failure in report.failures] == [("it is cut off", 1.0)]
    mended = FakePool()
    drive(target, mended, source("a"))
    assert mended.done == [segment(source("a"), 1).id]
    assert ArchiveReport.of(target).failures == ()


def test_what_kills_two_workers_is_set_aside_and_holds_up_nothing(target: Target) -> None:
    def deadly(task: Task) -> Outcome:
        return Died("its worker was killed (SIGSEGV)") if "a-" in task.id and "-0-" in task.id else do(task)

    pool = FakePool(deadly)
    drive(target, pool, source("a"), source("b"))

    poison = segment(source("a"), 0).id
    assert Counter(pool.done)[poison] == 2
    assert pool.done[-1] == poison or pool.done.index(poison) < len(pool.done) - 2
    report = ArchiveReport.of(target)
    assert report.segments == {"done": 5, SET_ASIDE: 1}
    assert report.failures[0].cause == "set aside after 2 tries: its worker was killed (SIGSEGV)"
    left_alone = FakePool()
    drive(target, left_alone, source("a"), source("b"))
    assert left_alone.done == []
    asked_for = FakePool()
    drive(target, asked_for, source("a"), source("b"), again=True)
    assert asked_for.done == [poison]
    assert ArchiveReport.of(target).segments == {"done": 6}


def test_a_video_whose_plan_kills_workers_is_set_aside_too(target: Target) -> None:
    deaths = FakePool(
        lambda task: Died("crash") if isinstance(task, PlanTask) and "a.mp4" in task.address else do(task)
    )

    drive(target, deaths, source("a"), source("b"))

    report = ArchiveReport.of(target)
    assert report.segments == {"done": 3, SET_ASIDE: 1}
    assert report.failures[0].address == "/videos/a.mp4"


def test_a_lost_machine_is_no_fault_of_the_segment(target: Target) -> None:
    lost: Counter[str] = Counter()

    def losing(task: Task) -> Outcome:
        lost[task.id] += 1
        return Died("its node died", is_own_fault=False) if lost[task.id] < LOST_MACHINES else do(task)

    drive(target, FakePool(losing), source("a"))

    assert ArchiveReport.of(target).segments == {"done": 3}


def test_what_another_process_has_in_hand_is_left_to_it_until_that_is_gone(target: Target) -> None:
    mine = segment(source("a"), 1)
    target.write_plan(do(PlanTask(source("a"))))  # type: ignore[arg-type]
    with Claims(target.folder / CLAIMS) as others:
        assert others.take(mine.id)
        pool = FakePool()
        polled = 0

        def finish() -> bool:
            nonlocal polled
            polled += 1
            if polled == 2:
                target.write_scores(mine, do(ScoreTask(mine)))  # type: ignore[arg-type]
            return False

        driver = Driver(target, pool, DriverOptions(key=KEY))
        original = driver._retake
        driver._retake = lambda claims: finish() or original(claims)  # type: ignore[method-assign]
        driver.run([source("a")])
    assert mine.id not in pool.done
    assert len(pool.done) == 2


def test_a_segment_that_process_after_process_dies_with_is_set_aside(target: Target) -> None:
    target.write_plan(do(PlanTask(source("a"))))  # type: ignore[arg-type]
    for _ in range(DRIVER_DEATHS):
        target.write_death(segment(source("a"), 0).id, DRIVER, "the process that worked on it ended")

    drive(target, FakePool(), source("a"))

    assert ArchiveReport.of(target).segments == {"done": 2, SET_ASIDE: 1}


def test_a_changed_video_or_model_is_planned_anew_and_its_old_scores_go(target: Target) -> None:
    drive(target, FakePool(), source("a"))
    changed = FakePool()
    drive(target, changed, source("a", FileVersion(2000, "2")))
    assert len(changed.done) == 4
    assert ArchiveReport.of(target).segments == {"done": 3}

    drive(target, FakePool(lambda task: do(task, key="other")), source("a", FileVersion(2000, "2")), key="other")

    assert len([*(target.folder / "scores").rglob("*.parquet")]) == 3
    assert {path.stem for path in (target.folder / "scores").rglob("*.parquet")} == {
        segment(source("a", FileVersion(2000, "2")), number, "other").id for number in range(3)
    }


def test_a_source_that_is_not_there_is_told_and_a_damaged_plan_is_made_anew(target: Target) -> None:
    drive(target, FakePool(), source("a"), ArchiveSource(FootageFile("/videos/gone.mp4"), fault="no such file"))
    (target.folder / "plans" / f"{source('a').name}.parquet").write_bytes(b"damaged")
    (target.folder / "manifest.parquet").write_bytes(b"damaged")

    again = FakePool()
    drive(target, again, source("a"))

    assert again.done == [PlanTask(source("a")).id]
    report = ArchiveReport.of(target)
    assert report.segments == {"done": 3, "failed": 1}
    assert report.failures[0].cause == "no such file"
