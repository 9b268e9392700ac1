"""Checks that rows and files of records agree, and repairs them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import text

from maskedskipunet.errors import RecordsError
from maskedskipunet.records import outbox
from maskedskipunet.records.completeness import is_complete_clip, is_complete_heat_map, is_complete_picture
from maskedskipunet.records.curve_files import SPANS_S, CurveFiles
from maskedskipunet.records.database import DamagedError
from maskedskipunet.records.folder import RecordsFolder, day_of, event_of
from maskedskipunet.records.outbox import QueueCount
from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.records.store import Records
from maskedskipunet.records.watch_lock import WatchLock, is_watched

_PASSES = 4
_SUFFIXES = (".json", ".mp4", ".jpg", ".png")


@dataclass(frozen=True)
class Fault:
    """where: an event or a file. what: is wrong there. mended: what was done about it, None if nothing was."""

    where: str
    what: str
    mended: str | None = None


@dataclass(frozen=True)
class _Difference:
    """fault: None if a killed process left something undone. mend: does it, and says what was done."""

    where: str
    fault: str | None
    mend: Callable[[], str]


@dataclass
class CheckReport:
    """The content of a records folder, and its faults.

    left_open: events that a killed watch left open; the next watch ends them. finished: what a killed process had
    left half done; it was finished and is no fault. queues: by sink.
    """

    folder: Path
    events: int = 0
    open_events: int = 0
    left_open: int = 0
    clips: int = 0
    file_bytes: int = 0
    queues: dict[str, QueueCount] = field(default_factory=dict)
    finished: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """No fault is left."""
        return all(fault.mended for fault in self.faults)

    def figures(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "clean": self.is_clean,
            "events": self.events,
            "open_events": self.open_events,
            "left_open": self.left_open,
            "clips": self.clips,
            "file_bytes": self.file_bytes,
            "deliveries": {sink: vars(count) for sink, count in self.queues.items()},
            "finished": self.finished,
            "faults": [vars(fault) for fault in self.faults],
        }


def check(path: Path, *, repair: bool = False) -> CheckReport:
    """Hold the rows of a records folder against its files, both ways.

    repair: mend what is found. Rows that are missing are made from the events' files, files that are missing from
    their rows; of two that differ the one that was changed later holds, else the row; what belongs to no event or is
    not whole goes into `lost/`. A database that is damaged or gone is made anew from the files, the damaged one is
    kept beside it.
    Raises RecordsError for a folder without records, a database that is another's or newer, and a repair while another
    process is watching.
    """
    report, folder = CheckReport(path), RecordsFolder(path)
    records = _open(folder, report, repair)
    if records is None:
        return report
    try:
        report.finished = [*records.finished]
        if damage := _integrity(records):
            fault = f"the database is damaged ({damage})"
            if not repair:
                report.faults.append(Fault("records.db", fault))
                return report
            records.close()
            records = _made_anew(folder, report, fault)
        for _ in range(_PASSES if repair else 1):  # what was mended may show what lay behind it
            if not (differences := [*_differences(records)]):
                break
            for difference in differences:
                _settle(report, difference, repair)
        _count(records, report, is_watched=not repair and is_watched(records.folder))
    finally:
        records.close()
    return report


def _open(folder: RecordsFolder, report: CheckReport, repair: bool) -> Records | None:
    if not folder.database.is_file() and any(folder.events.glob("*/*.json")):
        fault = "the database is gone"
    else:
        try:
            return Records.open(folder.path, create=False, watching=repair)
        except DamagedError as error:
            fault = error.what
    if repair:
        return _made_anew(folder, report, fault)
    report.faults.append(Fault("records.db", fault))
    return None


def _made_anew(folder: RecordsFolder, report: CheckReport, fault: str) -> Records:
    """Return an empty database in the place of a damaged one; the events' files fill it as those without a row."""
    lock = WatchLock(folder.watch_lock)
    if not lock.take(wait=True):
        cure = "Stop it, then repair"
        raise RecordsError("another process is watching into these records", str(folder.path), cure)
    mended = "rebuilt from the events' files; states and deliveries are not in them"
    aside = _free_name(folder.path / "records.db.damaged")
    if folder.database.exists():
        mended += f"; the damaged one is {aside.name}"
    for suffix in ("", "-wal", "-shm"):
        if (part := folder.database.with_name(f"{folder.database.name}{suffix}")).exists():
            part.replace(aside.with_name(f"{aside.name}{suffix}"))
    report.faults.append(Fault("records.db", fault, mended))
    lock.give_back()
    return Records.open(folder.path, watching=True)


def _integrity(records: Records) -> str | None:
    """Return what SQLite finds wrong, None if nothing is."""
    try:
        with records.read() as session:
            found = [str(row[0]) for row in session.execute(text("PRAGMA integrity_check(5)")) if row[0] != "ok"]
            found += [
                f"a row of {row[0]} without its {row[2]}" for row in session.execute(text("PRAGMA foreign_key_check"))
            ]
    except DamagedError as error:
        return error.what
    return " ".join("; ".join(found[:3]).split())[:200] or None


def _differences(records: Records) -> Iterator[_Difference]:
    """Yield all that disagrees, with what would mend it."""
    folder = records.folder
    rows = {recorded.event.id: recorded for recorded in records.events()}
    own: set[Path] = set()
    for event_id, recorded in rows.items():
        own |= {*folder.files(event_id, recorded.began_unix_s)}
        if [*_of_row(records, recorded)]:  # as it may look while another process writes: once more, and none does
            with records.write():
                settled = records.settled_event(event_id)
                found = [] if settled is None else [*_of_row(records, settled)]
            yield from found
    others = [path for path in sorted(folder.events.glob("*/*")) if path.suffix in _SUFFIXES and path not in own]
    described: set[Path] = set()
    for path in others:
        if path.suffix == ".json":
            orphan = _without_row(path, rows)
            if isinstance(orphan, str):
                yield _Difference(folder.relative(path), orphan, _put_aside(folder, path))
            else:
                described.add(path)
                yield from _to_insert(records, path, orphan)
    for path in others:
        is_footage = path.suffix != ".json" and path.with_name(f"{event_of(path)}.json") not in described
        if is_footage and not _has_come(records, path) and path.is_file():
            yield _Difference(folder.relative(path), "belongs to no event", _put_aside(folder, path))
    yield from _of_curves(records)


def _of_curves(records: Records) -> Iterator[_Difference]:
    """Yield the files of score curves in which entries are damaged; these are never read, so the others hold."""
    for camera in records.cameras():
        files = records.curves.of(camera)
        for day in files.days():
            for span_s in SPANS_S:
                if count := files.damaged(day, span_s):
                    where = records.folder.relative(files.path(day, span_s))
                    yield _Difference(where, f"{count} damaged entries", _without_damage(files, day, span_s))


def _without_damage(files: CurveFiles, day: str, span_s: int) -> Callable[[], str]:
    def mend() -> str:
        with files.locked():
            files.replace(day, span_s, files.load(day, span_s))
        return "they were removed"

    return mend


def _of_row(records: Records, recorded: RecordedEvent) -> Iterator[_Difference]:
    event_id, folder = recorded.event.id, records.folder
    files = folder.files(event_id, recorded.began_unix_s)
    description = files.description

    def write() -> str:
        records.file(event_id)
        return "written from the row"

    try:
        described = RecordedEvent.read(description)
    except RecordsError as error:
        fault = error.what if description.exists() else "the event's file is gone"
        yield _Difference(folder.relative(description), fault, write)
        described = recorded
    if described != recorded:
        is_newer = described.revision > recorded.revision and described.began_unix_s == recorded.began_unix_s

        def take() -> str:
            records.insert(described)
            return "the row was changed to what the file says"

        yield _Difference(folder.relative(description), "row and file differ", take if is_newer else write)
        recorded = described if is_newer else recorded
    for path, is_recorded, is_whole in (
        (files.clip, recorded.has_clip, is_complete_clip),
        (files.picture, recorded.has_picture, is_complete_picture),
        (files.normal_picture, recorded.has_normal_picture, is_complete_picture),
        (files.heat_map, recorded.has_heat_map, is_complete_heat_map),
        (files.reconstruction, recorded.has_reconstruction, is_complete_picture),
    ):
        yield from _of_footage(records, event_id, path, is_recorded, is_whole)


def _of_footage(
    records: Records, event_id: str, path: Path, is_recorded: bool, is_whole: Callable[[Path], bool]
) -> Iterator[_Difference]:
    """Yield a clip or picture that is recorded but missing, incomplete, or not recorded."""
    folder = records.folder

    def refresh() -> str:
        records.refresh_files(event_id)
        return "the event no longer mentions it"

    def put_aside() -> str:
        moved = _put_aside(folder, path)()
        return f"{moved}, {refresh()}"

    where = folder.relative(path)
    if not path.is_file():
        if is_recorded:
            yield _Difference(where, "the file is gone", refresh)
    elif not is_whole(path):
        yield _Difference(where, "the file is incomplete", put_aside)
    elif not is_recorded:  # its writer was killed before it could record it
        yield _Difference(where, None, refresh)


def _without_row(path: Path, rows: dict[str, RecordedEvent]) -> RecordedEvent | str:
    """Return the event that a file tells of which is no row's, or what is wrong with the file."""
    try:
        described = RecordedEvent.read(path)
    except RecordsError as error:
        return error.what
    if described.event.id in rows or path.parent.name != day_of(described.began_unix_s):
        return "is in the wrong folder"
    return described


def _to_insert(records: Records, path: Path, described: RecordedEvent) -> Iterator[_Difference]:
    def insert() -> str:
        records.insert(described)
        return "the row was made from the file"

    if not records.has_row(described.event.id):  # it may have come meanwhile
        yield _Difference(records.folder.relative(path), "the event has no row", insert)


def _has_come(records: Records, path: Path) -> bool:
    """Return whether a clip or picture is that of an event that was recorded while we looked."""
    try:
        return path in records.folder.files(event_of(path), records.event(event_of(path)).began_unix_s)
    except RecordsError:
        return False


def _settle(report: CheckReport, difference: _Difference, repair: bool) -> None:
    if difference.fault is None:
        difference.mend()
        report.finished.append(f"noted in its event: {difference.where}")
    else:
        mended = difference.mend() if repair else None
        report.faults.append(Fault(difference.where, difference.fault, mended))


def _put_aside(folder: RecordsFolder, path: Path) -> Callable[[], str]:
    def move() -> str:
        folder.lost.mkdir(exist_ok=True)
        target = _free_name(folder.lost / path.name)
        path.replace(target)
        return f"moved to {folder.relative(target)}"

    return move


def _free_name(path: Path) -> Path:
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free


def _count(records: Records, report: CheckReport, *, is_watched: bool) -> None:
    events = records.events()
    report.events, report.open_events = len(events), sum(recorded.is_open for recorded in events)
    report.left_open = 0 if is_watched else report.open_events
    report.clips = sum(recorded.has_clip for recorded in events)
    report.file_bytes = sum(path.stat().st_size for path in records.folder.events.glob("*/*") if path.is_file())
    with records.read() as session:
        report.queues = outbox.counts(session)
