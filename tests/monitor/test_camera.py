"""A camera's connection through time, with a reader that does what it is told and a clock that is set by hand."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.errors import ConfigError
from maskedskipunet.monitor.camera import Camera, CameraFrame, ReconnectPolicy
from maskedskipunet.monitor.monitor_events import CameraState, Gap
from maskedskipunet.monitor.reader_process import ArrivedFrame, EndOfFile, ReadFailed

PATIENCE = ReconnectPolicy(first_s=20, stall_s=5, again_s=1, longest_s=30, good_s=60)


class Reader:
    descriptor = 0

    def __init__(self) -> None:
        self.coming: list[object] = []
        self.exit_reason = ""
        self.killed = False

    def messages(self) -> list[object]:
        came, self.coming = self.coming, []
        return came

    def ask_to_end(self) -> None:
        return

    def kill(self) -> None:
        self.killed = True


class Stage:
    """A camera, the readers it started, and its time."""

    def __init__(self, random_share: float = 0.0, reconnect_policy: ReconnectPolicy = PATIENCE) -> None:
        self.now_s = 1000.0
        self.readers: list[Reader] = []
        self.camera = Camera(
            "door", self._start, reconnect_policy, clock=lambda: self.now_s, random_share=lambda: random_share
        )

    def _start(self) -> Reader:
        self.readers.append(Reader())
        return self.readers[-1]

    def frame(self, index: int, time_s: float, *, dropped: int = 0, size: tuple[int, int] = (48, 64)) -> ArrivedFrame:
        return ArrivedFrame(index, time_s, np.zeros((3, 2, 2), np.uint8), 9.0, *size, None, self.now_s, dropped)

    def after(self, passed_s: float, *messages: object) -> list[object]:
        """What the camera tells when time has passed and these have come."""
        self.now_s += passed_s
        if self.readers:
            self.readers[-1].coming += messages
        return list(self.camera.step())

    def running(self) -> "Stage":
        self.after(0)
        self.after(0.1, self.frame(0, 0.0))
        return self


def told(event: list[object]) -> list[str]:
    return [one.condition if isinstance(one, CameraState) else type(one).__name__ for one in event]


def test_a_camera_connects_and_then_runs() -> None:
    stage = Stage()

    assert told(stage.after(0)) == ["connecting"]
    assert told(stage.after(0.5, stage.frame(0, 0.0), stage.frame(1, 0.1))) == ["running", "CameraFrame", "CameraFrame"]


def test_a_stall_is_judged_by_frames_and_not_by_a_process_that_lives() -> None:
    stage = Stage().running()

    assert told(stage.after(4.9)) == []
    (lost,) = stage.after(0.2)
    assert (lost.condition, lost.reason, lost.again_s) == ("lost", "no frame for 5.1 s", 1)
    assert stage.readers[0].killed


def test_a_first_frame_is_waited_for_longer_than_a_next_one() -> None:
    stage = Stage()
    stage.after(0)

    assert told(stage.after(19)) == []
    assert told(stage.after(2)) == ["lost"]


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (lambda reader: reader.coming.append(ReadFailed("the stream broke off")), "the stream broke off"),
        (
            lambda reader: setattr(reader, "exit_reason", "its process was ended by signal 11"),
            "its process was ended by signal 11",
        ),
    ],
)
def test_a_reader_that_ends_is_told_with_its_reason(happens: Callable[[Reader], None], reason: str) -> None:
    stage = Stage().running()
    happens(stage.readers[0])

    (lost,) = stage.after(0.1)
    assert (lost.condition, lost.reason) == ("lost", reason)


def test_frames_that_came_before_a_reader_died_are_given() -> None:
    stage = Stage().running()
    stage.readers[0].exit_reason = "its process ended"

    assert told(stage.after(0.1, stage.frame(1, 0.1))) == ["CameraFrame", "lost"]


def test_a_gap_is_an_entry_with_its_times_and_its_reason_and_index_and_time_go_on() -> None:
    stage = Stage().running()
    stage.after(0.1, stage.frame(1, 0.1))
    stage.after(0.1, ReadFailed("cut"))
    stage.after(1.0)
    stage.now_s += 8.8
    back = stage.after(0, stage.frame(0, 0.0), stage.frame(1, 0.1))

    assert told(back) == ["Gap", "running", "CameraFrame", "CameraFrame"]
    gap, _, first, second = back
    assert isinstance(gap, Gap)
    assert gap.reason == "cut"
    assert gap.end_unix_s - gap.start_unix_s == pytest.approx(10.0, abs=0.05)
    assert [(one.arrived.index, one.after_gap) for one in (first, second)] == [(2, True), (3, False)]
    assert [one.arrived.time_s for one in (first, second)] == pytest.approx([10.1, 10.2], abs=0.01)


def test_waits_grow_each_time_up_to_the_longest_and_anew_after_a_good_minute() -> None:
    stage = Stage()

    def lose() -> float:
        stage.after(0)
        (lost,) = stage.after(0.1, ReadFailed("away"))
        stage.now_s += lost.again_s
        return lost.again_s

    assert [lose() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    stage.running()
    for number in range(1, 31):
        stage.after(2, stage.frame(number, 2.0 * number))
    (lost,) = stage.after(0.1, ReadFailed("away"))
    assert lost.again_s == 1


def test_a_camera_that_comes_for_a_moment_only_is_still_tried_later_each_time() -> None:
    stage, waits = Stage(), []
    for _ in range(4):
        stage.running()
        (lost,) = stage.after(0.1, ReadFailed("away"))
        waits.append(lost.again_s)
        stage.now_s += lost.again_s

    assert waits == [1, 2, 4, 8]


@pytest.mark.parametrize("session_s", [3, 15, 55])
def test_a_camera_that_ends_each_session_and_is_back_at_once_is_asked_at_once_each_time(session_s: int) -> None:
    stage, waits = Stage(reconnect_policy=ReconnectPolicy()), []
    for _ in range(8):
        stage.running()
        for second in range(1, session_s + 1):
            stage.after(1, stage.frame(second, float(second)))
        (lost,) = stage.after(0.1, ReadFailed("the stream broke off"))
        waits.append(lost.again_s)
        stage.now_s += lost.again_s

    assert waits == [1] * 8


def test_a_camera_that_was_away_for_long_is_asked_at_once_after_its_first_good_session() -> None:
    stage = Stage(reconnect_policy=ReconnectPolicy())
    for _ in range(10):
        stage.after(0)
        (lost,) = stage.after(0.1, ReadFailed("away"))
        stage.now_s += lost.again_s
    assert lost.again_s == 60
    stage.running()
    for second in range(1, 16):
        stage.after(1, stage.frame(second, float(second)))
    (lost,) = stage.after(0.1, ReadFailed("the stream broke off"))

    assert lost.again_s == 1


@pytest.mark.parametrize("random_share", [0.0, 1.0])
def test_a_camera_that_refuses_the_login_is_asked_again_much_later(random_share: float) -> None:
    stage, waits = Stage(random_share, ReconnectPolicy()), []
    for _ in range(3):
        stage.after(0)
        (lost,) = stage.after(0.1, ReadFailed("401 Unauthorized", refused=True))
        waits.append(lost.again_s)
        assert stage.after(lost.again_s - 1) == []
        stage.now_s += 1

    assert waits == [600] * 3
    stage.after(0)
    (lost,) = stage.after(0.1, ReadFailed("away"))
    assert lost.again_s <= 60


@given(st.floats(0, 1), st.integers(1, 200))
def test_chance_shortens_a_wait_by_half_at_most(random_share: float, losses: int) -> None:
    stage = Stage(random_share)
    for number in range(losses):
        stage.after(0)
        (lost,) = stage.after(0.1, ReadFailed("away"))
        assert lost.again_s <= (full_s := min(30, 2.0**number)) <= 2 * lost.again_s + 1e-9
        assert full_s * (1 - random_share / 2) == pytest.approx(lost.again_s)
        stage.now_s += lost.again_s


def test_a_reader_that_cannot_be_started_is_tried_again() -> None:
    stage = Stage()

    def fail() -> Reader:
        raise OSError(11, "Resource temporarily unavailable")

    stage.camera._start = fail  # type: ignore[method-assign, assignment]
    event = stage.after(0)
    assert told(event) == ["connecting", "lost"]
    assert event[-1].reason == "it cannot be read (Resource temporarily unavailable)"


def test_a_file_at_its_end_is_ended_and_not_started_again() -> None:
    stage = Stage().running()

    assert told(stage.after(0.1, stage.frame(1, 0.1), EndOfFile())) == ["CameraFrame", "ended"]
    assert stage.camera.ended
    assert (stage.after(100), len(stage.readers)) == ([], 1)


def test_frames_lost_on_the_way_and_another_size_make_the_next_no_neighbour() -> None:
    stage = Stage().running()
    came = stage.after(
        0.1,
        stage.frame(1, 0.1),
        stage.frame(5, 0.5, dropped=3),
        stage.frame(6, 0.6, dropped=3),
        stage.frame(7, 0.7, dropped=3, size=(0, 0)),  # damaged
        stage.frame(8, 0.8, dropped=3),
        stage.frame(9, 0.9, dropped=3, size=(96, 128)),
        stage.frame(10, 1.0, dropped=3, size=(96, 128)),
    )

    after_gap = [one.arrived.index for one in came if isinstance(one, CameraFrame) and one.after_gap]
    assert after_gap == [5, 9]
    assert stage.camera.dropped == 3


@pytest.mark.parametrize("name", ["first_s", "stall_s", "again_s", "longest_s", "good_s", "refused_s"])
def test_waiting_for_no_time_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        ReconnectPolicy(**{name: 0})
