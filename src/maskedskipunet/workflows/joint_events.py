"""The events of many videos together: one table of all, and alarms of one kind wherever they are."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from maskedskipunet.detection.events import Event
from maskedskipunet.detection.fusing import EventReason
from maskedskipunet.detection.kinds import Kinds
from maskedskipunet.runs import write_csv
from maskedskipunet.view.reasons import describe_reason
from maskedskipunet.workflows.events import COLUMNS, EVENT_FILES, event_row, write_plain_events


@dataclass(frozen=True)
class JointKind:
    """Events of one kind in one video or several.

    id: of the first of them. video: the video of the first; start_s: its begin there; reason: its reason. events: their
    number. videos: the number of videos that contain them.
    """

    id: str
    video: str
    start_s: float
    reason: EventReason
    events: int = 0
    videos: int = 0

    def figures(self) -> dict[str, Any]:
        """Return the kind as plain values, for programs."""
        return {
            "kind_id": self.id,
            "events": self.events,
            "videos": self.videos,
            "first_video": self.video,
            "first_start_s": self.start_s,
            "sentence": describe_reason(self.reason),
        }


@dataclass(frozen=True)
class JointEvents:
    """The events of many videos. path: of `events.csv`, None without one. kinds: in order of their first event."""

    path: Path | None
    kinds: tuple[JointKind, ...] = ()


def write_joint_events(out: Path, videos: Sequence[str]) -> JointEvents:
    """Group the events of many videos by kind, and write `events.csv` of all: a row for each event, its video's name
    first.

    out: a folder with a folder for each video; its `events.json` and `events.csv` are written again if an event belongs
    to a kind of an earlier video. videos: their names, in order. No table is written if no video has such a file. Paths
    of pictures are relative to `out`.
    """
    kinds = _JointKinds()
    rows, is_any = [], False
    for name, content in _event_files(out, videos):
        is_any = True
        if kinds.add(name, content["events"]):
            write_plain_events(out / name, content)
        for values in content["events"]:
            pictures = {key: f"{name}/{values[key]}" for key in ("picture", "normal_picture") if values.get(key)}
            rows.append([name, *event_row(values | pictures)])
    path = out / EVENT_FILES[1]
    if not is_any or path.is_dir():  # of a video of that name
        return JointEvents(None, kinds.found)
    write_csv(path, ["video", *COLUMNS], rows)
    return JointEvents(path, kinds.found)


class _JointKinds:
    """Kinds of the events of videos, one video after another."""

    def __init__(self) -> None:
        self._kinds = Kinds()
        self._found: dict[str, JointKind] = {}

    @property
    def found(self) -> tuple[JointKind, ...]:
        """The kinds so far, in order of their first event."""
        return tuple(self._found.values())

    def add(self, video: str, events: Sequence[dict[str, Any]]) -> bool:
        """Set `kind_id` of the events of a video, given as plain values; return whether any changed."""
        is_changed, seen = False, set()
        for values in events:
            event = _event(values)
            if (kind := self._kinds.add(event, event.start_s)) is None:
                continue
            first = JointKind(kind.id, video, event.start_s, kind.reason)
            joint = self._found.get(kind.id, first)
            self._found[kind.id] = replace(joint, events=joint.events + 1, videos=joint.videos + (kind.id not in seen))
            seen.add(kind.id)
            is_changed = is_changed or values.get("kind_id") != kind.id
            values["kind_id"] = kind.id
        return is_changed


def _event_files(out: Path, videos: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the content of `events.json` of each video that has one."""
    for name in videos:
        try:
            content = json.loads((out / name / EVENT_FILES[0]).read_text(encoding="utf-8"))
            for values in content["events"]:
                _event(values)
        except (OSError, ValueError, KeyError, TypeError):  # none, or none of ours
            continue
        yield name, content


def _event(values: dict[str, Any]) -> Event:
    """Return an event of `events.json`. Raises KeyError, TypeError or ValueError for anything else."""
    return Event.from_dict({field.name: values[field.name] for field in fields(Event) if field.name in values})
