import json
import shutil

import numpy as np
import pytest

from maskedskipunet.cli.calibrate import told
from maskedskipunet.data.video import VideoWriter
from maskedskipunet.detection.budget import AlarmSetting, Budget
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
    assert len(list((model / "calibration").glob("noisy@*.png"))) == len(figures["highest"]) > 0

    one = cli("score", footage / "test" / "c.mp4", "--model", model, "--out", "one")
    assert one.code == 0
    assert f" at the threshold {figures['rule']['threshold']:.5f}" in one.out
    assert "one/events.json" in one.out

    test = cli("test", model, "--data", footage, "--videos", "false", "--json", "test.json")
    assert test.code == 0
    assert "1 anomalous stretches found" in test.out
    assert json.loads((place / "test.json").read_text())["alarms"]["stretches"] == 1


def test_a_folder_is_scored_video_by_video_and_code_1_says_that_some_failed(cli, run, make, place):
    for name in ("day/a", "day/b", "day/in/a"):
        make.video(place / f"{name}.mp4")
    (place / "day" / "broken.mp4").write_bytes(b"")
    answer = cli("score", "day", "--model", run, "--json", "many.json")

    assert answer.code == 1
    assert "failed: broken: day/broken.mp4: the video is empty (zero bytes)." in answer.out
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
    assert told(SETTING) == [
        "threshold 0.50000, release level 0.40000 for 1 false alarm a day",
        "8.00 hours of normal footage give 1 alarm at it",
        "24 hours of new normal footage will give 0 to 0.25 alarms an hour (95 %)",
        "to be sure of this budget to a third takes 240 hours of normal footage",
        "the budget lies beyond the footage: the threshold is an extrapolation by a fitted tail",
    ]
