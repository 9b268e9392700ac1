"""Keeping records within an age and a size: the oldest events go first, with all their files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import delete

from maskedskipunet.errors import ConfigError
from maskedskipunet.records import outbox
from maskedskipunet.records.clock import EARLIEST_UNIX_S
from maskedskipunet.records.recorded import RecordedEvent, iso_time
from maskedskipunet.records.store import Records
from maskedskipunet.records.tables import StateRow

CURVES_SHARE = 0.1  # of the bytes that may be kept, for score curves besides
SETTLING_S = 60.0  # after its end an event may still get its clip


@dataclass(frozen=True, kw_only=True)
class Retention:
    """Limits on the age and the size of records.

    older_than_s: events that began longer ago go, in seconds; None: none do by age. larger_than_bytes: the oldest go
    until the files of all are no more than that; None: none do by size. Score curves go by the time since they were
    written, and besides the events' files they may take CURVES_SHARE of larger_than_bytes.
    """

    older_than_s: float | None = None
    larger_than_bytes: int | None = None

    def __post_init__(self) -> None:
        for name in ("older_than_s", "larger_than_bytes"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < float("inf"):
                raise ConfigError(f"{value} is no bound", f"retention.{name}", "Use 0 or more")


@dataclass(frozen=True)
class Removed:
    """An event that was removed, or would be, and the bytes of its files."""

    id: str
    camera: str
    began_unix_s: float
    bytes: int


@dataclass(frozen=True)
class Pruned:
    """The removed events, the oldest first, and the bytes of the remaining files.

    curves_freed_bytes: of the removed score curves.
    """

    removed: tuple[Removed, ...]
    kept_bytes: int
    curves_freed_bytes: int = 0

    @property
    def freed_bytes(self) -> int:
        return sum(removed.bytes for removed in self.removed)

    def figures(self) -> dict[str, Any]:
        removed = [
            {"id": event.id, "camera": event.camera, "began_at": iso_time(event.began_unix_s), "bytes": event.bytes}
            for event in self.removed
        ]
        figures = {"removed": removed, "freed_bytes": self.freed_bytes, "kept_bytes": self.kept_bytes}
        return figures | {"curves_freed_bytes": self.curves_freed_bytes}


def prune(records: Records, retention: Retention, *, dry_run: bool = False) -> Pruned:
    """Remove what is too old and then, from the oldest on, what is too much. Events that last are never removed.

    What was delivered, and states of cameras that are over, go by age too. Nothing goes by an age that the clock of a
    watch cannot be trusted with.
    dry_run: only tell.
    """
    records.adopt_unknown_ages()
    now_unix_s = records.clock()
    is_trusted = records.is_clock_trusted
    if not is_trusted:
        retention = replace(retention, older_than_s=None)
    sized = [_sized(records, recorded) for recorded in records.events()]
    chosen = choose(sized, retention, now_unix_s, records.ages_from())
    if not dry_run:
        chosen = [replace(removed, bytes=records.remove(removed.id)) for removed in chosen]
        with records.write() as session:
            if is_trusted:
                outbox.forget_done(session, now_unix_s - outbox.KEPT_DONE_S)
            if retention.older_than_s is not None:
                is_old = StateRow.ended_unix_s.between(EARLIEST_UNIX_S, now_unix_s - retention.older_than_s)
                session.execute(delete(StateRow).where(is_old))
    gone = {removed.id for removed in chosen}
    kept = sum(size for recorded, size in sized if recorded.event.id not in gone)
    return Pruned(tuple(chosen), kept, _prune_curves(records, retention, now_unix_s, dry_run=dry_run))


def _prune_curves(records: Records, retention: Retention, now_unix_s: float, *, dry_run: bool) -> int:
    older_s, larger_bytes = retention.older_than_s, retention.larger_than_bytes
    return records.curves.prune(
        written_before_unix_s=None if older_s is None else now_unix_s - older_s,
        larger_than_bytes=None if larger_bytes is None else int(CURVES_SHARE * larger_bytes),
        dry_run=dry_run,
    )


def choose(
    sized: Sequence[tuple[RecordedEvent, int]],
    retention: Retention,
    now_unix_s: float,
    ages_from: Mapping[str, float] | None = None,
) -> list[Removed]:
    """Return which of these events, each with the bytes of its files, go; the oldest first.

    ages_from: when the age of some is counted from, by their ids, instead of from their begin. One that began when no
    clock was set, and is none of these, is of unknown age: it does not go by age, and last by size.
    """
    total_bytes = sum(size for _, size in sized)
    chosen = []

    def began_unix_s(recorded: RecordedEvent) -> float:
        unix_s = (ages_from or {}).get(recorded.event.id, recorded.began_unix_s)
        return unix_s if unix_s >= EARLIEST_UNIX_S else now_unix_s

    for recorded, size in sorted(sized, key=lambda pair: (began_unix_s(pair[0]), pair[0].event.id)):
        is_old = retention.older_than_s is not None and began_unix_s(recorded) < now_unix_s - retention.older_than_s
        is_much = retention.larger_than_bytes is not None and total_bytes > retention.larger_than_bytes
        if (is_old or is_much) and not _lasts(recorded, now_unix_s):
            chosen.append(Removed(recorded.event.id, recorded.camera, recorded.began_unix_s, size))
            total_bytes -= size
    return chosen


def _lasts(recorded: RecordedEvent, now_unix_s: float) -> bool:
    return recorded.is_open or now_unix_s - SETTLING_S < recorded.updated_unix_s <= now_unix_s


def _sized(records: Records, recorded: RecordedEvent) -> tuple[RecordedEvent, int]:
    files = records.folder.files(recorded.event.id, recorded.began_unix_s)
    return recorded, sum(path.stat().st_size for path in files if path.is_file())
