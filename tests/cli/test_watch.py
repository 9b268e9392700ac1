"""`watch` on the command line: what it prints, how it ends, what it refuses."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_a_file_that_breaks_off_makes_it_done_in_part(cli, run, make, place, monkeypatch):
    monkeypatch.setattr("maskedskipunet.workflows.watch._require_readable", lambda source: None)  # it breaks later
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
