"""The events of many videos together."""

import csv
import json
from dataclasses import replace
from pathlib import Path

from maskedskipunet.detection.events import Event, EventRule
from maskedskipunet.detection.fusing import EventReason
from maskedskipunet.detection.kinds import with_kinds
from maskedskipunet.detection.reading import APPEARANCE, CueReading
from maskedskipunet.workflows.events import write_events
from maskedskipunet.workflows.joint_events import write_joint_events

RULE = EventRule(threshold=4.0, release=3.0)


def event(event_id: str, start_s: float, left: float | None) -> Event:
    """Return an event by appearance at a place of the picture; left: None for a model without cues."""
    reading = CueReading(4.0, (left or 0.0, 0.2, (left or 0.0) + 0.2, 0.4), look=(0.3,), spread=0.1)
    reason = None if left is None else EventReason(APPEARANCE, {APPEARANCE: 1.0}, {APPEARANCE: reading})
    return Event(event_id, "v", start_s, start_s + 1, start_s, 0, 1, 0, 5.0, 4.0, (), None, reason)


def write_video(out: Path, name: str, *events: Event) -> None:
    (out / name).mkdir()
    write_events(out / name, with_kinds(events), RULE, pictures={events[0].id: {"picture": "events/001.jpg"}})


def kind_ids(out: Path, name: str) -> dict[str, str | None]:
    told = json.loads((out / name / "events.json").read_text())["events"]
    return {values["id"]: values.get("kind_id") for values in told}


def test_alarms_of_one_kind_are_one_kind_over_all_videos_in_their_order(tmp_path: Path) -> None:
    write_video(tmp_path, "monday", event("a", 1.0, 0.1), event("b", 9.0, 0.7))
    write_video(tmp_path, "tuesday", event("c", 2.0, 0.72), event("d", 5.0, 0.12), event("e", 7.0, 0.1))
    earlier = (tmp_path / "monday" / "events.json").read_bytes()

    joint = write_joint_events(tmp_path, ["monday", "tuesday", "gone"])

    assert [(kind.id, kind.video, kind.start_s, kind.events, kind.videos) for kind in joint.kinds] == [
        ("a", "monday", 1.0, 3, 2),
        ("b", "monday", 9.0, 2, 2),
    ]
    assert (tmp_path / "monday" / "events.json").read_bytes() == earlier
    assert kind_ids(tmp_path, "tuesday") == {"c": "b", "d": "a", "e": "a"}
    assert joint.path == tmp_path / "events.csv"
    rows = [*csv.DictReader(joint.path.read_text().splitlines())]
    assert [(row["video"], row["id"], row["kind_id"]) for row in rows] == [
        ("monday", "a", "a"),
        ("monday", "b", "b"),
        ("tuesday", "c", "b"),
        ("tuesday", "d", "a"),
        ("tuesday", "e", "a"),
    ]
    assert rows[2]["picture"] == "tuesday/events/001.jpg"
    own = [*csv.DictReader((tmp_path / "tuesday" / "events.csv").read_text().splitlines())]
    assert [row["kind_id"] for row in own] == ["b", "a", "a"]


def test_other_videos_or_another_order_give_kinds_anew(tmp_path: Path) -> None:
    write_video(tmp_path, "monday", event("a", 1.0, 0.1))
    write_video(tmp_path, "tuesday", event("c", 2.0, 0.12))
    write_joint_events(tmp_path, ["monday", "tuesday"])
    assert kind_ids(tmp_path, "tuesday") == {"c": "a"}

    (kind,) = write_joint_events(tmp_path, ["tuesday", "monday"]).kinds

    assert kind.figures() == {
        "kind_id": "c",
        "events": 2,
        "videos": 2,
        "first_video": "tuesday",
        "first_start_s": 2.0,
        "sentence": "nothing normal ever looked like this here",
    }
    assert (kind_ids(tmp_path, "monday"), kind_ids(tmp_path, "tuesday")) == ({"a": "c"}, {"c": "c"})


def test_events_of_a_model_without_cues_have_no_kind_and_damaged_files_are_left_out(tmp_path: Path) -> None:
    write_video(tmp_path, "monday", event("a", 1.0, None), event("b", 3.0, None))
    write_video(tmp_path, "torn", event("c", 1.0, 0.1))
    write_video(tmp_path, "other", replace(event("d", 1.0, 0.1), kind_id=None))
    (tmp_path / "torn" / "events.json").write_text('{"events": [{"id"')
    (tmp_path / "other" / "events.json").write_text('{"events": [{"id": "d"}]}')
    before = {path: path.read_bytes() for path in tmp_path.glob("*/events.*")}

    joint = write_joint_events(tmp_path, ["monday", "torn", "other"])

    assert joint.kinds == ()
    assert joint.path is not None
    assert [row["id"] for row in csv.DictReader(joint.path.read_text().splitlines())] == ["a", "b"]
    assert {path: path.read_bytes() for path in tmp_path.glob("*/events.*")} == before
    assert write_joint_events(tmp_path, ["torn"]).path is None
