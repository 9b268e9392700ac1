"""What happens besides scoring while cameras are watched, driven by hand: no camera, no network, no clock."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from maskedskipunet.clip_geometry import ClipGeometry
from maskedskipunet.detection.alarm_finder import AlarmCriteria
from maskedskipunet.detection.budget import AlarmSetting, Budget
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.events import EventRule
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.input_format import InputFormat
from maskedskipunet.monitor import session as session_module
from maskedskipunet.monitor.alarms import CameraAlarms
from maskedskipunet.monitor.model_changes import ModelUpdate
from maskedskipunet.monitor.monitor_events import Alarm, CameraState, ModelChange, MonitorEvent, ScoredFrame
from maskedskipunet.monitor.service import ServiceManager
from maskedskipunet.monitor.session import WatchSession

BEGAN_UNIX_S = 1_772_355_600.0
RULE = EventRule(threshold=0.5, release=0.4, shortest_s=0.2, merge_s=0.5, pause_s=0.0)


def scored(number: int, score: float | None, camera: str = "door") -> ScoredFrame:
    frame = FrameScore(number, number / 10, score)
    return ScoredFrame(camera, frame, BEGAN_UNIX_S + number / 10, 0.1, False, 48, 64)


def calibration(threshold: float) -> Calibration:
    rule = replace(RULE, threshold=threshold)
    setting = AlarmSetting(rule, Budget(1, "day"), 0.1, 8.0, 1, 0.0, 0.3, 24.0, 10.0, extrapolated=False)
    return replace(Calibration.of({"a": np.array([0.1, 0.2, 0.3])}), alarm=setting)


class Service(ServiceManager):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__({})
        self.description: list[str] = []

    def ready(self) -> None:
        self.description.append("ready")

    def progress(self) -> None:
        self.description.append("progress")

    def stopping(self) -> None:
        self.description.append("stopping")


class Desk:
    """A session with all that it told, and with changes of the model that a test decides on."""

    def __init__(self, *cameras: str) -> None:
        self.heard: list[MonitorEvent] = []
        self.service = Service()
        self.changes: list[ModelUpdate] = []
        self.scorer: Any = FakeScorer("before")
        finders = {name: CameraAlarms(name, name, AlarmCriteria(RULE)) for name in cameras}
        look = lambda: self.changes.pop(0) if self.changes else None  # noqa: E731
        self.session = WatchSession(self.scorer, finders, [self.heard.append], look, self.service)

    def alarms(self) -> list[tuple[str, str]]:
        return [(event.camera, event.update.phase) for event in self.heard if isinstance(event, Alarm)]


class FakeScorer:
    """Stands for a scorer, which the session hands on and never asks."""

    geometry = ClipGeometry(1)
    input_format = InputFormat(height_px=32, width_px=48)

    def __init__(self, name: str) -> None:
        self.name = name


def test_scores_become_alarms_of_their_camera_and_every_listener_hears_them_after_the_score() -> None:
    desk = Desk("door", "yard")

    for number in range(4):
        desk.session.publish(scored(number, 0.9))
        desk.session.publish(scored(number, 0.1, "yard"))

    assert desk.alarms() == [("door", "new")]
    begins = next(at for at, event in enumerate(desk.heard) if isinstance(event, Alarm))
    assert desk.heard[begins - 1] == scored(2, 0.9)


@pytest.mark.parametrize("condition", ["lost", "ended"])
def test_an_event_ends_with_its_cameras_connection_and_no_other_does(condition: Any) -> None:
    desk = Desk("door", "yard")
    for number in range(4):
        desk.session.publish(scored(number, 0.9))
        desk.session.publish(scored(number, 0.9, "yard"))

    desk.session.publish(CameraState("door", condition, BEGAN_UNIX_S))

    assert desk.alarms() == [("door", "new"), ("yard", "new"), ("door", "end")]


def test_what_still_runs_is_ended_once_with_the_session() -> None:
    desk = Desk("door", "yard")
    for number in range(4):
        desk.session.publish(scored(number, 0.9))

    desk.session.end()
    desk.session.end()

    assert desk.alarms() == [("door", "new"), ("door", "end")]


def test_without_a_threshold_scores_are_told_and_nothing_follows() -> None:
    desk = Desk()

    desk.session.publish(scored(0, 0.9))
    desk.session.publish(CameraState("door", "lost", BEGAN_UNIX_S))
    desk.session.end()

    assert len(desk.heard) == 2


def test_the_service_manager_hears_once_that_watching_is_ready_and_of_each_cycle() -> None:
    desk = Desk("door")

    desk.session.on_cycle()
    desk.session.on_cycle()
    desk.session.stopping()

    assert desk.service.description == ["ready", "progress", "progress", "stopping"]


def test_a_cycle_without_a_change_gives_no_other_scorer() -> None:
    assert Desk("door").session.on_cycle() is None


def test_a_new_threshold_holds_at_all_cameras_from_then_on() -> None:
    desk = Desk("door", "yard")
    desk.changes.append(ModelUpdate(calibration(2.0)))

    assert desk.session.on_cycle() is desk.scorer
    for number in range(4):
        desk.session.publish(scored(number, 0.9))
        desk.session.publish(scored(number, 2.5, "yard"))

    (change,) = [event for event in desk.heard if isinstance(event, ModelChange)]
    assert (change.threshold, change.applied, change.normal_frames) == (2.0, True, 3)
    assert "alarms at the threshold 2.00000 (was 0.50000), for 1 false alarm a day" in change.description
    assert desk.alarms() == [("yard", "new")]


def test_a_first_threshold_is_said_to_wait_for_a_new_start() -> None:
    desk = Desk()
    desk.changes.append(ModelUpdate(calibration(2.0)))

    desk.session.on_cycle()

    (change,) = desk.heard
    assert isinstance(change, ModelChange)
    assert (change.threshold, change.applied) == (None, False)
    assert "restart watch to get alarms" in change.description


def test_what_cannot_be_applied_is_said_with_its_reason_and_the_old_threshold_holds() -> None:
    desk = Desk("door")
    desk.changes.append(ModelUpdate(None, "the model was trained again"))

    desk.session.on_cycle()

    (change,) = desk.heard
    assert isinstance(change, ModelChange)
    assert (change.threshold, change.applied, change.description) == (0.5, False, "the model was trained again")


def test_cues_that_know_more_are_scored_with_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, other, cues = Desk("door"), FakeScorer("after"), object()
    monkeypatch.setattr(session_module, "with_other_cues", lambda scorer, model: other if model is cues else None)
    desk.changes += [ModelUpdate(None, cues=cues), ModelUpdate(calibration(2.0))]  # type: ignore[arg-type]

    assert desk.session.on_cycle() is other
    assert desk.session.on_cycle() is other, "a later change goes on from the new scorer"

    first, second = desk.heard
    assert isinstance(first, ModelChange)
    assert isinstance(second, ModelChange)
    assert (first.applied, first.threshold, second.threshold) == (True, 0.5, 2.0)


def test_cues_that_look_at_something_else_leave_the_scorer_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk("door")
    monkeypatch.setattr(session_module, "with_other_cues", lambda scorer, model: None)
    desk.changes.append(ModelUpdate(None, cues=object()))  # type: ignore[arg-type]

    assert desk.session.on_cycle() is desk.scorer

    (change,) = desk.heard
    assert isinstance(change, ModelChange)
    assert not change.applied
    assert "restart watch" in change.description
