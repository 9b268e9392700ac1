import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.data.jpeg import from_jpeg, to_jpeg
from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.detection.events import Event, EventUpdate
from maskedskipunet.errors import ConfigError
from maskedskipunet.monitor.clips import ClipConfig, ClipCutter
from maskedskipunet.monitor.disk_space import DiskSpaceGuard
from maskedskipunet.monitor.ring import BufferedFrame, FrameRing
from maskedskipunet.records.completeness import is_complete_clip, is_complete_picture

RATE = 5
CONFIG = ClipConfig(before_s=1, after_s=1, longest_s=20)


def frame(number, *, height_px=32, width_px=48, time_s=None):
    """Its brightness tells its number."""
    image = np.full((height_px, width_px, 3), 2 * number % 250, np.uint8)
    return BufferedFrame(number / RATE if time_s is None else time_s, to_jpeg(image))


def update(phase, start_s=2.0, end_s=4.0, peak_s=3.0, event_id="a"):
    at = [round(time_s * RATE) for time_s in (start_s, end_s, peak_s)]
    return EventUpdate(phase, Event(event_id, "x", start_s, end_s, peak_s, *at, 0.5, 0.4, (), None))


@pytest.fixture
def cutter(tmp_path):
    disk_space = DiskSpaceGuard(tmp_path, keep_free_bytes=0)
    return ClipCutter(CONFIG, disk_space=disk_space)


def pass_by(cutter, numbers, **size):
    return [clip for number in numbers for clip in cutter.see(frame(number, **size))]


def numbers_in(path):
    """Which frames a clip shows."""
    return [round(float(shown.image.mean()) / 2) for shown in read_video(path)]


def test_a_clip_shows_its_event_with_some_seconds_before_and_after(cutter, tmp_path):
    path = tmp_path / "day" / "a.mp4"
    pass_by(cutter, range(14))
    cutter.follow(update("new", end_s=2.6), path)
    assert pass_by(cutter, range(14, 21)) == []
    cutter.follow(update("end"), path)
    assert not path.exists()
    (clip,) = pass_by(cutter, range(21, 40))
    assert (clip.event_id, clip.path) == ("a", path)
    assert numbers_in(path) == pytest.approx(range(5, 26), abs=1)
    assert is_complete_clip(path)
    assert [child.name for child in path.parent.iterdir()] == ["a.mp4"]


def test_a_picture_shows_the_peak_and_comes_anew_when_there_is_a_higher_one(cutter, tmp_path):
    pass_by(cutter, range(16))
    first = cutter.follow(update("new", peak_s=2.8), tmp_path / "a.mp4")
    assert is_whole_picture_bytes(first, tmp_path)
    assert from_jpeg(first).mean() == pytest.approx(28, abs=1)
    assert cutter.follow(update("update", peak_s=2.8), tmp_path / "a.mp4") is None
    pass_by(cutter, range(16, 26))
    assert from_jpeg(cutter.follow(update("update", peak_s=4.6), tmp_path / "a.mp4")).mean() == pytest.approx(46, abs=1)
    assert cutter.follow(update("end", peak_s=0.2), tmp_path / "a.mp4") is None  # it has left the ring


def is_whole_picture_bytes(content, folder):
    (folder / "p.jpg").write_bytes(content)
    return is_complete_picture(folder / "p.jpg")


def test_frames_are_shown_when_the_camera_did_over_gaps_too(cutter, tmp_path):
    pass_by(cutter, range(11))
    cutter.follow(update("new"), tmp_path / "a.mp4")
    pass_by(cutter, [11, 19, 20])
    cutter.follow(update("end"), tmp_path / "a.mp4")
    pass_by(cutter, [25, 26, 27])
    shown = [(round(one.time_s * RATE), round(float(one.image.mean()) / 2)) for one in read_video(tmp_path / "a.mp4")]
    assert shown == [(number - 5, pytest.approx(number, abs=1)) for number in (*range(5, 12), 19, 20, 25)]


def test_two_events_at_once_have_a_clip_each(cutter, tmp_path):
    pass_by(cutter, range(11))
    cutter.follow(update("new"), tmp_path / "a.mp4")
    cutter.follow(update("new", event_id="b"), tmp_path / "b.mp4")
    cutter.follow(update("end", event_id="b", end_s=2.2), tmp_path / "b.mp4")
    assert [clip.event_id for clip in pass_by(cutter, range(11, 20))] == ["b"]
    assert [clip.event_id for clip in cutter.close()] == ["a"]
    assert len(numbers_in(tmp_path / "a.mp4")) > len(numbers_in(tmp_path / "b.mp4"))


def test_an_event_without_end_has_a_clip_of_bounded_length(cutter, tmp_path):
    cutter.follow(update("new", start_s=0), tmp_path / "a.mp4")
    (clip,) = pass_by(cutter, range(120))
    assert len(numbers_in(clip.path)) <= 20 * RATE + 1


def test_a_stream_that_changes_its_size_ends_the_clip_with_what_there_is(cutter, tmp_path):
    pass_by(cutter, range(12))
    cutter.follow(update("new"), tmp_path / "a.mp4")
    (clip,) = pass_by(cutter, range(12, 14), height_px=64)
    assert clip.path is not None
    assert len(numbers_in(clip.path)) == 7


def test_odd_sizes_lose_a_row_and_a_column(cutter, tmp_path):
    pass_by(cutter, range(12), height_px=33, width_px=49)
    cutter.follow(update("new"), tmp_path / "a.mp4")
    cutter.close()
    assert {shown.image.shape for shown in read_video(tmp_path / "a.mp4")} == {(32, 48, 3)}


def test_a_full_disk_pauses_clips_says_so_once_and_goes_on_when_there_is_room(tmp_path, caplog):
    left = {"bytes": 10}
    disk_space = DiskSpaceGuard(tmp_path, keep_free_bytes=100, free=lambda _: left["bytes"])
    cutter = ClipCutter(CONFIG, disk_space=disk_space)
    pass_by(cutter, range(12))
    for name in "ab":
        assert cutter.follow(update("new", event_id=name), tmp_path / f"{name}.mp4")  # a picture all the same
    assert {(clip.event_id, clip.path) for clip in cutter.close()} == {("a", None), ("b", None)}
    left["bytes"] = 1000
    cutter.follow(update("new", event_id="c"), tmp_path / "c.mp4")
    assert [clip.path for clip in cutter.close()] == [tmp_path / "c.mp4"]
    assert (caplog.text.count("clips pause"), caplog.text.count("there is space again")) == (1, 1)
    assert [child.name for child in tmp_path.iterdir()] == ["c.mp4"]


def test_a_disk_that_fills_up_in_a_clip_leaves_nothing_of_it_and_frames_go_on(tmp_path, no_file_larger_than, caplog):
    now = {"s": 0.0}
    disk_space = DiskSpaceGuard(tmp_path, keep_free_bytes=0, retry_s=60, clock=lambda: now["s"])
    cutter = ClipCutter(CONFIG, disk_space=disk_space)
    rng = np.random.default_rng(0)

    def noise(number):
        return BufferedFrame(number / RATE, to_jpeg(rng.integers(0, 255, (64, 96, 3), np.uint8)))

    with no_file_larger_than(2000):
        cutter.follow(update("new", start_s=0), tmp_path / "a.mp4")
        finished = [clip for number in range(110) for clip in cutter.see(noise(number))]
    assert [(clip.event_id, clip.path) for clip in finished] == [("a", None)]
    assert [*tmp_path.iterdir()] == []
    assert "clips pause, no space left on the disk; scoring continues" in caplog.text
    assert not disk_space.has_space()
    now["s"] = 61
    cutter.follow(update("new", start_s=22, event_id="b"), tmp_path / "b.mp4")
    assert [clip.path for clip in cutter.close()] == [tmp_path / "b.mp4"]


sizes = st.lists(st.integers(1, 40), min_size=1, max_size=60)


@given(sizes, st.integers(1, 3000), st.floats(0.1, 10))
def test_a_ring_holds_no_more_than_stated_in_bytes_and_seconds(steps, max_bytes, seconds_s):
    ring, time_s = FrameRing(seconds_s=seconds_s, max_bytes=max_bytes), 0.0
    for number, step in enumerate(steps):
        time_s += step / 10
        ring.add(frame(number, height_px=4, width_px=4, time_s=time_s))
        kept = [*ring.since(float("-inf"))]
        assert sum(len(one.jpeg) for one in kept) == ring.size_bytes
        assert ring.size_bytes <= max_bytes or len(kept) == 1
        assert kept[0].time_s >= time_s - seconds_s
        assert kept[-1].time_s == time_s


def test_a_clock_that_jumps_back_begins_the_ring_anew():
    ring = FrameRing(seconds_s=10, max_bytes=10**6)
    for time_s in (5.0, 6.0, 1.0, 1.5):
        ring.add(frame(1, time_s=time_s))
    assert [kept.time_s for kept in ring.since(0)] == [1.0, 1.5]
    assert ring.nearest(9).time_s == 1.5


@pytest.mark.parametrize(
    "wrong", [{"before_s": -1}, {"after_s": float("nan")}, {"longest_s": 5, "before_s": 5}, {"memory_bytes": 0}]
)
def test_clips_that_cannot_be_are_refused(wrong):
    with pytest.raises(ConfigError):
        ClipConfig(**wrong)
