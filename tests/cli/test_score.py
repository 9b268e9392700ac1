import json
import re
import shutil
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.cli.event_table import print_event_table
from maskedskipunet.cli.score import APART_S, TOP_MOMENTS, top_moments
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.events import Event
from maskedskipunet.workflows.scoring import ScoredVideo


def test_one_video_is_scored_into_a_folder_named_after_it(cli, run, footage, place):
    answer = cli("score", footage / "test" / "c.mp4", "--model", run, "--json", "best.json")
    assert answer.code == 0
    assert answer.err.startswith("scoring: 6 frames in ")
    best = json.loads((place / "best.json").read_text())
    assert (best["frames"], best["frames_scored"], len(best["highest"])) == (6, 4, 1)
    (top,) = best["highest"]
    assert answer.out.splitlines() == [
        "Highest scores",
        "time (s)   frame     score",
        "──────────────────────────",
        f"    {top['time_s']:.2f}       {top['frame']}   {top['score']:.5f}",
        "",
        "4 of 6 frames scored",
        f"labels beside the video: 2 of these frames are anomalous, AUC {best['auc']:.4f}",
        "scores/c/scores.parquet",
        "scores/c/scores.png",
    ]
    assert {path.name for path in (place / "scores" / "c").iterdir()} == {"scores.parquet", "scores.png"}


def test_what_was_held_back_sets_no_threshold_and_that_is_said(cli, run, footage, place):
    model = shutil.copytree(run, place / "small")
    Calibration.of({"a": np.linspace(0, 1e-6, 50)}).write(model / "model")
    answer = cli("score", footage / "test" / "c.mp4", "--model", model)
    command = f"`maskedskipunet calibrate NORMAL… --model {model} --false-alarms-per-day 1`"
    told = f"no events: the model has no threshold, only how rare scores are; {command} sets one\n"
    assert (answer.code, told in answer.out) == (0, True)
    assert "none of 50 normal frames\n" in answer.out
    assert "no events" not in cli("score", footage / "test" / "c.mp4", "--model", run, "--out", "o").out


def test_very_many_events_are_told_by_the_strongest(capsys):
    events = [
        Event(str(n), "v", 60.0 * n, 60.0 * n + 2, 60.0 * n, n, n, n, (n % 30) / 30, 0.1, (), 0.5) for n in range(27)
    ]
    scored = ScoredVideo("v", np.arange(27), 60.0 * np.arange(27), np.ones(27), None, 0.5, tuple(events))
    print_event_table(scored, (), Calibration.of({"a": np.arange(9.0)}))
    title, *table = capsys.readouterr().out.splitlines()
    assert title == "The 20 strongest of 27 events"
    assert [row.split()[1] for row in table[2:-1]] == [f"0:{minute:02d}:00" for minute in range(7, 27)]


def test_a_comparison_video_is_written_when_asked_for_and_a_run_found_by_its_name(cli, run, footage, place):
    (place / "runs").symlink_to(run.parent)
    answer = cli("score", footage / "test" / "c.mp4", "--model", "small", "--out", "o", "--video", "--device", "cpu")
    assert (answer.code, answer.out.splitlines()[-1]) == (0, "o/comparison.mp4")
    assert (place / "o" / "comparison.mp4").stat().st_size > 0


def test_a_bad_frame_is_refused_or_skipped_with_a_word(cli, run, make, place, caplog):
    make.images(place / "clip", 9)
    (place / "clip" / "004.png").write_bytes(b"")
    assert "clip/004.png: cannot read the image" in cli("score", "clip", "--model", run).err.splitlines()[-1]
    answer = cli("score", "clip", "--model", run, "--on-bad-frame", "skip")
    assert (answer.code, "4 of 9 frames scored" in answer.out) == (0, True)
    assert any("004.png: frame 4 was skipped" in message for message in caplog.messages)


TIMES = st.lists(st.floats(0.01, 3), min_size=1, max_size=40).map(np.cumsum)


@given(TIMES, st.data())
def test_the_highest_moments_lie_apart_and_nothing_higher_is_left_out(time_s, data):
    scores = np.array(
        data.draw(st.lists(st.floats(0, 1) | st.just(np.nan), min_size=len(time_s), max_size=len(time_s)))
    )
    chosen = top_moments(time_s, scores)
    assert len(chosen) <= TOP_MOMENTS
    assert list(scores[chosen]) == sorted(scores[chosen], reverse=True)
    assert all(abs(time_s[a] - time_s[b]) >= APART_S for a in chosen for b in chosen if a != b)
    if len(chosen) < TOP_MOMENTS:  # then every other moment lies beside one that is as high or higher
        others = set(np.flatnonzero(~np.isnan(scores))) - set(chosen)
        beside = [any(abs(time_s[a] - time_s[b]) < APART_S and scores[b] >= scores[a] for b in chosen) for a in others]
        assert all(beside)


def test_where_no_frame_has_a_score_no_moment_is_the_highest():
    assert top_moments(np.arange(3.0), np.full(3, np.nan)) == []


@pytest.mark.parametrize("name", ["film.of.a.day", "[red] ü"])
def test_the_folder_is_named_after_any_video(cli, run, make, place, name):
    make.video(place / f"{name}.mp4")
    assert cli("score", f"{name}.mp4", "--model", run).code == 0
    assert (place / "scores" / name / "scores.parquet").is_file()


def noise(path, frames, *, corner=1.0):
    """A frame every fourteen seconds: noise that grows and falls over an hour, in a corner by another factor."""
    random = np.random.default_rng(frames)
    with VideoWriter(path, height_px=32, width_px=48, frame_rate=Fraction(1, 14)) as writer:
        for at in range(frames):
            strength = 25 + 15 * np.sin(at / 40)
            errors = random.normal(0, strength, (32, 48, 3))
            errors[16:, :24] *= corner
            writer.write((120 + errors).clip(0, 255).astype(np.uint8))
    return path


def test_where_normal_itself_has_changed_one_line_says_so_and_the_file_of_events(cli, network_run, place):
    model = shutil.copytree(network_run, place / "small")
    noise(place / "normal.mp4", 540)
    noise(place / "same.mp4", 90)
    noise(place / "changed.mp4", 90, corner=0.2)
    assert cli("calibrate", "normal.mp4", "--model", model, "--false-alarms-per-hour", 10).code == 0

    one = cli("score", "changed.mp4", "--model", model, "--json", "one.json")

    assert "drift: the scene has looked different from the calibration since 0:00 (it departs " in one.out
    assert f": calibrate again, `maskedskipunet calibrate NORMAL… --model {model}`\n" in one.out
    (told,) = json.loads((place / "scores" / "changed" / "events.json").read_text())["drift"]
    assert (told["phase"], told["since_s"]) == ("begin", 0)
    assert json.loads((place / "one.json").read_text())["drift"] == [told]
    many = cli("score", "changed.mp4", "same.mp4", "--model", model, "--json", "many.json", "--out", "many")
    assert re.findall(r"^(\w+): drift: the scene has looked different", many.out, re.MULTILINE) == ["changed"]
    videos = json.loads((place / "many.json").read_text())["videos"]
    assert {video["video"]: video["drift"] for video in videos} == {"changed": [told], "same": []}


def test_seconds_of_a_file_and_no_videos_together_are_refused(cli, run, footage):
    asked = ("score", footage / "test" / "c.mp4", "--model", run)
    assert "--seconds: none of the sources is a stream. Leave it out" in cli(*asked, "--seconds", "2").refusal()
    many = ("score", footage / "test", "--model", run)
    assert "--videos-together: 0 videos together" in cli(*many, "--videos-together", "0").refusal()
    assert "a stream never ends" in cli("score", "rtsp://me:hunter2@127.0.0.1:1/x", "--model", run).refusal()


def test_a_video_of_a_server_that_is_not_there_is_refused_without_its_password(cli, run, place):
    answer = cli("score", "http://me:hunter2@127.0.0.1:1/day.mp4?key=hunter2", "--model", run)
    assert "http://127.0.0.1:1/day.mp4: cannot fetch it (Connection refused)" in answer.refusal()
    assert "hunter2" not in answer.err
    assert list(place.iterdir()) == []


def test_videos_are_scored_side_by_side_when_asked_for(cli, run, footage, place):
    answer = cli("score", footage / "test", "--model", run, "--videos-together", "2")
    assert (answer.code, "results: scores" in answer.out) == (0, True)
    assert {path.parent.name for path in place.glob("scores/*/scores.parquet")} == {"c", "d"}
