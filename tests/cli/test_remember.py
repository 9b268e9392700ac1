"""`calibrate --remember`: normal footage of another day becomes known, and its threshold still comes from before."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.detection.reading import Moment
from maskedskipunet.workflows.normal_moments import NormalMoments

HEIGHT, WIDTH = 64, 96


def write_room(path, frames, *, seed, lamp=False, box=False, rate=10):
    """A noisy room through which something grey goes; a lamp may be lit in it, and a bright box may stand under it."""
    random = np.random.default_rng(seed)
    room = np.random.default_rng(1).integers(90, 130, (HEIGHT // 8, WIDTH // 8)).repeat(8, 0).repeat(8, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, height_px=HEIGHT, width_px=WIDTH, frame_rate=rate) as writer:
        for number in range(frames):
            frame = room + random.normal(0, 3, room.shape)
            left = 2 * (number + 7 * seed) % WIDTH
            frame[34:46, left : left + 12] = 60
            if lamp:
                frame[:24, 60:] += 70
            if box:
                frame[:20, 64:88] = 250
            writer.write(frame.clip(0, 255).astype(np.uint8)[..., None].repeat(3, 2))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run that knows a room without its lamp, and footage beside it."""
    from maskedskipunet.cli.main import main

    home = tmp_path_factory.mktemp("remember")
    for number in range(4):
        write_room(home / "sunday" / "normal" / f"{number}.mp4", 150, seed=number)
    write_room(home / "monday" / "0.mp4", 300, seed=7, lamp=True, rate=0.25)  # named like one of Sunday's
    write_room(home / "tuesday.mp4", 60, seed=9, lamp=True)
    write_room(home / "box.mp4", 60, seed=9, lamp=True, box=True)
    named = ["--data", str(home / "sunday"), "--data.height_px", str(HEIGHT), "--data.width_px", str(WIDTH)]
    assert main(["train", *named, "--cues", "movement,appearance", "--runs", str(home), "--name", "room"]) == 0
    return home


@pytest.fixture
def home(trained, place):
    """A copy that a test may change."""
    return shutil.copytree(trained, place / "home")


def appearance_of(cli, model, video, out):
    answer = cli("score", video, "--model", model, "--out", out)
    assert answer.code == 0, answer.err
    return float(np.nanmedian(np.array(pq.read_table(out / "scores.parquet")["appearance"].to_pylist(), float)))


def calibrate(cli, home, *more, budget=100):
    command = ["calibrate", home / "monday", "--model", home / "room", "--false-alarms-per-hour", budget]
    answer = cli(*command, *more, "--json", home / "set.json")
    assert answer.code == 0, answer.err
    return answer, json.loads((home / "set.json").read_text())


def test_what_is_remembered_is_strange_no_more_and_what_is_not_still_is(cli, home, place):
    run = home / "room"
    before = (run / "model" / "cues.safetensors").read_bytes()
    _, without = calibrate(cli, home, budget=30)
    lamp = appearance_of(cli, run, home / "tuesday.mp4", place / "before")

    answer, figures = calibrate(cli, home, "--remember", budget=30)

    assert figures["rule"] == without["rule"]  # set by footage that the model did not know
    assert figures["low_per_hour"] == 0 < figures["high_per_hour"] == without["high_per_hour"]
    earlier = run / "model" / "cues.1.safetensors"
    assert f"the footage is remembered, so expect fewer alarms; the earlier cues: {earlier}\n" in answer.out
    assert earlier.read_bytes() == before
    assert lamp > 2
    assert appearance_of(cli, run, home / "tuesday.mp4", place / "after") < 1
    assert appearance_of(cli, run, home / "box.mp4", place / "box") > 2


def test_another_budget_still_goes_by_the_scores_of_before(cli, home):
    _, without = calibrate(cli, home, budget=30)
    calibrate(cli, home, "--remember")

    answer, figures = calibrate(cli, home, budget=30)

    assert "scores of 1 of 1 videos are kept from an earlier calibration" in answer.err
    assert figures["rule"] == without["rule"]
    assert figures["low_per_hour"] == 0  # it still remembers the footage


def test_remembered_footage_has_a_name_of_its_own_and_its_moments_have_pictures(cli, home):
    calibrate(cli, home, "--remember")
    answer, _ = calibrate(cli, home, "--remember")  # once more: it is known by then
    assert "drawing the highest moments" not in answer.err  # their pictures are there

    told = json.loads((home / "room" / "remembered.json").read_text())
    assert told == {"videos": {"monday/0": str(home / "monday" / "0.mp4")}}
    moments = CueModel.read(home / "room" / "model").appearance.moments
    assert {moment.video for moment in moments} == {"0", "1", "2", "3", "monday/0"}

    picture = NormalMoments(home / "room").picture(Moment("monday/0", 8.0))
    assert picture[:24, 60:].mean() > 1.3 * NormalMoments(home / "room").picture(Moment("0", 8.0))[:24, 60:].mean()


def test_a_stretch_that_is_left_out_is_not_remembered(cli, home):
    calibrate(cli, home, "--remember", "--exclude", "0@0-800")

    moments = CueModel.read(home / "room" / "model").appearance.moments
    times = [moment.time_s for moment in moments if moment.video == "monday/0"]
    assert min(times) > 800
    assert max(times) == pytest.approx(1196)


def test_a_model_without_appearance_is_refused_before_anything_is_scored(cli, network_run, home, place):
    model = shutil.copytree(network_run, place / "network")

    answer = cli("calibrate", home / "monday", "--model", model, "--false-alarms-per-hour", 100, "--remember")

    assert answer.code == 2
    assert "the model has no appearance cue to remember footage with" in answer.err
    assert not (model / "calibration_scores.npz").exists()
    assert not (model / "model" / "calibration.json").exists()
