"""Thresholds by the part of the day: set by `calibrate`, used where a video's time of day is known."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.detection.budget import Budget
from maskedskipunet.detection.day import read_parts
from maskedskipunet.errors import ConfigError
from maskedskipunet.runs import RunFolder
from maskedskipunet.workflows.calibrate import CalibrateOptions, CalibrateResult, calibrate
from maskedskipunet.workflows.day_parts import note_unknown_times
from maskedskipunet.workflows.input_selection import NamedVideo
from maskedskipunet.workflows.score import score
from maskedskipunet.workflows.score_many import score_many

PARTS = read_parts("day=7-20,night=20-7")
OFTEN = Budget(40, "hour")
FRAMES = 90


def write_noise(path: Path, strength: int) -> Path:
    """Six minutes in which noise grows now and then, to another height each time."""
    random = np.random.default_rng(strength)
    with VideoWriter(path, height_px=32, width_px=48, frame_rate=0.25) as writer:
        for at in range(FRAMES):
            noise = random.integers(0, 5 + (strength + at % 30 if at % 9 < 3 else 0), (32, 48, 3))
            writer.write((80 + noise).astype(np.uint8))
    return path


@pytest.fixture(scope="module")
def hours(tmp_path_factory: pytest.TempPathFactory) -> list[NamedVideo]:
    """A lively noon and a quieter night."""
    folder = tmp_path_factory.mktemp("hours")
    return [NamedVideo(name, write_noise(folder / f"{name}.mp4", much)) for name, much in (("12", 90), ("02", 10))]


@pytest.fixture(scope="module")
def calibrated(
    trained: RunFolder, hours: list[NamedVideo], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, CalibrateResult]:
    model = Path(shutil.copytree(trained.path, tmp_path_factory.mktemp("model") / "run"))
    return model, calibrate(model, hours, OFTEN, CalibrateOptions(parts=PARTS, starts="%H"))


def test_each_part_of_the_day_has_its_threshold_and_scoring_uses_it(
    calibrated: tuple[Path, CalibrateResult], hours: list[NamedVideo], tmp_path: Path, listener: Any
) -> None:
    model, result = calibrated
    setting = result.calibration.alarm
    assert setting is not None
    assert setting.day is not None
    own = {each.part.name: each.rule for each in setting.day.parts}
    assert own["day"] is not None
    assert own["night"] is not None
    assert own["night"].threshold != own["day"].threshold

    count = 0
    for video, part in zip(hours, ("day", "night"), strict=True):
        scored = score(video.path, model, tmp_path / part, progress=listener)
        rule = own[part]
        assert rule is not None
        thresholds = pq.read_table(scored.scores_path)["threshold"].to_pylist()
        assert thresholds == [rule.threshold] * FRAMES
        assert json.loads((tmp_path / part / "events.json").read_text())["rule"]["threshold"] == rule.threshold
        assert scored.scored.events is not None
        assert all(event.top_score >= rule.threshold for event in scored.scored.events)
        count += len(scored.scored.events)
    assert count == setting.alarms > 0
    assert not any("time of day" in note for note in listener.notes)


def test_a_video_whose_time_is_not_known_is_held_against_the_common_threshold_and_that_is_said_once(
    calibrated: tuple[Path, CalibrateResult], hours: list[NamedVideo], tmp_path: Path, listener: Any
) -> None:
    model, result = calibrated
    videos = [NamedVideo(name, Path(shutil.copy(hours[1].path, tmp_path / f"{name}.mp4"))) for name in ("hall", "yard")]
    score_many([*videos, hours[1]], model, tmp_path / "out", progress=listener)

    told = [note for note in listener.notes if "time of day" in note]
    assert told == ["the time of day is not known of hall.mp4, yard.mp4: the common threshold is used"]
    assert result.calibration.alarm is not None
    common = result.calibration.alarm.rule.threshold
    thresholds = {
        name: pq.read_table(tmp_path / "out" / name / "scores.parquet")["threshold"].to_pylist()[0]
        for name in ("hall", "yard", "02")
    }
    assert thresholds == {"hall": common, "yard": common, "02": pytest.approx(result_rule(result, "night"))}


def test_where_no_part_of_the_day_has_a_threshold_of_its_own_no_time_needs_to_be_known(
    calibrated: tuple[Path, CalibrateResult], tmp_path: Path, listener: Any
) -> None:
    calibration = calibrated[1].calibration
    assert calibration.alarm is not None
    day = calibration.alarm.day
    assert day is not None
    bare = replace(day, parts=tuple(replace(part, rule=None, median_score=None) for part in day.parts))

    for setting in (bare, None):
        one = replace(calibration, alarm=replace(calibration.alarm, day=setting))
        note_unknown_times(one, [tmp_path / "hall.mp4"], listener)
    assert listener.notes == []
    note_unknown_times(calibration, [tmp_path / "hall.mp4"], listener)
    assert len(listener.notes) == 1


def result_rule(result: CalibrateResult, name: str) -> float:
    assert result.calibration.alarm is not None
    assert result.calibration.alarm.day is not None
    (rule,) = [each.rule for each in result.calibration.alarm.day.parts if each.part.name == name]
    assert rule is not None
    return rule.threshold


@pytest.mark.parametrize(
    ("starts", "told"),
    [
        (None, "12.mp4: the file does not say when it was recorded. Give the pattern of names with --starts"),
        ("%H-%M", "12.mp4: its name is no '%H-%M'. Give a pattern that fits"),
        ("%d", "starts: '%d' holds no hour"),
    ],
)
def test_footage_whose_time_is_not_known_cannot_be_calibrated_by_parts(
    starts: str | None, told: str, trained: RunFolder, hours: list[NamedVideo]
) -> None:
    with pytest.raises(ConfigError) as refused:
        calibrate(trained.path, hours, OFTEN, CalibrateOptions(parts=PARTS, starts=starts))
    assert told in str(refused.value)
    assert not (trained.model / "calibration.json").exists()
