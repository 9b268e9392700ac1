"""`maskedskipunet records check|export|kinds|prune FOLDER`: what `watch` recorded."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from maskedskipunet.cli import console
from maskedskipunet.cli.parsing import Options, Parser
from maskedskipunet.cli.values import UsageError, shown
from maskedskipunet.files import readable_bytes

if TYPE_CHECKING:
    from maskedskipunet.records.recorded import RecordedEvent

_OF = {
    "check": ("repair",),
    "export": ("out", "since", "until", "camera"),
    "kinds": ("since", "until", "camera"),
    "prune": ("older_than", "larger_than", "dry_run"),
}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def run(arguments: Sequence[str]) -> int:
    parser = Parser(
        "records",
        "check|export|kinds|prune FOLDER",
        "Check, export, group or prune the events that `watch` recorded in a folder.",
    )
    parser.add(
        "action",
        type=Literal["check", "export", "kinds", "prune"],
        metavar="check|export|kinds|prune",
        required=True,
        help="Compare rows with files, write a table of events, list which are of one kind, or remove the oldest.",
    )
    parser.add("folder", type=Path, required=True, metavar="FOLDER", help="Use this records folder.")
    parser.add_switch("--repair", dest="repair", help="With check: repair what is found (default: only report it).")
    parser.add(
        "--out",
        type=Path,
        metavar="FILE",
        help="With export: write this .csv, .json or .parquet file (default: FOLDER/events.csv).",
    )
    parser.add(
        "--since",
        type=str,
        metavar="TIME",
        help="With export or kinds: start at this time, 2026-03-01 or 2026-03-01T08:00, UTC (default: all).",
    )
    parser.add("--until", type=str, metavar="TIME", help="With export or kinds: end before this time (default: all).")
    parser.add(
        "--camera",
        type=str,
        metavar="NAME",
        help="With export or kinds: take only events of this camera (default: all).",
    )
    parser.add(
        "--older-than",
        type=str,
        metavar="AGE",
        help="With prune: remove events older than 30d, 12h, … (default: none).",
    )
    parser.add(
        "--larger-than",
        type=str,
        metavar="SIZE",
        help="With prune: remove the oldest events above 10GB, 500MB, … (default: none).",
    )
    parser.add_switch("--dry-run", dest="dry_run", help="With prune: only list what would be removed.")
    parser.add_json()
    options = parser.parse(arguments)
    _require_own_options(options)
    return {"check": _check, "export": _export, "kinds": _kinds, "prune": _prune}[options.action](options)


def _require_own_options(options: Options) -> None:
    """Raise UsageError for an option of another action."""
    for name in dict.fromkeys(name for names in _OF.values() for name in names):
        if name not in _OF[options.action] and options[name] not in (None, False):
            owners = " and ".join(f"`records {action}`" for action, names in _OF.items() if name in names)
            raise UsageError(f"--{name.replace('_', '-')} belongs to {owners}", cure="Leave it out")


def _check(options: Options) -> int:
    from maskedskipunet.records.checking import check

    report = check(options.folder, repair=options.repair)
    console.write_figures(options.json, report.figures())
    for line in report.finished:
        console.say(f"finished what a killed process had left: {line}")
    for fault in report.faults:
        console.say(f"{fault.where}: {fault.what}" + (f"; {fault.mended}" if fault.mended else ""))
    if report.left_open:
        left = console.counted(report.left_open, "event")
        console.say(f"{left} left open by a watch that was killed: the next watch ends them and informs the sinks")
    for sink, count in report.queues.items():
        console.say(f"sink {sink}: {count.waiting:,} waiting, {count.delivered:,} delivered, {count.dropped:,} dropped")
    counts = f"{console.counted(report.events, 'event')}, {console.counted(report.clips, 'clip')}"
    console.say(
        f"{report.folder}: {counts}, {readable_bytes(report.file_bytes)}, "
        f"{_verdict(len(report.faults), report.is_clean)}"
    )
    return 0 if report.is_clean else 1


def _verdict(faults: int, is_clean: bool) -> str:
    if not faults:
        return "clean"
    return f"{console.counted(faults, 'fault')} {'repaired' if is_clean else 'found; repair with --repair'}"


def _export(options: Options) -> int:
    from maskedskipunet.records.exporting import export, require_table

    out = options.out or options.folder / "events.csv"
    require_table(out)
    events = _chosen(options)
    export(events, out)
    console.write_figures(options.json, {"events": len(events), "table": str(out)})
    console.say(f"{console.counted(len(events), 'event')} in {out}")
    return 0


def _kinds(options: Options) -> int:
    from maskedskipunet.records.kinds import recorded_kinds
    from maskedskipunet.view.reasons import describe_reason

    events = _chosen(options)
    kinds = recorded_kinds(events)
    console.write_figures(options.json, {"events": len(events), "kinds": [kind.figures() for kind in kinds]})
    rows = []
    for kind in sorted(kinds, key=lambda kind: -len(kind.events)):
        first, last = (_minute(kind.events[position].began_unix_s) for position in (0, -1))
        rows.append((_shown(kind.id), kind.camera, len(kind.events), kind.unanswered, first, last))
    if rows:
        console.print_table("Alarms by kind", ("kind", "camera", "alarms", "unanswered", "first", "last"), rows, left=2)
    for kind in kinds:
        if (reason := kind.events[0].event.reason) is not None:
            console.say(f"{_shown(kind.id)}: {describe_reason(reason)}")
    without = sum(recorded.event.kind_id is None for recorded in events)
    counts = f"{console.counted(len(events), 'event')} of {console.counted(len(kinds), 'kind')}"
    console.say(f"{counts}, {without:,} without a kind" if without else counts)
    if kinds:
        console.say("one answer for a whole kind: maskedskipunet feedback RUN KIND --normal --all-of-kind")
    return 0


def _shown(event_id: str) -> str:
    return event_id[: console.SHOWN_OF_ID]


def _minute(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M")


def _chosen(options: Options) -> "list[RecordedEvent]":
    """Return the events of the time and the camera that are asked for."""
    from maskedskipunet.records.store import Records

    since, until = (_time(options[name], f"--{name}") for name in ("since", "until"))
    with Records.open(options.folder, create=False) as records:
        if options.camera is not None and options.camera not in records.cameras():
            known = ", ".join(records.cameras()) or "none yet"
            raise UsageError(f"there is no camera {shown(options.camera)}", "--camera", f"There are: {known}")
        return records.events(since_unix_s=since, until_unix_s=until, camera=options.camera)


def _prune(options: Options) -> int:
    if options.older_than is None and options.larger_than is None:
        raise UsageError("no limit is given", "records prune", "State --older-than 30d, --larger-than 10GB, or both")

    from maskedskipunet.records.pruning import Retention, prune
    from maskedskipunet.records.store import Records

    retention = Retention(
        older_than_s=_quantity(options.older_than, "--older-than", r"", _SECONDS, "30d, 12h, 90m or 2w"),
        larger_than_bytes=_bytes(options.larger_than),
    )
    with Records.open(options.folder, create=False) as records:
        pruned = prune(records, retention, dry_run=options.dry_run)
    console.write_figures(options.json, pruned.figures() | {"dry_run": options.dry_run})
    for removed in pruned.removed:
        began = datetime.fromtimestamp(removed.began_unix_s, UTC).isoformat(" ", "seconds")
        console.say(f"{removed.id}, {removed.camera}, {began}, {readable_bytes(removed.bytes)}")
    verb = "would be removed" if options.dry_run else "removed"
    console.say(
        f"{console.counted(len(pruned.removed), 'event')} {verb}, {readable_bytes(pruned.freed_bytes)} freed, "
        f"{readable_bytes(pruned.kept_bytes)} kept"
    )
    if pruned.curves_freed_bytes:
        console.say(f"score curves: {readable_bytes(pruned.curves_freed_bytes)} {verb}")
    return 0


def _time(text: str | None, where: str) -> float | None:
    """Return a written time in seconds since 1970; UTC if it names no other zone."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{shown(text)} is no time", where, "Write 2026-03-01 or 2026-03-01T08:00") from error


def _quantity(text: str | None, where: str, unit: str, factors: dict[str, int], example: str) -> float | None:
    if text is None:
        return None
    found = re.fullmatch(rf"(\d+(?:\.\d+)?) ?([a-z]?){unit}", text.lower(), re.ASCII)
    if found is None or found[2] not in factors:
        raise UsageError(f"{shown(text)} cannot be understood", where, f"Write {example}")
    return float(found[1]) * factors[found[2]]


def _bytes(text: str | None) -> int | None:
    size = _quantity(text, "--larger-than", "b?", _BYTES, "10GB or 500MB")
    return None if size is None else int(size)
