"""Watching from end to end: real processes, a real server on loopback, and the scores of the file."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskedskipunet.cli.watch import describe_event
from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.live.streams import LiveSource
from maskedskipunet.data.resizing import network_frame
from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.errors import ConfigError
from maskedskipunet.input_format import InputFormat
from maskedskipunet.monitor import rate, watching
from maskedskipunet.monitor.camera import CameraFrame, ReconnectPolicy
from maskedskipunet.monitor.monitor_events import (
    CameraState,
    Gap,
    Health,
    Load,
    MonitorEvent,
    ScoredFrame,
    event_to_dict,
)
from maskedskipunet.monitor.reader_process import ArrivedFrame
from maskedskipunet.monitor.watching import GATHER_S, CycleScorer, WatchConfig, WatchedCamera, watch
from maskedskipunet.scoring.ignored import IgnoredRegions
from maskedskipunet.scoring.scorer import Scorer

PATIENCE = ReconnectPolicy(first_s=120, stall_s=30, again_s=0.1, longest_s=0.2)
FORMAT = InputFormat(height_px=32, width_px=48)  # of the network that all tests share
NO_HURRY = WatchConfig(max_delay_s=300)


def live(place: object, **how: Any) -> LiveSource:
    return LiveSource(address=CameraAddress.parse(str(place)), open_s=100, read_s=100, **how)


class Heard:
    """Everything that was told, and when it is enough."""

    def __init__(self, patience_s: float = 240) -> None:
        self.events: list[MonitorEvent] = []
        self._until_s = time.monotonic() + patience_s

    def __call__(self, event: MonitorEvent) -> None:
        self.events.append(event)

    def of(self, kind: type[Any], camera: str = "a") -> list[Any]:
        return [one for one in self.events if isinstance(one, kind) and one.camera == camera]

    def scores(self, camera: str = "a") -> list[float | None]:
        return [one.frame.score for one in self.of(ScoredFrame, camera)]

    def until(self, enough: Callable[[], bool]) -> Callable[[], bool]:
        def should_continue() -> bool:
            assert time.monotonic() < self._until_s, f"in vain, having heard {self.events[-5:]}"
            return not enough()

        return should_continue


@pytest.fixture(scope="module")
def of_file(footage: Path, network: Any, how: Any) -> list[float | None]:
    return [one.score for one in Scorer(network, how).score(read_video(footage))]


def assert_same(found: list[float | None], expected: list[float | None]) -> None:
    assert [score is None for score in found] == [score is None for score in expected]
    kept = [score for score in found if score is not None]
    np.testing.assert_allclose(kept, [score for score in expected if score is not None], rtol=1e-5)


def test_cameras_of_several_kinds_share_the_network_and_get_the_scores_of_the_file(
    rtsp: Callable[..., Any], footage: Path, network: Any, of_file: list[float | None]
) -> None:
    server, heard = rtsp(footage, speed=4, login="me:hunter2"), Heard()
    cameras = {"file": live(footage, speed=4), "stream": live(server.url)}
    # The last picture of a stream that goes on is known to be whole only when the next one begins.
    enough = heard.until(
        lambda: len(heard.of(ScoredFrame, "stream")) >= 38 and len(heard.of(ScoredFrame, "file")) == 40
    )
    watch(cameras, Scorer(network, FORMAT), heard, config=NO_HURRY, reconnect_policy=PATIENCE, should_continue=enough)

    assert_same(heard.scores("file"), of_file)
    assert_same(heard.scores("stream")[1:38], of_file[1:38])
    assert [one.condition for one in heard.of(CameraState, "file")] == ["connecting", "running", "ended"]
    assert [one.frame.index for one in heard.of(ScoredFrame, "file")] == [*range(40)]
    assert all(one.delay_s > 0 for one in heard.of(ScoredFrame, "file"))
    assert sum(one.frames for one in heard.of(Load, "file")) == 40
    assert sum(one.scored for one in heard.of(Load, "file")) == 38
    assert "hunter2" not in repr([*heard.events, *map(event_to_dict, heard.events)])


def test_what_a_camera_ignores_gives_no_score_and_a_camera_that_ignores_all_stops_no_other(
    footage: Path, network: Any
) -> None:
    heard = Heard()
    cameras = {"a": live(footage, speed=20), "blind": live(footage, speed=20)}
    # In percent only a part; in pixels of this camera's pictures, all there is.
    shapes = {"a": ("0%,0%,100%,60%",), "blind": ("0,0,64,48",)}
    ignored = {name: IgnoredRegions.of(replace(FORMAT, ignore=ignore)) for name, ignore in shapes.items()}
    config = WatchConfig(max_delay_s=300, with_maps=True)
    watch(cameras, Scorer(network, FORMAT), heard, ignored=ignored, config=config, reconnect_policy=PATIENCE)

    how = replace(FORMAT, ignore=shapes["a"])
    assert_same(heard.scores(), [one.score for one in Scorer(network, how).score(read_video(footage))])
    assert all((one.frame.map[:19] == 0).all() for one in heard.of(ScoredFrame) if one.frame.map is not None)
    assert heard.of(ScoredFrame, "blind") == []
    told = heard.of(CameraState, "blind")[-1]
    assert (told.condition, told.reason) == (
        "ended",
        "all of its frames of 64x48 is ignored, nothing is left to look at",
    )


def test_a_camera_of_fewer_frames_a_second_than_the_model_was_trained_at_is_told_of_once(
    footage: Path, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate, "INTERVAL_S", 1.0)
    heard = Heard()
    cameras = {"a": live(footage, speed=20), "b": live(footage, speed=20)}
    watch(
        cameras, Scorer(network, FORMAT), heard, config=replace(NO_HURRY, expected_fps=25.0), reconnect_policy=PATIENCE
    )

    (slow,) = heard.of(Health, "a")
    assert (slow.fault, slow.present) == ("slow", True)
    assert describe_event(slow).startswith(
        "a: slow, the camera gives 10 frames a second, but the model expects 25: a clip spans 2.5 times"
    )
    assert len(heard.of(Health, "b")) == 1


@pytest.mark.parametrize("fault", ["cut_at", "pause_at"])
def test_a_stream_cut_off_or_stalled_is_taken_up_again_with_a_gap_and_the_files_scores(
    fault: str, rtsp: Callable[..., Any], footage: Path, network: Any, of_file: list[float | None]
) -> None:
    server, heard = rtsp(footage, speed=4), Heard()
    setattr(server, fault, 20)
    reconnect_policy = ReconnectPolicy(first_s=120, stall_s=4, again_s=0.1, longest_s=0.2)

    def hear(event: MonitorEvent) -> None:
        heard(event)
        if isinstance(event, CameraState) and event.condition == "lost":
            setattr(server, fault, None)
            server.paused.clear()

    enough = heard.until(lambda: bool(heard.of(Gap)) and len(heard.of(ScoredFrame)) >= 50)
    watch(
        {"a": live(server.url)},
        Scorer(network, FORMAT),
        hear,
        config=NO_HURRY,
        reconnect_policy=reconnect_policy,
        should_continue=enough,
    )

    (gap,) = heard.of(Gap)
    assert gap.end_unix_s > gap.start_unix_s
    assert gap.reason
    conditions = [one.condition for one in heard.of(CameraState)]
    assert conditions == ["connecting", "running", "lost", "connecting", "running"]
    found = heard.of(ScoredFrame)
    before = [one for one in found if one.unix_s <= gap.start_unix_s + 1e-3]
    again = found[len(before) :]
    assert 18 <= len(before) <= 20
    assert_same([one.frame.score for one in before], [*of_file[: len(before) - 1], None])
    assert_same([one.frame.score for one in again][:20], of_file[:20])  # the server begins anew
    assert [one.frame.index for one in found] == [*range(len(found))]
    times_s = [one.frame.time_s for one in found]
    assert times_s == sorted(set(times_s))


def test_what_cannot_be_kept_up_with_is_skipped_evenly_and_counted_and_no_delay_grows(
    footage: Path, network: Any, of_file: list[float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow:
        """The network on a machine that takes its time for each clip."""

        def __getattr__(self, name: str) -> Any:
            return getattr(network, name)

        def reconstruct_runs(self, runs: Any, *size: int) -> Any:
            time.sleep(0.4 * sum(len(run[0]) - network.clip_length + 1 for run in runs))
            return network.reconstruct_runs(runs, *size)

    heard = Heard()
    source = live(footage)  # four seconds of ten frames a second, of which some two a second can be scored
    watch({"a": source}, Scorer(Slow(), FORMAT), heard, config=WatchConfig(max_delay_s=1), reconnect_policy=PATIENCE)  # type: ignore[arg-type]

    found, loads = heard.of(ScoredFrame), heard.of(Load)
    assert sum(load.skipped for load in loads) == sum(one.skipped for one in found) > 10
    assert sum(load.frames for load in loads) == len(found)
    assert len(found) + sum(load.dropped for load in loads) == 40
    scored = [one for one in found if one.frame.score is not None]
    assert scored
    for one in scored:
        assert one.frame.score == pytest.approx(of_file[one.frame.index], rel=1e-5)


def test_frames_that_came_damaged_are_counted_and_give_no_score(
    rtsp: Callable[..., Any], footage: Path, network: Any, of_file: list[float | None]
) -> None:
    server, heard = rtsp(footage, speed=4), Heard()
    server.loses = lambda at, place: at == 14
    enough = heard.until(lambda: len(heard.of(ScoredFrame)) >= 37)
    watch(
        {"a": live(server.url)},
        Scorer(network, FORMAT),
        heard,
        config=NO_HURRY,
        reconnect_policy=PATIENCE,
        should_continue=enough,
    )

    scores = {round(one.frame.time_s * 10): one.frame.score for one in heard.of(ScoredFrame)}
    assert all(scores.get(at) is None for at in range(14, 21))
    assert_same([scores[at] for at in range(21, 36)], of_file[21:36])
    assert sum(one.damaged for one in heard.of(Load)) in (5, 6)
    assert "damaged in transit" in describe_event(next(one for one in heard.of(Load) if one.damaged))


def test_a_camera_that_refuses_the_login_is_asked_once_and_not_again_soon(
    rtsp: Callable[..., Any], footage: Path, network: Any
) -> None:
    server, heard = rtsp(footage, login="me:hunter2"), Heard()
    wrong = live(server.url.replace("hunter2", "hunter3"))
    enough = heard.until(lambda: bool(heard.of(CameraState)) and heard.of(CameraState)[-1].condition == "lost")
    watch(
        {"a": wrong}, Scorer(network, FORMAT), heard, config=NO_HURRY, reconnect_policy=PATIENCE, should_continue=enough
    )

    lost = heard.of(CameraState)[-1]
    assert (lost.reason, lost.again_s) == ("cannot open the stream (401 Unauthorized)", 600)
    assert server.logins == 1


def test_a_file_that_breaks_off_is_not_played_again_and_another_goes_on(
    footage: Path, network: Any, tmp_path: Path
) -> None:
    words = tmp_path / "words.mp4"
    words.write_text("no video")
    heard = Heard()
    cameras = {"a": live(footage, speed=50), "b": live(words)}
    watch(cameras, Scorer(network, FORMAT), heard, config=NO_HURRY, reconnect_policy=PATIENCE)

    assert len(heard.of(ScoredFrame)) == 40
    assert [one.condition for one in heard.of(CameraState, "b")] == ["connecting", "ended"]
    assert "cannot open the video" in heard.of(CameraState, "b")[-1].reason


def children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_listener_that_fails_ends_the_watching_and_no_process_is_left(footage: Path, network: Any) -> None:
    def hear(event: MonitorEvent) -> None:
        if isinstance(event, ScoredFrame):
            raise ValueError("full")

    with pytest.raises(ValueError, match="full"):
        watch({"a": live(footage)}, Scorer(network, FORMAT), hear, config=NO_HURRY, reconnect_policy=PATIENCE)
    assert not any(b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children(os.getpid()))


READS_ALONE = """
import sys, time
from maskedskipunet.data.addresses import CameraAddress
from maskedskipunet.data.live.streams import LiveSource
from maskedskipunet.monitor.camera import Camera, CameraFrame, ReconnectPolicy, ReaderProcess
from maskedskipunet.monitor.reader_process import ReaderConfig

def main():
    source = LiveSource(address=CameraAddress.parse(sys.argv[1]), open_s=200, read_s=200)
    config = ReaderConfig(source=source, height_px=32, width_px=48, channels=3, max_wait_s=5)
    camera = Camera("a", lambda: ReaderProcess("a", config), ReconnectPolicy(first_s=200, stall_s=200))
    while True:
        if any(isinstance(event, CameraFrame) for event in camera.step()):
            print("frame", flush=True)
        time.sleep(0.01)

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("stalled", [False, True])
def test_a_watching_process_that_is_killed_leaves_no_child_behind(
    stalled: bool, rtsp: Callable[..., Any], footage: Path, tmp_path: Path, make: Any
) -> None:
    server = rtsp(footage)
    server.pause_at = 20 if stalled else None  # then the child waits inside the library, and sends nothing
    script = tmp_path / "reads.py"
    script.write_text(READS_ALONE)
    parent = subprocess.Popen([sys.executable, str(script), server.url], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    try:
        assert parent.stdout.readline() == "frame\n"
        if stalled:
            make.wait_until(server.paused.is_set)
        left = children(parent.pid)
        assert left
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    make.wait_until(lambda: not any(map(is_alive, left)))


def test_a_child_that_is_killed_is_told_as_lost_and_started_again(
    rtsp: Callable[..., Any], footage: Path, network: Any
) -> None:
    server, heard, killed = rtsp(footage, speed=2), Heard(), []

    def hear(event: MonitorEvent) -> None:
        heard(event)
        if isinstance(event, ScoredFrame) and not killed:
            for pid in children(os.getpid()):
                if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    killed.append(pid)
                    os.kill(pid, signal.SIGKILL)

    enough = heard.until(lambda: bool(heard.of(Gap)))
    watch(
        {"a": live(server.url)},
        Scorer(network, FORMAT),
        hear,
        config=NO_HURRY,
        reconnect_policy=PATIENCE,
        should_continue=enough,
    )

    assert len(killed) == 1
    assert heard.of(Gap)[0].reason == "its process was ended by signal 9"


def test_no_address_is_in_a_list_of_processes(rtsp: Callable[..., Any], footage: Path, network: Any) -> None:
    server, heard, seen = rtsp(footage, speed=2, login="me:hunter2"), Heard(), []

    def hear(event: MonitorEvent) -> None:
        heard(event)
        seen.extend(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children(os.getpid()))

    enough = heard.until(lambda: bool(heard.of(ScoredFrame)))
    watch(
        {"a": live(server.url)},
        Scorer(network, FORMAT),
        hear,
        config=NO_HURRY,
        reconnect_policy=PATIENCE,
        should_continue=enough,
    )

    assert any(b"spawn_main" in line for line in seen)
    assert not any(b"hunter2" in line or b"rtsp" in line for line in seen)


def test_a_camera_that_is_away_does_not_hold_up_another(footage: Path, network: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    heard = Heard()
    cameras = {"a": live(f"rtsp://127.0.0.1:{port}/x"), "b": live(footage, speed=4)}
    enough = heard.until(lambda: len(heard.of(ScoredFrame, "b")) == 40)
    watch(cameras, Scorer(network, FORMAT), heard, config=NO_HURRY, reconnect_policy=PATIENCE, should_continue=enough)

    assert not heard.of(ScoredFrame)


def test_no_camera_at_all_is_refused(network: Any) -> None:
    with pytest.raises(ConfigError, match="no camera to watch"):
        watch({}, Scorer(network, FORMAT), lambda event: None)


def test_a_turn_gets_past_frames_that_are_left_out_and_takes_as_many_others_as_pay(network: Any) -> None:
    one = WatchedCamera(Never(), Scorer(network, FORMAT), stagger=0, ignored=IgnoredRegions((), 32, 48))  # type: ignore[arg-type]
    pixels = np.zeros((3, 32, 48), np.uint8)
    for index in range(60):
        arrived = ArrivedFrame(index, index / 10, pixels, 0.0, 32, 48, None, time.monotonic(), 0)
        one.waiting.append(CameraFrame(arrived, after_gap=index == 0))

    taken = one.take_batch(size=6, every=10, earliest_s=0.0)

    needed = [sized.frame.index for sized in taken.frames if sized.pixels is not None]
    assert needed == [0, 1, 9, 10, 11, 19]
    assert [sized.frame.index for sized in taken.frames] == [*range(20)]


@pytest.mark.parametrize("together", [1, 3, 20])
def test_no_clip_spans_frames_that_were_lost(together: int, network: Any, make: Any) -> None:
    scorer, heard, camera = Scorer(network, FORMAT), Heard(), Gives()
    one = WatchedCamera(camera, scorer, stagger=0, ignored=IgnoredRegions((), 32, 48))  # type: ignore[arg-type]
    cycles = CycleScorer(scorer, NO_HURRY, heard)
    images = make.pictures(12, height_px=32, width_px=48)
    parts = [range(5), range(8, 12)]  # between them three were lost
    came = [camera_frame(at, images[at], after_gap=at == part.start) for part in parts for at in part]

    for first in range(0, len(came), together):
        camera.coming = came[first : first + together]
        one.poll(heard)
        while one.waiting:
            cycles.score_cycle([one])
    one.stop_scoring()
    cycles.score_cycle([one])

    alone = [[*scorer.score(Frame(at, at / 10, images[at]) for at in part)] for part in parts]
    assert [score.score is None for score in alone[1]] == [True, False, False, True]
    assert [event.frame.index for event in heard.of(ScoredFrame)] == [at for part in parts for at in part]
    assert_same(heard.scores(), [score.score for part in alone for score in part])


@pytest.mark.parametrize("condition", ["lost", "ended"])
def test_a_camera_that_gives_no_more_has_all_its_scores_before_that_is_said(condition: Any, network: Any) -> None:
    scorer, heard, camera = Scorer(network, FORMAT), Heard(), Gives()
    one = WatchedCamera(camera, scorer, stagger=0, ignored=IgnoredRegions((), 32, 48))  # type: ignore[arg-type]
    cycles = CycleScorer(scorer, NO_HURRY, heard)
    image = np.zeros((32, 48, 3), np.uint8)
    camera.coming = [*(camera_frame(at, image, after_gap=at == 0) for at in range(4)), CameraState("a", condition, 0.0)]

    one.poll(heard)
    while one.waiting:
        cycles.score_cycle([one])

    assert [score is None for score in heard.scores()] == [True, False, False, True]
    assert [type(event) for event in heard.events] == [ScoredFrame] * 4 + [CameraState]


def test_each_report_counts_what_came_since_the_one_before_it(network: Any) -> None:
    scorer, heard, camera = Scorer(network, FORMAT), Heard(), Gives()
    one = WatchedCamera(camera, scorer, stagger=0, ignored=IgnoredRegions((), 32, 48))  # type: ignore[arg-type]
    cycles = CycleScorer(scorer, NO_HURRY, heard)
    image = np.zeros((32, 48, 3), np.uint8)

    for first, dropped_in_all in ((0, 3), (4, 3), (8, 5)):
        camera.dropped = dropped_in_all
        camera.coming = [camera_frame(at, image, after_gap=at == 0) for at in range(first, first + 4)]
        one.poll(heard)
        while one.waiting:
            cycles.score_cycle([one])
        cycles.report([one])
    cycles.report([one])

    counted = [(load.frames, load.scored, load.dropped) for load in heard.of(Load)]
    assert counted == [(4, 2, 3), (4, 4, 0), (4, 4, 2), (0, 0, 0)]


@pytest.mark.parametrize(("took_s", "longest_s"), [(5.0, GATHER_S), (0.04, 0.04)])
def test_a_frame_waits_for_others_no_longer_than_a_turn_takes_nor_than_a_bound(
    took_s: float, longest_s: float, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = HandClock()
    monkeypatch.setattr(watching, "time", clock)

    class Slow:
        """The network on a machine that takes its time for each batch of frames."""

        def __getattr__(self, name: str) -> Any:
            return getattr(network, name)

        def encode(self, frames: Any) -> Any:
            clock.now_s += took_s
            return network.encode(frames)

    scorer, cameras = Scorer(Slow(), FORMAT), (Gives(), Gives())  # type: ignore[arg-type]
    watched = [
        WatchedCamera(camera, scorer, stagger=0, ignored=IgnoredRegions((), 32, 48))  # type: ignore[arg-type]
        for camera in cameras
    ]
    cycles = CycleScorer(scorer, NO_HURRY, lambda event: None)
    image = np.zeros((32, 48, 3), np.uint8)

    def come(camera: int, *events: Any) -> None:
        cameras[camera].coming = [*events] or [camera_frame(0, image, arrived_s=clock.now_s)]
        watched[camera].poll(lambda event: None)

    come(0)
    assert cycles.wait_s(watched) <= 0  # how long a turn takes is not known yet
    cycles.score_cycle(watched)
    assert cycles.wait_s(watched) == 0  # nothing waits
    come(0)
    assert cycles.wait_s(watched) == pytest.approx(longest_s)
    clock.now_s += 0.03
    come(1)
    assert cycles.wait_s(watched) == pytest.approx(longest_s - 0.03)  # the oldest frame counts
    clock.now_s += longest_s - 0.03 + 1e-6
    assert cycles.wait_s(watched) <= 0
    cycles.score_cycle(watched)
    come(1)
    come(1, CameraState("a", "lost", 0.0))
    assert cycles.wait_s(watched) == 0  # what is no frame is told at once
    cycles.score_cycle(watched)
    for _ in range(scorer.batch_size):
        come(0)
    assert cycles.wait_s(watched) == 0  # they fill a batch


def camera_frame(index: int, image: Any, *, after_gap: bool = False, arrived_s: float | None = None) -> CameraFrame:
    """A frame as a camera's process sends it, of the size that the network looks at."""
    pixels = network_frame(image, height_px=32, width_px=48, channels=3)
    when_s = time.monotonic() if arrived_s is None else arrived_s
    return CameraFrame(ArrivedFrame(index, index / 10, pixels, 0.0, 32, 48, None, when_s, 0), after_gap)


class HandClock:
    """The time, which passes where a test says so."""

    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def time(self) -> float:
        return self.now_s


class Gives:
    """A camera that gives what is coming."""

    name, ended, dropped = "a", False, 0

    def __init__(self) -> None:
        self.coming: list[Any] = []

    def step(self) -> list[Any]:
        came, self.coming = self.coming, []
        return came


class Never:
    """A camera that gives nothing."""

    name = "a"
