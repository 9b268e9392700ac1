"""What a watch keeps for those who look on: curves, a small picture, how each camera is; and it never waits for it."""

import time

import numpy as np
import pytest

from maskedskipunet.data.jpeg import from_jpeg, to_jpeg
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.errors import DiskSpaceError
from maskedskipunet.monitor import live_writer
from maskedskipunet.monitor.live_writer import LiveWriter
from maskedskipunet.monitor.monitor_events import CameraState, ScoredFrame
from maskedskipunet.records.curve_files import CurveFiles
from maskedskipunet.records.curves import ScoreCurves
from maskedskipunet.records.live import LiveFolder

from .conftest import wait_until

BEGAN_UNIX_S = 1_772_355_600.0


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name, value in (("TICK_S", 0.01), ("STATE_S", 0.0), ("PICTURE_S", 0.0), ("UNSEEN_S", 0.0)):
        monkeypatch.setattr(live_writer, name, value)


def scored(number, camera="door", score=0.25, picture=None, skipped=False):
    frame = FrameScore(number, number / 5, None if skipped else score, None)
    return ScoredFrame(camera, frame, BEGAN_UNIX_S + number / 5, 0.125, skipped, 48, 64, picture)


def jpeg(brightness=90, height_px=720, width_px=1280):
    return to_jpeg(np.full((height_px, width_px, 3), brightness, np.uint8))


def writer(tmp_path, **settings):
    settings = {"threshold": {"door": 0.5, "yard": None}.get, "keep_free_bytes": 0} | settings
    return LiveWriter(tmp_path, {"door": "rtsp://10.0.0.5/x", "yard": "usb:0"}, **settings)


def test_the_curve_of_each_camera_is_kept_with_the_threshold_that_holds(tmp_path):
    with writer(tmp_path) as tell:
        for number in range(20):
            tell(scored(number, score=number / 100))
            tell(scored(number, "yard", score=0.9))
    curves = ScoreCurves(tmp_path / "curves")
    door = curves.read("door", BEGAN_UNIX_S, BEGAN_UNIX_S + 4)
    assert door.frames.tolist() == [5] * 4
    np.testing.assert_allclose(door.highest, [0.04, 0.09, 0.14, 0.19], rtol=1e-6)
    assert door.threshold.tolist() == [0.5] * 4
    yard = curves.read("yard", BEGAN_UNIX_S, BEGAN_UNIX_S + 4)
    assert np.isnan(yard.threshold).all()


def test_the_last_seconds_are_there_while_watching_goes_on(tmp_path):
    curves = ScoreCurves(tmp_path / "curves")
    with writer(tmp_path) as tell:
        for number in range(11):
            tell(scored(number))
        wait_until(lambda: curves.read("door", BEGAN_UNIX_S, BEGAN_UNIX_S + 4).frames.sum() == 10, 10.0)


def test_how_each_camera_is_stands_in_the_live_folder_with_a_small_picture(tmp_path):
    live = LiveFolder(tmp_path / "live")
    with writer(tmp_path) as tell:
        tell(CameraState("door", "running", 1.0))
        tell(CameraState("yard", "lost", 1.0, "refused", 1.0))
        for number in range(10):
            tell(scored(number, picture=jpeg(), skipped=number % 2 == 1))
        wait_until(lambda: live.state().cameras and live.state().cameras["door"].picture_unix_s, 10.0)
        now = live.state()
        assert abs(time.time() - now.written_unix_s) < 10
        assert [*now.cameras] == ["door", "yard"]
    door, yard = live.state().cameras.values()
    assert (door.condition, door.score, door.threshold, door.delay_s) == ("running", 0.25, 0.5, 0.125)
    assert door.frame_unix_s == door.picture_unix_s == BEGAN_UNIX_S + 9 / 5
    assert (door.frames_per_s, door.scored_per_s, door.skipped_per_s, door.is_behind) == (2.0, 1.0, 1.0, True)
    assert (yard.condition, yard.score, yard.picture_unix_s, yard.is_behind) == ("lost", None, None, False)
    picture = live.picture("door")
    assert picture is not None
    assert from_jpeg(picture).shape == (360, 640, 3)
    assert abs(int(from_jpeg(picture).mean()) - 90) < 4
    assert live.picture("yard") is None


def test_pictures_come_often_only_while_somebody_looks(tmp_path, monkeypatch):
    monkeypatch.setattr(live_writer, "UNSEEN_S", 1000.0)
    live = LiveFolder(tmp_path / "live")
    with writer(tmp_path) as tell:
        tell(scored(0, picture=jpeg(50)))
        wait_until(lambda: live.picture_path("door").exists(), 10.0)
        (tmp_path / "live" / ".asked").unlink(missing_ok=True)
        tell(scored(1, picture=jpeg(200)))
        time.sleep(0.1)
        assert int(from_jpeg(live.picture_path("door").read_bytes()).mean()) < 60
        LiveFolder(tmp_path / "live").picture("door")  # somebody looks
        wait_until(lambda: from_jpeg(live.picture_path("door").read_bytes()).mean() > 190, 10.0)


def test_no_picture_is_written_where_the_disk_is_nearly_full_and_curves_go_on(tmp_path):
    with writer(tmp_path, keep_free_bytes=10**18) as tell:
        for number in range(11):
            tell(scored(number, picture=jpeg()))
    assert not LiveFolder(tmp_path / "live").picture_path("door").exists()
    assert ScoreCurves(tmp_path / "curves").read("door", BEGAN_UNIX_S, BEGAN_UNIX_S + 4).frames.sum() == 11


def test_a_disk_that_is_full_for_a_while_is_said_once_and_loses_no_score(tmp_path, monkeypatch, caplog):
    append, there = CurveFiles._append, {"room": False}

    def no_room(self, path, content):
        if not there["room"]:
            raise DiskSpaceError("no space left on the disk", str(path), "Free some space")
        append(self, path, content)

    monkeypatch.setattr(CurveFiles, "_append", no_room)
    with writer(tmp_path) as tell:
        for number in range(30):
            tell(scored(number))
        wait_until(lambda: "the score curve of door cannot be written" in caplog.text, 10.0)
        time.sleep(0.05)
        there["room"] = True
    assert caplog.text.count("cannot be written") == 1
    assert ScoreCurves(tmp_path / "curves").read("door", BEGAN_UNIX_S, BEGAN_UNIX_S + 6).frames.sum() == 30


def test_a_picture_that_is_none_ends_nothing(tmp_path, caplog):
    live = LiveFolder(tmp_path / "live")
    with writer(tmp_path) as tell:
        tell(scored(0, picture=b"no picture"))
        wait_until(lambda: "the live picture of door cannot be written (UnidentifiedImageError)" in caplog.text, 10.0)
        tell(scored(6, picture=jpeg(70)))
        wait_until(lambda: live.picture_path("door").exists(), 10.0)


def test_a_thread_that_hangs_holds_up_no_frame_and_memory_stays_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(live_writer, "MAX_WAITING", 100)
    tell = writer(tmp_path)  # its thread is not begun, as if it hung
    for number in range(1000):
        tell(scored(number, picture=b"x"))
    assert len(tell._frames) == 100
    assert len(tell._pictures) == 1


def test_pictures_of_cameras_that_are_no_longer_watched_go_at_the_next_start(tmp_path):
    live = LiveFolder(tmp_path / "live")
    live.write_picture("old door", b"x")
    live.write_picture("door", b"y")
    with writer(tmp_path):
        pass
    assert [path.name for path in (tmp_path / "live").glob("*.jpg")] == ["door.jpg"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"cameras": {"door": {"condition": 3}}}', b"\xff" * 9, b"null"]
)
def test_a_state_that_is_damaged_is_no_state(tmp_path, content):
    live = LiveFolder(tmp_path / "live")
    assert live.state().cameras == {}
    live.folder.mkdir()
    (live.folder / "state.json").write_bytes(content)
    assert live.state().cameras == {}
