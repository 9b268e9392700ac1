"""`watch` on the command line: what it prints, how it ends, what it refuses."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from maskedskipunet.cli.alarm_lines import AlarmLines
from maskedskipunet.data.jpeg import from_jpeg
from maskedskipunet.data.video.decoding import read_video
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.detection.budget import AlarmSetting, Budget
from maskedskipunet.detection.calibration import Calibration, describe_rarity
from maskedskipunet.detection.events import Event, EventRule, EventUpdate
from maskedskipunet.monitor.monitor_events import Alarm
from maskedskipunet.records.live import LiveFolder
from maskedskipunet.records.store import Records

COMMAND = [sys.executable, "-m", "maskedskipunet", "watch"]
PATIENCE_S = 240


def test_a_file_is_watched_with_the_scores_of_score(cli, run, make, place):
    video = make.video(place / "v.mp4", 12)
    answer = cli("watch", video, "--model", run, "--scores", "--speed", 50, "--max-delay-s", 300)
    assert (answer.code, "Traceback" in answer.err) == (0, False)

    told = [json.loads(line) for line in answer.out.splitlines()]
    scores = [one["score"] for one in told if one["kind"] == "scored"]
    assert len(scores) == 12
    assert [one["condition"] for one in told if one["kind"] == "camerastate"] == ["connecting", "running", "ended"]
    assert told[-1]["kind"] == "load"
    assert "watching 1 camera" in answer.err
    assert "12 frames, 0 skipped, 0 dropped; delay" in answer.err

    import pyarrow.parquet as pq

    assert cli("score", video, "--model", run, "--out", "scored").code == 0
    stored = pq.read_table(place / "scored" / "scores.parquet")["score"].to_pylist()
    assert scores == [None if score is None else pytest.approx(score, rel=1e-5) for score in stored]


def test_cameras_are_looked_at_as_often_as_the_footage_that_was_trained_on(cli, run, place):
    for name, rate in (("fast", 20), ("slow", 5)):
        with VideoWriter(place / f"{name}.mp4", height_px=32, width_px=48, frame_rate=rate) as writer:
            for number in range(12):
                writer.write(np.full((32, 48, 3), 10 * number, np.uint8))
    answer = cli("watch", "fast.mp4", "slow.mp4", "--model", run, "--speed", 50, "--max-delay-s", 300, "--scores")
    assert "watching 2 cameras, 10 frames a second" in answer.err  # as in the footage
    frames = [one["camera"] for one in map(json.loads, answer.out.splitlines()) if one["kind"] == "scored"]
    assert {name: frames.count(name) for name in sorted(set(frames))} == {"fast.mp4": 6, "slow.mp4": 12}


def test_without_being_asked_nothing_is_printed_on_stdout(cli, run, make, place):
    answer = cli("watch", make.video(place / "v.mp4", 6), "--model", run, "--speed", 50)
    assert (answer.code, answer.out) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--model", "RUN"], "SOURCE or --config must be given"),
        (["v.mp4", "--config", "c.yaml", "--model", "RUN"], "SOURCE or --config must be given, and not both"),
        (["v.mp4"], "--model RUN must be given"),
        (["none.mp4", "--model", "RUN"], "none.mp4: no such file"),
        ([".", "--model", "RUN"], "a folder cannot be watched"),
        (["v.mp4", "--model", "nowhere"], "nowhere"),
        (["a.mp4", "v.mp4", ".", "--model", "RUN"], "2 faults: a.mp4: no such file; .: a folder cannot be watched"),
        (["v.mp4", "--model", "RUN", "--fps", "60"], "fewer than the 60 asked for"),
        (["v.mp4", "--model", "RUN", "--speed", "0"], "speed: 0.0"),
        (["v.mp4", "--model", "RUN", "--max-delay-s", "-1"], "max_delay_s: -1.0 seconds"),
        (["rtsp://me:hunter2@", "--model", "RUN"], "names no host"),
        (["--config", "none.yaml", "--model", "RUN"], "none.yaml: cannot read the file"),
    ],
)
def test_what_cannot_be_watched_is_refused_in_one_line(cli, run, make, place, arguments, told):
    make.video(place / "v.mp4", 6)
    refusal = cli("watch", *[run if argument == "RUN" else argument for argument in arguments]).refusal()
    assert told in refusal
    assert "hunter2" not in refusal


def test_a_file_of_cameras_names_the_model_too(cli, run, make, place):
    make.video(place / "v.mp4", 6)
    make.video(place / "w.mp4", 6)
    (place / "cameras.yaml").write_text(f"model: {run}\nmax_delay_s: 300\ncameras: {{a: v.mp4, b: w.mp4}}\n")
    answer = cli("watch", "--config", "cameras.yaml", "--speed", 50, "--scores")
    assert answer.code == 0
    scored = [one["camera"] for one in map(json.loads, answer.out.splitlines()) if one["kind"] == "scored"]
    assert sorted(scored) == ["a"] * 6 + ["b"] * 6


def test_a_covered_lens_is_told_to_a_sink_though_the_model_has_no_threshold(cli, run, place):
    with VideoWriter(place / "v.mp4", height_px=32, width_px=48, frame_rate=10) as writer:
        for _ in range(100):
            writer.write(np.zeros((32, 48, 3), np.uint8))
    (place / "cameras.yaml").write_text(
        f"model: {run}\ncameras: {{door: v.mp4}}\nmax_delay_s: 300\n"
        "sinks: {nas: {type: folder, path: nas, states: all, states_after_s: 0}}\n"
    )
    answer = cli("watch", "--config", "cameras.yaml", "--speed", 20)
    assert answer.code == 0
    assert "camera faults are recorded in records" in answer.err
    (told,) = [json.loads(path.read_text()) for path in (place / "nas").iterdir()]
    assert (told["kind"], told["state"], told["camera"], told["phase"]) == ("state", "dark", "door", "new")
    assert "contrast 0.0 of 255" in told["detail"]
    status = cli("status")
    assert status.code == 1
    assert "dark since" in status.out


def test_a_file_that_breaks_off_makes_it_done_in_part(cli, run, make, place, monkeypatch):
    monkeypatch.setattr("maskedskipunet.workflows.watch._rate_of", lambda *asked: None)  # it breaks later
    (place / "words.mp4").write_text("no video")
    answer = cli("watch", "words.mp4", make.video(place / "v.mp4", 6), "--model", run, "--speed", 50)
    assert answer.code == 1
    assert "words.mp4: ended, cannot open the video" in answer.err


@pytest.mark.parametrize(("number", "code", "last"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 0, "")])
def test_a_signal_ends_the_watching_and_no_password_is_left_to_see(run, tmp_path, number, code, last):
    secret = "rtsp://me:hunter2@127.0.0.1:9/live"
    process = subprocess.Popen(
        [*COMMAND, secret, "--model", str(run)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONFAULTHANDLER": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    seen = ""
    while "lost" not in seen:
        line = process.stderr.readline()
        assert line, seen
        seen += line
    assert b"hunter2" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (code, "")
    assert (seen + err).splitlines()[-1].startswith(last)
    assert "hunter2" not in seen + err
    assert "can be seen while a command starts" in seen


def test_events_are_those_of_score_and_are_recorded_with_clips_and_pictures(cli, alarmed, disturbed, place):
    scored = cli("score", disturbed, "--model", alarmed, "--out", "scored", "--json", "scored.json")
    assert scored.code == 0
    expected = json.loads((place / "scored" / "events.json").read_text())["events"]
    assert len(expected) == 3
    first, cure, *table = scored.out.splitlines()
    assert first == "3 alarms where about 0.0022 were expected: this footage is unlike the calibration"
    assert cure == "if most of these alarms are normal, calibrate again and include footage like this"
    assert (table[0], table[1].split()) == (
        "Events",
        ["picture", "from", "to", "score", "normal", "frames", "this", "high"],
    )
    rows = [line.split()[:4] for line in table[3:6]]
    assert [(row[0], row[1]) for row in rows] == [
        ("001.jpg", "0:00:01"),
        ("002.jpg", "0:00:04"),
        ("003.jpg", "0:00:06"),
    ]
    assert [row[3] for row in rows] == [f"{one['top_score']:.5f}" for one in expected]
    assert "3 events at the threshold " in scored.out
    assert " in 7.8 seconds; it was set for 1 false alarm an hour\n" in scored.out
    assert "Highest scores" not in scored.out
    figures = json.loads((place / "scored.json").read_text())
    assert figures["events"] == len(figures["event_list"]) == 3
    assert figures["budget"] == {"alarms": 1, "per": "hour"}
    assert all((place / event["picture"]).is_file() for event in figures["event_list"])

    answer = cli("watch", disturbed, "--model", alarmed, "--speed", 8, "--max-delay-s", 300, "--events")
    assert (answer.code, "Traceback" in answer.err) == (0, False)
    assert "alarms at the threshold" in answer.err
    assert answer.err.count("ALARM since") == answer.err.count("ended: lasted ") == 3
    assert "ALARM since 0:00:01 of the video, " in answer.err  # 1.5 s into it, whatever the clock on the wall says

    with Records.open(place / "records") as records:
        events = records.events()
        assert [(one.event.start_frame, one.event.end_frame, one.event.boxes) for one in events] == [
            (one["start_frame"], one["end_frame"], tuple(map(tuple, one["boxes"]))) for one in expected
        ]
        for one in events:
            assert len([*read_video(records.clip_path(one.event.id, one.began_unix_s))]) > 10
            picture = records.picture_path(one.event.id, one.began_unix_s)
            assert from_jpeg(picture.read_bytes()).shape == (32, 48, 3)
            files = records.folder.files(one.event.id, one.began_unix_s)
            assert (one.has_heat_map, one.has_reconstruction) == (True, True)
            assert from_jpeg(files.reconstruction.read_bytes()).shape == (213, 320, 3)
            clip = records.clip_path(one.event.id, one.began_unix_s).relative_to(place)
            assert f"; clip {clip}, picture {picture.relative_to(place)}\n" in answer.err
    messages = [json.loads(line) for line in answer.out.splitlines()]
    assert {one["id"] for one in messages} == {one.event.id for one in events}
    for event in events:
        phases = [one["phase"] for one in messages if one["id"] == event.event.id]
        assert [phase for phase in phases if phase != "update"] == ["new", "end"]
    assert all(one["has_clip"] for one in messages if one["phase"] == "end")
    assert cli("records", "check", "records").code == 0


def test_a_model_that_is_calibrated_again_meanwhile_is_gone_by_at_once(cli, alarmed, place, make):
    video = make.disturbed(place / "long.mp4", frames=3000)
    how = ["--model", str(alarmed), "--max-delay-s", "300", "--scores"]
    process = subprocess.Popen([*COMMAND, str(video), *how], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def hear(is_wanted):
        heard = []
        while not heard or not is_wanted(heard[-1]):
            heard.append(json.loads(process.stdout.readline()))
        return heard

    try:
        over = hear(lambda event: (event["kind"], event.get("phase")) == ("alarm", "end"))[-1]
        until_s = time.monotonic() + PATIENCE_S
        while (answer := cli("feedback", alarmed, over["id"], "--normal")).code:  # its clip is still being cut
            assert time.monotonic() < until_s, answer.err
            time.sleep(0.5)
        assert "threshold raised" in answer.out + answer.err
        raised = Calibration.read(alarmed / "model")
        change = hear(lambda event: event["kind"] == "modelchange")[-1]
        assert (change["heeded"], change["threshold"]) == (True, pytest.approx(raised.alarm.rule.threshold, abs=1e-6))

        none_reaches = replace(raised.alarm, rule=raised.alarm.rule.with_threshold(2.0, raised.alarm.median_score))
        replace(raised, alarm=none_reaches).write(alarmed / "model")
        assert hear(lambda event: event["kind"] == "modelchange")[-1]["threshold"] == 2.0
        later = [hear(lambda event: event["kind"] == "scored") for _ in range(60)]  # six seconds: twice quiet
        assert "new" not in [event["phase"] for some in later for event in some if event["kind"] == "alarm"]
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert f"calibrated again: alarms at the threshold {raised.alarm.rule.threshold:.5f} (was " in err


def test_a_threshold_that_is_set_while_only_scores_are_told_is_named(cli, run, place, make):
    model, video = shutil.copytree(run, place / "scoring"), make.disturbed(place / "long.mp4", frames=3000)
    process = subprocess.Popen(
        [*COMMAND, str(video), "--model", str(model), "--max-delay-s", "300"], stderr=subprocess.PIPE, text=True
    )
    try:
        while "running" not in (line := process.stderr.readline()):
            assert line
        rule = EventRule(threshold=0.25, release=0.25)
        setting = AlarmSetting(rule, Budget(1, "hour"), 0.1, 8.0, 1, 0.0, 0.3, 24.0, 10.0, extrapolated=False)
        replace(Calibration.of({"usual": np.array([0.1])}), alarm=setting).write(model / "model")
        while "now has a threshold, 0.25000 for 1 false alarm an hour" not in (line := process.stderr.readline()):
            assert line
        assert "restart watch to get alarms" in line
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0


def test_weights_without_a_run_are_watched_for_their_scores(cli, make, place):
    weights = Path(__file__).parents[1] / "golden" / "reference_checkpoint_latent8.pt"
    video = make.video(place / "v.mp4", 6)
    answer = cli("watch", video, "--model", weights, "--speed", 50, "--max-delay-s", 300, "--scores")
    assert (answer.code, "no alarms, only scores" in answer.err) == (0, True)
    told = [json.loads(line) for line in answer.out.splitlines()]
    scores = [one["score"] for one in told if one["kind"] == "scored"]
    assert [score is None for score in scores] == [True, False, False, False, False, True]


def test_without_records_events_are_told_and_nothing_is_written(cli, alarmed, disturbed, files):
    before = files()
    answer = cli("watch", disturbed, "--model", alarmed, "--speed", 8, "--max-delay-s", 300, "--no-records")
    assert answer.code == 0
    assert answer.err.count("ALARM since") == 3
    assert files() == before


def test_a_file_of_cameras_names_records_sinks_and_what_is_kept(cli, alarmed, disturbed, place):
    (place / "cameras.yaml").write_text(
        f"model: {alarmed}\nmax_delay_s: 300\ncameras: {{room: {disturbed}}}\nrecords: kept\n"
        "clips: {before_s: 0.5, after_s: 0.5}\nkeep: {days: 7, gigabytes: 1}\n"
        "sinks: {copies: {type: folder, path: copies}}\n"
    )
    assert cli("watch", "--config", "cameras.yaml", "--speed", 8).code == 0
    with Records.open(place / "kept") as records:
        assert [event.camera for event in records.events()] == ["room"] * 3
        clip = [*read_video(records.clip_path(records.events()[0].event.id, records.events()[0].began_unix_s))]
        assert 15 <= len(clip) <= 22  # a second, and half a one before and after
    copies = [path.suffix for path in (place / "copies").rglob("*.*")]
    assert {suffix: copies.count(suffix) for suffix in set(copies)} == {".mp4": 3, ".jpg": 3, ".json": 3}


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ("clips: 5", "clips: settings are missing"),
        ("clips: {before_s: -1}", "clips.before_s: -1.0 seconds"),
        ("clips: {colour: 1}", "clips.colour: there is no such setting"),
        ("keep: {days: -1}", "keep: days and gigabytes are numbers from 0 on"),
        ("keep: {days: .inf}", "keep: days and gigabytes are numbers from 0 on"),
        (
            "sinks: {hook: {type: webhook, url: 'ftp://me:hunter2@x'}}",
            "sinks: hook: url is not an http or https address",
        ),
        ("sinks: [1]", "sinks: sinks must be a mapping"),
        ("records: 3", "records: not a path"),
    ],
)
def test_what_a_file_of_cameras_says_of_records_is_checked_before_anything(cli, run, make, place, extra, told):
    make.video(place / "v.mp4", 6)
    (place / "cameras.yaml").write_text(f"model: {run}\ncameras: {{a: v.mp4}}\n{extra}\n")
    refusal = cli("watch", "--config", "cameras.yaml").refusal()
    assert told in refusal
    assert "hunter2" not in refusal


def test_the_same_rarity_is_told_in_the_same_words_as_score_tells_it(cli, alarmed, disturbed):
    scored = cli("score", disturbed, "--model", alarmed, "--out", "scored")
    watched = cli("watch", disturbed, "--model", alarmed, "--speed", 8, "--max-delay-s", 300, "--no-records")
    frames = Calibration.read(alarmed / "model").frames
    assert describe_rarity(1 / (frames + 1), frames) == f"none of {frames} normal frames"
    rarities = [line.partition(", reached by ")[2].partition(";")[0] for line in watched.err.splitlines()]
    told = [rarity for rarity in rarities if rarity]
    assert len(told) == 3
    assert any(rarity in scored.out for rarity in told)


def test_a_live_camera_is_told_by_the_clock_on_the_wall_and_keeps_its_words_without_records():
    event = Event("5f1c-1", "rtsp://h", 600.0, 602.0, 601.0, 1, 3, 2, 0.5, 0.4, (), 0.001)
    alarm = Alarm("door", EventUpdate("new", event), 1_772_355_600.0)
    clock = time.strftime("%H:%M:%S", time.localtime(1_772_355_600.0))
    rare = "reached by 1 in 1,000 normal frames"
    assert AlarmLines().describe(alarm) == f"door: ALARM since {clock}, score 0.50000, {rare}; event 5f1c-1"
    assert "since 0:10:00 of the video" in AlarmLines(frozenset({"door"})).describe(alarm)
    assert "clip" not in AlarmLines().describe(replace(alarm, update=EventUpdate("end", event)))


@pytest.mark.parametrize("camera", ["usb:0", "/dev/video3"])
def test_a_usb_camera_without_opencv_is_refused_at_once_and_the_extra_named(cli, run, place, monkeypatch, camera):
    monkeypatch.setitem(sys.modules, "cv2", None)
    refusal = cli("watch", camera, "--model", run).refusal()
    assert "OpenCV, which is not installed (the extra `usb`). Install it with `pip install" in refusal
    (place / "cameras.yaml").write_text(f"model: {run}\ncameras: {{a: 'usb:1', b: none.mp4}}\n")
    assert (
        "2 faults: cameras.a: USB cameras are read by OpenCV, which is not installed (the extra `usb`)"
        in cli("watch", "--config", "cameras.yaml").refusal()
    )


def test_records_that_another_watch_holds_or_that_are_none_are_refused(cli, alarmed, disturbed, place):
    with Records.open(place / "records", watching=True):
        assert "another process is watching" in cli("watch", disturbed, "--model", alarmed).refusal()
    (place / "notes").write_text("mine")
    assert "notes" in cli("watch", disturbed, "--model", alarmed, "--records", "notes").refusal()
    assert (place / "notes").read_text() == "mine"
    refusal = cli("watch", disturbed, "--model", alarmed, "--no-records", "--events").refusal()
    assert "--events cannot be used with --no-records" in refusal


def test_the_scores_of_a_watch_are_kept_as_a_curve_and_how_its_camera_was_last(cli, alarmed, disturbed, place):
    assert cli("watch", disturbed, "--model", alarmed, "--speed", 8, "--max-delay-s", 300).code == 0
    with Records.open(place / "records") as records:
        (camera,) = records.cameras()
        began_unix_s = records.events()[0].began_unix_s
        curve = records.curves.read(camera, began_unix_s - 600, began_unix_s + 600, points=1200)
        assert curve.frames.sum() == 78  # of 80; clips of three frames leave out the first and the last
        assert curve.highest.max() == pytest.approx(max(event.event.top_score for event in records.events()), rel=1e-6)
        assert np.isfinite(curve.threshold).all()
    live = LiveFolder(place / "records" / "live")
    now = live.state().cameras[camera]
    assert (now.condition, now.score is not None, now.threshold) == ("ended", True, pytest.approx(curve.threshold[-1]))
    assert from_jpeg(live.picture(camera)).shape == (32, 48, 3)


def test_a_file_is_scored_into_the_records_beside_what_a_watch_recorded_and_that_is_said(
    cli, alarmed, disturbed, place
):
    assert cli("watch", disturbed, "--model", alarmed, "--speed", 8, "--max-delay-s", 300).code == 0
    scoring = ["score", disturbed, "--model", alarmed, "--records", "records", "--camera", "room"]
    first = cli(*scoring, "--json", "first.json")
    assert first.code == 0, first.err
    told = json.loads((place / "first.json").read_text())["recorded"]
    assert (told["camera"], told["added"], len(told["events"]), told["is_begin_known"]) == ("room", 3, 3, False)
    assert "recorded in records as room: 3 events (3 new); footage from " in first.out
    assert "(as it ended when its file was changed)" in first.out
    assert "recorded in records as room: 3 events (3 updated); footage from " in cli(*scoring).out
    with Records.open(place / "records") as records:
        assert len(records.events(camera="room")) == 3
        assert len(records.events()) == 6
        assert all(event.has_clip and event.has_picture for event in records.events(camera="room"))
        assert all(event.has_heat_map and event.has_reconstruction for event in records.events(camera="room"))
    assert cli("records", "check", "records").code == 0
    pruned = cli("records", "prune", "records", "--larger-than", "0", "--dry-run").out
    assert pruned.splitlines()[-1].startswith("score curves: ")
    assert pruned.endswith(" would be removed\n")


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--camera", "room"], "--camera needs --records"),
        (["--starts", "%H"], "--starts needs --records"),
        (["--records", "r", "--starts", "%Y"], "holds no hour"),
        (["--records", "r", "--camera", ""], "is no name of a camera"),
        (["--records", "taken"], "no records folder"),
    ],
)
def test_what_cannot_be_recorded_is_refused_before_anything_is_scored(cli, alarmed, disturbed, place, arguments, fault):
    (place / "taken").write_text("a file")
    assert fault in cli("score", disturbed, "--model", alarmed, *arguments).refusal()
    assert not (place / "scores").exists()


def test_a_watch_that_is_killed_while_it_writes_leaves_clean_records(cli, alarmed, place, make):
    make.disturbed(place / "long.mp4", 400)
    arguments = ["long.mp4", "--model", str(alarmed), "--speed", "4", "--max-delay-s", "300"]
    for enough in (1, 3, 4):
        process = subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.DEVNULL, cwd=place)
        until_s = time.monotonic() + PATIENCE_S
        while recorded_events(place / "records" / "records.db") < enough:
            assert process.poll() is None
            assert time.monotonic() < until_s
            time.sleep(0.01)
        process.kill()
        process.wait()
        check = cli("records", "check", "records", "--json", "check.json")
        figures = json.loads((place / "check.json").read_text())
        assert (check.code, figures["faults"]) == (0, [])
        assert figures["events"] >= enough


def recorded_events(database):
    """How many there are by now, 0 before there is a table."""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT count(*) FROM events").fetchone()[0]
    except sqlite3.OperationalError:
        return 0
