import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from maskedskipunet.cli.calibrate import describe
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.detection.budget import AlarmSetting, Budget
from maskedskipunet.detection.day import DayAlarms, PartAlarms, read_parts
from maskedskipunet.detection.events import EventRule

SETTING = AlarmSetting(
    EventRule(threshold=0.5, release=0.4), Budget(1, "day"), 0.1, 8.0, 1, 0.0, 0.25, 24.0, 240.0, extrapolated=True
)


@pytest.fixture
def noisy(place):
    """Twelve minutes in which noise grows now and then."""
    random = np.random.default_rng(0)
    with VideoWriter(place / "noisy.mp4", height_px=32, width_px=48, frame_rate=0.25) as writer:
        for at in range(180):
            noise = random.integers(0, (60 if at % 9 < 3 else 5) + at % 30, (32, 48, 3))
            writer.write((80 + noise).astype(np.uint8))
    return place / "noisy.mp4"


def test_the_threshold_is_set_told_and_used_by_score_and_test(cli, run, footage, place, noisy):
    model = shutil.copytree(run, place / "small")
    answer = cli("calibrate", noisy, "--model", model, "--false-alarms-per-hour", 40, "--json", "set.json")

    assert answer.code == 0
    figures = json.loads((place / "set.json").read_text())
    assert figures["budget"] == {"alarms": 40.0, "per": "hour"}
    assert figures["alarms"] <= 40 * figures["footage_h"]
    assert f"threshold {figures['rule']['threshold']:.5f}" in answer.out
    assert f"calibration: {model}/model/calibration.json" in answer.out
    assert (
        f"scores: {model}/calibration_scores.npz (another budget for this footage takes only seconds)\n" in answer.out
    )
    assert len(list((model / "calibration").glob("noisy@*.png"))) == len(figures["highest"]) > 0

    many = cli("score", footage / "test", "--model", model, "--out", "many")
    assert " in 0.8 seconds; it was set for 40 false alarms an hour\n" in many.out
    assert "events of all videos: many/events.csv\n" in many.out

    one = cli("score", footage / "test" / "c.mp4", "--model", model, "--out", "one")
    assert one.code == 0
    assert f" at the threshold {figures['rule']['threshold']:.5f}" in one.out
    assert "one/events.json" in one.out

    test = cli("test", model, "--data", footage, "--videos", "false", "--json", "test.json")
    assert test.code == 0
    assert " of 1 anomalous stretch found" in test.out
    assert json.loads((place / "test.json").read_text())["alarms"]["stretches"] == 1


def test_parts_of_the_day_are_told_with_what_they_rest_on():
    day, night = read_parts("day=7-20,night=20:30-7")
    parts = (PartAlarms(day, SETTING.rule, 0.1, 6.5, 2), PartAlarms(night, None, None, 0.25, 0))
    assert describe(replace(SETTING, extrapolated=False, day=DayAlarms(parts)))[-2:] == [
        "day (07:00 to 20:00): threshold 0.50000, 2 alarms in 6.50 hours of footage",
        "night (20:30 to 07:00): uses the common threshold; 0.25 hours are too few for its own",
    ]


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (["--parts", "day=7-20,night=19-7"], "parts: day (07:00 to 20:00) and night (19:00 to 07:00) overlap"),
        (["--parts", "noon"], "parts: 'noon' is no part of the day"),
        (["--parts", "day=7-20"], "c.mp4: the file does not say when it was recorded"),
        (["--parts", "day=7-20", "--starts", "%H"], "c.mp4: its name is no '%H'"),
        (["--starts", "%H"], "--starts needs --parts"),
        (["--ignore", "1,2,3"], "ignore: '1,2,3' is no shape"),
        (["--ignore", "99,0,5,5"], "ignore: 99,0,5,5 lies outside its frames of 48x32"),
        (["--ignore", "nothing.png"], "ignore: 'nothing.png' is neither a shape nor a mask image that is there"),
    ],
)
def test_parts_and_shapes_that_cannot_be_are_refused_in_one_line(cli, run, footage, place, arguments, refusal):
    video = footage / "test" / "c.mp4"
    model = shutil.copytree(run, place / "small")  # scores may be kept in it, before the refusal
    answer = cli("calibrate", video, "--model", model, "--false-alarms-per-hour", 1, *arguments)
    assert refusal in answer.refusal()
    assert not (model / "model" / "calibration.json").exists()


def test_a_folder_is_scored_video_by_video_and_code_1_says_that_some_failed(cli, run, make, place):
    for name in ("day/a", "day/b", "day/in/a"):
        make.video(place / f"{name}.mp4")
    (place / "day" / "broken.mp4").write_bytes(b"")
    answer = cli("score", "day", "--model", run, "--json", "many.json")

    assert answer.code == 1
    assert "failed: broken: day/broken.mp4: the video is empty (zero bytes)." in answer.out
    assert (answer.out + answer.err).count("broken.mp4") == 1
    assert "results: scores" in answer.out
    assert all((place / "scores" / name / "scores.parquet").is_file() for name in ("a", "b", "in/a"))
    figures = json.loads((place / "many.json").read_text())
    assert [video["video"] for video in figures["videos"]] == ["a", "b", "in/a"]
    assert [failed["video"] for failed in figures["failed"]] == ["broken"]
    (place / "day" / "broken.mp4").unlink()

    again = cli("score", "day/*", "--model", run)
    assert again.code == 0
    assert "3 videos finished before" in again.out


def test_how_sure_a_threshold_is_stands_in_sentences():
    assert describe(SETTING) == [
        "threshold 0.50000, release level 0.40000 for 1 false alarm a day",
        "8.00 hours of normal footage give 1 alarm at this threshold",
        "expected in 24 new normal hours: 0 to 0.25 alarms an hour (95 % interval)",
        "to know this rate to within a third, use at least 240 hours, more if alarms come in bursts",
        "there is too little footage to see so few alarms; the threshold is an estimate",
    ]
