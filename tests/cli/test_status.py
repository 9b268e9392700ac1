import json
import time

import pytest

from maskedskipunet.detection.events import Event, EventUpdate
from maskedskipunet.records import outbox
from maskedskipunet.records.store import Records
from maskedskipunet.records.subscriptions import Subscription

SUBSCRIPTION = Subscription(sink="hook", states=("all",), states_after_s=0)
EVENT = Event("e0", "rtsp://h/x", 1, 2, 1.5, 5, 10, 7, 0.5, 0.4, (), None)


@pytest.fixture
def watch(place):
    """Records that a watch holds, with two cameras."""
    with Records.open(place / "records", watching=True) as records:
        for camera in ("door", "yard"):
            records.set_condition(camera, "running")
        records.set_last_frames(dict.fromkeys(("door", "yard"), time.time()))
        yield records


def test_cameras_that_are_alive_are_told_with_0_while_the_watch_runs_and_with_1_after_it(cli, watch, place):
    answer = cli("status", "--json", "status.json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.endswith("records: a watch is running, 2 of 2 cameras alive\n")
    told = json.loads((place / "status.json").read_text())
    assert [(one["name"], one["alive"], one["condition"]) for one in told["cameras"]] == [
        ("door", True, "running"),
        ("yard", True, "running"),
    ]
    watch.close()
    answer = cli("status", "records")
    assert answer.code == 1
    assert "no watch is running, 0 of 2 cameras alive" in answer.out
    assert "not watched" in answer.out


def test_what_is_wrong_with_a_camera_is_told_and_since_when(cli, watch):
    watch.set_condition("yard", "lost")
    watch.begin_state("yard", "lost", "no frame for 10.0 s")
    watch.begin_state("door", "dark", "contrast 2")
    watch.begin_state("door", "night")
    watch.record(EventUpdate("new", EVENT), camera="door", began_unix_s=time.time())
    answer = cli("status")
    lines = {line.split()[0]: line for line in answer.out.splitlines() if line}
    assert answer.code == 1
    assert "an event is in progress, dark since" in lines["door"]
    assert "night" not in lines["door"]
    assert "lost since" in lines["yard"]
    assert "1 of 2 cameras alive" in answer.out


def test_a_camera_of_which_no_frame_came_for_minutes_is_silent_whatever_is_said_of_it(cli, watch):
    watch.set_last_frames({"door": time.time() - 500})
    with watch.write() as session:
        session.connection().exec_driver_sql("UPDATE cameras SET condition_unix_s = condition_unix_s - 1000")
    answer = cli("status", "--json", "s.json")
    assert answer.code == 1
    assert "silent" in answer.out
    assert "1 of 2 cameras alive" in answer.out


def test_what_waits_is_told_with_its_reason(cli, watch, place):
    watch.begin_state("door", "dark", subscriptions=[SUBSCRIPTION])
    with watch.write() as session:
        found = outbox.next_delivery(session, "hook", time.time())
        outbox.failed(session, found, "the connection was refused", time.time())
    answer = cli("status", "--json", "status.json")
    assert "hook: the connection was refused" in answer.out
    (sink,) = json.loads((place / "status.json").read_text())["sinks"]
    assert (sink["waiting"], sink["fault"]) == (1, "the connection was refused")
    assert sink["waiting_since"]


def test_a_folder_without_records_is_refused(cli, place):
    assert "there are no records" in cli("status", "nowhere").refusal()
    assert not (place / "nowhere").exists()
