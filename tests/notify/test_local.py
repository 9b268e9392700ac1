"""Sinks of this machine: lines, a folder, figures."""

import io
import json
import urllib.request

import pytest

from maskedskipunet.notify.clip_folder import ClipFolderSink
from maskedskipunet.notify.lines import LineSink
from maskedskipunet.notify.metrics import MetricsSink
from maskedskipunet.notify.sink import Attachments, RetryLaterError
from maskedskipunet.records.outbox import QueueCount

from .conftest import PICTURE, delivery

NONE = Attachments()


def test_each_message_is_a_line_of_json():
    stream = io.StringIO()
    sink = LineSink(stream)
    told = delivery(message={"camera": "a\nb"})
    sink.send(told, NONE)
    sink.send(told, NONE)
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [told.message] * 2


def test_lines_that_nobody_reads_wait():
    stream = io.StringIO()
    stream.close()
    with pytest.raises(RetryLaterError, match="nobody reads the lines"):
        LineSink(stream).send(delivery(), NONE)


def test_a_folder_gets_copies_under_names_that_sort_by_time_and_may_get_them_again(tmp_path):
    clip, picture = tmp_path / "a.mp4", tmp_path / "a.jpg"
    clip.write_bytes(b"clip")
    picture.write_bytes(PICTURE)
    sink = ClipFolderSink(tmp_path / "out")
    told = delivery(message={"camera": "../front door"})
    for _ in range(2):
        sink.send(told, Attachments(clip, picture))
    found = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert [name.rpartition("_")[2] for name in found] == ["a.jpg", "a.json", "a.mp4"]
    assert all(name.startswith("2026-03-01T090000____front_door-") for name in found)
    assert (tmp_path / "out" / found[2]).read_bytes() == b"clip"


def test_a_folder_that_cannot_be_written_to_is_away(tmp_path, no_file_larger_than):
    (tmp_path / "file").write_text("hello")
    with pytest.raises(RetryLaterError, match="cannot write to the folder"):
        ClipFolderSink(tmp_path / "file").send(delivery(), NONE)
    picture = tmp_path / "a.jpg"
    picture.write_bytes(bytes(5000))
    with no_file_larger_than(1000), pytest.raises(RetryLaterError, match="no space left on the disk"):
        ClipFolderSink(tmp_path / "out").send(delivery(), Attachments(picture=picture))
    assert [*(tmp_path / "out").iterdir()] == []


def test_a_state_of_a_camera_is_a_file_and_a_figure(tmp_path):
    message = {"kind": "state", "state": "dark", "detail": "contrast 2 of 255"}
    folder = ClipFolderSink(tmp_path)
    sink = MetricsSink(host="127.0.0.1", port=0, queues=dict)
    try:
        for phase in ("new", "end"):
            told = delivery(event_id="state-1", phase=phase, message=message)
            folder.send(told, NONE)
            sink.send(told, NONE)
            with urllib.request.urlopen(f"http://127.0.0.1:{sink.port}/metrics", timeout=60) as answer:
                figures = answer.read().decode()
            lasts = 1.0 if phase == "new" else 0.0
            assert f'maskedskipunet_camera_state{{camera="door",state="dark"}} {lasts}' in figures
            assert "maskedskipunet_events_total{" not in figures
    finally:
        sink.close()
    (path,) = tmp_path.iterdir()
    assert path.name == "2026-03-01T090000_door_state-1.json"
    assert json.loads(path.read_text())["state"] == "dark"


def test_figures_are_served_on_loopback_until_the_sink_is_closed():
    sink = MetricsSink(host="127.0.0.1", port=0, queues=lambda: {"hook": QueueCount(waiting=3, delivered=5)})
    try:
        sink.send(delivery(), NONE)
        sink.frame_scored("door", 0.25, 0.5)
        sink.frames_skipped("door", 4)
        sink.camera_running("door", True)
        sink.camera_running("yard", False)
        with urllib.request.urlopen(f"http://127.0.0.1:{sink.port}/metrics", timeout=60) as answer:
            told = answer.read().decode()
    finally:
        sink.close()
    for line in (
        'maskedskipunet_events_total{camera="door",phase="new"} 1.0',
        'maskedskipunet_frames_skipped_total{camera="door"} 4.0',
        'maskedskipunet_camera_running{camera="door"} 1.0',
        'maskedskipunet_camera_running{camera="yard"} 0.0',
        'maskedskipunet_score{camera="door"} 0.25',
        'maskedskipunet_delay_seconds{camera="door"} 0.5',
        'maskedskipunet_deliveries{sink="hook",status="waiting"} 3.0',
    ):
        assert line in told
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{sink.port}/metrics", timeout=60)
