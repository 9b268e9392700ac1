"""Score curves: what is written is read at any span, however the writer ended, and what is old or too much goes."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from maskedskipunet.errors import DiskSpaceError, RecordsError
from maskedskipunet.records import curve_files
from maskedskipunet.records.checking import check
from maskedskipunet.records.curve_files import ENTRY, SPANS_S, CurveFiles, entries_of, folder_name, reduced
from maskedskipunet.records.curve_writer import CurveWriter
from maskedskipunet.records.curves import ScoreCurves
from maskedskipunet.records.pruning import Retention, prune
from maskedskipunet.records.store import Records

BEGAN_UNIX_S = 1_772_355_600  # 09:00:00 of a day


@pytest.fixture
def curves(tmp_path):
    return ScoreCurves(tmp_path / "curves")


def write(curves, times, scores, threshold=0.5, camera="door", *, close=True):
    writer = CurveWriter(curves.of(camera))
    for time, score in zip(times, scores, strict=True):
        writer.add(time, score, threshold)
    writer.close() if close else writer.write()
    return writer


def scores_of(count, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, count)


def test_each_second_is_kept_with_its_lowest_mean_and_highest_score_the_threshold_and_the_number_of_frames(curves):
    times = BEGAN_UNIX_S + np.arange(20) / 4
    write(curves, times, scores := scores_of(20))
    curve = curves.read("door", BEGAN_UNIX_S, BEGAN_UNIX_S + 5, points=5)
    by_second = scores.reshape(5, 4)
    assert curve.step_s == 1
    assert curve.start_unix_s.tolist() == [BEGAN_UNIX_S + second for second in range(5)]
    assert curve.frames.tolist() == [4] * 5
    np.testing.assert_allclose(curve.lowest, by_second.min(axis=1), rtol=1e-6)
    np.testing.assert_allclose(curve.mean, by_second.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(curve.highest, by_second.max(axis=1), rtol=1e-6)
    np.testing.assert_allclose(curve.threshold, 0.5)


@pytest.mark.parametrize("points", [3, 10, 100, 1000])
def test_a_curve_is_the_same_at_every_level_as_if_it_were_summed_up_from_its_frames(curves, points):
    times = BEGAN_UNIX_S + np.arange(0, 7200, 2.0)
    write(curves, times, scores := scores_of(len(times)))
    curve = curves.read("door", BEGAN_UNIX_S, BEGAN_UNIX_S + 7200, points=points)
    assert len(curve) <= points + 1
    assert curve.frames.sum() == len(times)
    steps = times // curve.step_s
    for position, start in enumerate(curve.start_unix_s):
        there = scores[steps == start // curve.step_s]
        np.testing.assert_allclose(
            [curve.lowest[position], curve.mean[position], curve.highest[position], curve.frames[position]],
            [there.min(), there.mean(), there.max(), len(there)],
            rtol=1e-5,
        )


def test_a_month_is_read_from_quarter_hours_and_a_short_peak_still_stands_out(curves):
    times = BEGAN_UNIX_S + np.arange(0, 30 * 86400, 300.0)
    scores = np.full(len(times), 0.2)
    scores[5000] = 0.9
    write(curves, times, scores)
    curve = curves.read("door", BEGAN_UNIX_S, BEGAN_UNIX_S + 30 * 86400, points=1000)
    assert curve.step_s == 3 * 900
    peak = int(curve.highest.argmax())
    assert curve.highest[peak] == pytest.approx(0.9)
    assert curve.start_unix_s[peak] <= times[5000] < curve.start_unix_s[peak] + curve.step_s
    assert curves.days("door")[0] == "2026-03-01"
    assert len(curves.days("door")) == 31


def test_where_nothing_was_scored_there_is_no_point(curves):
    write(curves, [BEGAN_UNIX_S, BEGAN_UNIX_S + 100.0], [0.1, 0.2])
    curve = curves.read("door", BEGAN_UNIX_S - 50, BEGAN_UNIX_S + 150, points=200)
    assert curve.start_unix_s.tolist() == [BEGAN_UNIX_S, BEGAN_UNIX_S + 100]
    assert len(curves.read("yard", BEGAN_UNIX_S, BEGAN_UNIX_S + 10)) == 0
    assert curves.days("yard") == []


def test_without_a_threshold_there_is_none_and_the_plain_values_say_null(curves):
    write(curves, [BEGAN_UNIX_S], [0.25], threshold=None)
    figures = curves.read("door", BEGAN_UNIX_S, BEGAN_UNIX_S + 1).figures()
    assert figures == {
        "step_s": 1,
        "start_unix_s": [BEGAN_UNIX_S],
        "lowest": [0.25],
        "mean": [0.25],
        "highest": [0.25],
        "threshold": [None],
        "frames": [1],
    }


def test_the_last_seconds_are_there_at_every_level_while_a_watch_goes_on(curves):
    times = BEGAN_UNIX_S + np.arange(0.0, 2000.0)
    write(curves, times, scores_of(2000), close=False)
    for points in (2000, 40, 3):
        curve = curves.read("door", BEGAN_UNIX_S, BEGAN_UNIX_S + 2000, points=points)
        assert curve.frames.sum() == 1999, points  # the second that goes on is not there yet


def test_a_second_writer_goes_on_where_a_killed_one_was_and_counts_no_frame_twice(curves):
    times = BEGAN_UNIX_S + np.arange(0.0, 4000.0)
    scores = scores_of(4000)
    write(curves, times[:1234], scores[:1234], close=False)  # and is gone, without a word
    write(curves, times[1234:1700], scores[1234:1700], close=True)
    write(curves, times[1700:], scores[1700:], close=False).close()
    for points in (4000, 66, 4):
        curve = curves.read("door", BEGAN_UNIX_S, BEGAN_UNIX_S + 4000, points=points)
        assert curve.frames.sum() == 3999, points  # all but the second in which it was killed
        whole = reduced(entries_of(np.delete(times, 1233), np.delete(scores, 1233)), curve.step_s)
        np.testing.assert_allclose(curve.mean, whole["mean"], rtol=1e-5)


def test_half_an_entry_and_zeros_at_the_end_of_a_file_are_not_read_and_what_follows_is(curves):
    write(curves, [BEGAN_UNIX_S, BEGAN_UNIX_S + 1.0], [0.1, 0.2])
    path = curves.of("door").path("2026-03-01", 1)
    path.write_bytes(path.read_bytes() + bytes(ENTRY.itemsize) + b"half")
    write(curves, [BEGAN_UNIX_S + 2.0], [0.3])
    curve = curves.read("door", BEGAN_UNIX_S, BEGAN_UNIX_S + 10)
    np.testing.assert_allclose(curve.highest, [0.1, 0.2, 0.3], rtol=1e-6)


def test_a_clock_that_is_set_back_loses_no_score(curves):
    times = [BEGAN_UNIX_S + 10.0, BEGAN_UNIX_S + 11.0, BEGAN_UNIX_S + 0.0, BEGAN_UNIX_S + 1.0, BEGAN_UNIX_S + 11.5]
    write(curves, times, [0.1, 0.2, 0.3, 0.4, 0.6])
    curve = curves.read("door", BEGAN_UNIX_S, BEGAN_UNIX_S + 60)
    assert curve.start_unix_s.tolist() == [BEGAN_UNIX_S + second for second in (0, 1, 10, 11)]
    assert curve.frames.tolist() == [1, 1, 1, 2]
    assert curve.mean[-1] == pytest.approx(0.4)


def test_a_full_disk_leaves_no_half_entries_and_what_waited_is_written_later(curves, monkeypatch):
    writer = write(curves, [BEGAN_UNIX_S], [0.1])
    append, there = curve_files.CurveFiles._append, {"room": False}

    def no_room(self, path, content):
        if not there["room"]:
            raise DiskSpaceError("no space left on the disk", str(path), "Free some space")
        append(self, path, content)

    monkeypatch.setattr(curve_files.CurveFiles, "_append", no_room)
    for second in range(1, 130):
        writer.add(BEGAN_UNIX_S + second, 0.2, 0.5)
        with pytest.raises(DiskSpaceError):
            writer.write() if second > 1 else writer.close()
    there["room"] = True
    writer.close()
    for points in (1000, 2):
        assert curves.read("door", BEGAN_UNIX_S, BEGAN_UNIX_S + 130, points=points).frames.sum() == 130


@pytest.mark.parametrize(
    "name", ["Door", "rtsp://10.0.0.5/live", "..", "a/../../b", "дверь", "x" * 100, "con.txt", "door ", "."]
)
def test_a_camera_of_any_name_has_a_folder_of_its_own_inside_the_curves(curves, name):
    others = {folder_name(other) for other in ("door", "rtsp_10_0_0_5_live", "b", "x", "camera")}
    folder = folder_name(name)
    assert folder not in others
    assert len(folder) < 100
    write(curves, [BEGAN_UNIX_S], [0.1], camera=name)
    assert [path.name for path in curves.folder.iterdir()] == [folder]
    assert len(curves.read(name, BEGAN_UNIX_S, BEGAN_UNIX_S + 1)) == 1


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        ((2.0, 1.0, 10), "no time for a curve"),
        ((1.0, 1.0, 10), "no time for a curve"),
        ((float("nan"), 2.0, 10), "no time for a curve"),
        ((0.0, float("inf"), 10), "no time for a curve"),
        ((0.0, 1.0, 0), "a curve of 0 points"),
        ((0.0, 1.0, 10**9), "a curve of 1000000000 points"),
    ],
)
def test_what_cannot_be_asked_for_is_told(curves, asked, fault):
    start, end, points = asked
    with pytest.raises(RecordsError, match=fault):
        curves.read("door", start, end, points=points)


def test_times_that_no_clock_shows_are_an_empty_curve(curves):
    write(curves, [BEGAN_UNIX_S], [0.1])
    assert len(curves.read("door", -1e18, 0.0)) == 0
    assert len(curves.read("door", 1e17, 1e18)) == 0
    assert len(curves.read("door", -1e18, 1e18)) == 1


def test_a_curve_put_in_the_place_of_another_replaces_just_its_time(curves):
    times = BEGAN_UNIX_S + np.arange(0.0, 3600.0)
    write(curves, times, np.full(3600, 0.1))
    new = entries_of(times[600:1200].astype(np.uint32), np.full(600, 0.8), np.full(600, 0.7))
    for _ in range(2):  # the second time changes nothing
        curves.replace("door", times[600], times[1200], new)
    for points in (3600, 60, 4):
        curve = curves.read("door", BEGAN_UNIX_S, BEGAN_UNIX_S + 3600, points=points)
        assert curve.frames.sum() == 3600
    fine = curves.read("door", BEGAN_UNIX_S, BEGAN_UNIX_S + 3600, points=60)
    np.testing.assert_allclose(fine.highest, [0.1] * 10 + [0.8] * 10 + [0.1] * 40, rtol=1e-6)
    curves.replace("door", times[0], times[-1] + 1, new[:0])
    assert curves.days("door") == []


def test_old_days_go_and_then_the_oldest_that_are_too_much(curves):
    for day in range(4):
        write(curves, BEGAN_UNIX_S + 86400 * day + np.arange(60.0), scores_of(60))
    for number, day in enumerate(curves.days("door")):
        for span_s in SPANS_S:
            os.utime(curves.of("door").path(day, span_s), (1000.0 + number, 1000.0 + number))
    whole = curves.size_bytes()
    assert curves.prune(written_before_unix_s=1001.0, dry_run=True) == whole / 4
    assert len(curves.days("door")) == 4
    assert curves.prune(written_before_unix_s=1001.0, larger_than_bytes=whole // 2) == whole / 2
    assert curves.days("door") == ["2026-03-03", "2026-03-04"]
    assert curves.prune(larger_than_bytes=0) == whole / 2
    assert not any(curves.folder.iterdir())


def test_records_are_pruned_with_their_curves_which_may_take_a_tenth_of_the_room(tmp_path):
    with Records.open(tmp_path / "records") as records:
        for day in range(3):
            write(records.curves, BEGAN_UNIX_S + 86400 * day + np.arange(600.0), scores_of(600))
        oldest = records.curves.of("door").path("2026-03-01", 1)
        for span_s in SPANS_S:
            os.utime(records.curves.of("door").path("2026-03-01", span_s), (BEGAN_UNIX_S, BEGAN_UNIX_S))
        a_day = records.curves.size_bytes() / 3
        assert prune(records, Retention(older_than_s=30 * 86400.0), dry_run=True).curves_freed_bytes == a_day
        assert oldest.exists()
        assert prune(records, Retention(older_than_s=30 * 86400.0)).curves_freed_bytes == a_day
        assert not oldest.exists()
        assert prune(records, Retention(larger_than_bytes=int(10 * a_day))).curves_freed_bytes == a_day
        assert len(records.curves.days("door")) == 1


def test_check_tells_of_damaged_entries_and_its_repair_removes_them(tmp_path):
    folder = tmp_path / "records"
    with Records.open(folder) as records:
        records.add_camera("door", "usb:0")
        write(records.curves, BEGAN_UNIX_S + np.arange(10.0), scores_of(10))
        path = records.curves.of("door").path("2026-03-01", 1)
    content = bytearray(path.read_bytes())
    content[3 * ENTRY.itemsize + 9] ^= 0x40
    path.write_bytes(content)
    found = check(folder)
    assert [(fault.where, fault.what) for fault in found.faults] == [("curves/door/2026-03-01.1s", "1 damaged entries")]
    assert check(folder, repair=True).is_clean
    assert check(folder).faults == []
    assert len(CurveFiles(folder / "curves", "door").load("2026-03-01", 1)) == 9


KILLED = """
import sys
import time
from pathlib import Path
from maskedskipunet.records.curve_writer import CurveWriter
from maskedskipunet.records.curves import ScoreCurves
writer = CurveWriter(ScoreCurves(Path(sys.argv[1])).of("door"))
second = int(sys.argv[2])
while True:
    writer.add(second, (second % 7) / 10, 0.5)
    second += 1
    if second % 5 == 0:
        writer.write()
        print(second - 1, flush=True)
"""


def test_writers_killed_at_any_moment_lose_no_second_that_was_written_and_damage_none(curves):
    draw, second = random.Random(5), BEGAN_UNIX_S
    for _ in range(5):
        script = [sys.executable, "-c", KILLED, str(curves.folder), str(second)]
        env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with subprocess.Popen(script, stdout=subprocess.PIPE, text=True, env=env) as writer:
            assert writer.stdout is not None
            told = [int(writer.stdout.readline()) for _ in range(draw.randrange(1, 40))]
            writer.send_signal(signal.SIGKILL)
            told += map(int, writer.stdout.read().split())
        second = told[-1] + 1000
        kept = curves.of("door").load(curves.days("door")[-1], 1)
        assert told[-1] - 1 in kept["start"]  # the second told of last goes on while it is told of
    files = curves.of("door")
    assert sum(files.damaged(day, span_s) for day in curves.days("door") for span_s in SPANS_S) == 0
    for day in curves.days("door"):
        kept = files.load(day, 1)
        assert len(np.unique(kept["start"])) == len(kept)
        np.testing.assert_allclose(kept["highest"], kept["start"] % 7 / 10, rtol=1e-5)
    whole = curves.read("door", BEGAN_UNIX_S, second, points=20)
    assert whole.frames.sum() == sum(len(files.load(day, 1)) for day in curves.days("door"))


def test_the_curves_of_a_folder_are_where_the_records_say(tmp_path: Path):
    with Records.open(tmp_path / "records") as records:
        assert records.curves.folder == tmp_path / "records" / "curves"
