import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.detection.budget import AlarmSetting, Budget
from maskedskipunet.detection.calibration import CALIBRATION_NAME, Calibration, keep_earlier, kept_counts
from maskedskipunet.detection.drift import DriftReference
from maskedskipunet.detection.events import EventRule
from maskedskipunet.errors import CalibrationError

NAN = float("nan")
SCORES = st.lists(st.floats(-5, 5).map(lambda value: round(value, 3)), min_size=1, max_size=80).map(np.array)


ALARM = AlarmSetting(
    EventRule(threshold=3, release=2), Budget(1, "day"), 1.0, 24.0, 1, 0.0, 0.2, 24.0, 240.0, extrapolated=False
)


def of(scores: np.ndarray) -> Calibration:
    return Calibration.of({"a": scores})


@given(SCORES)
def test_a_score_of_few_normal_frames_is_as_rare_as_counting_says(scores: np.ndarray) -> None:
    counted = [(scores >= score).mean() for score in scores]

    np.testing.assert_allclose(of(scores).share(scores), counted, rtol=1e-12)


@given(SCORES, SCORES)
def test_a_higher_score_is_never_more_common(normal: np.ndarray, others: np.ndarray) -> None:
    shares = of(normal).share(np.sort(others))

    assert (np.diff(shares) <= 0).all()
    assert ((shares > 0) & (shares <= 1)).all()


@given(SCORES, st.floats(0.001, 1))
def test_no_more_normal_frames_reach_a_threshold_than_were_allowed_but_for_one_frame(
    scores: np.ndarray, share: float
) -> None:
    calibration = of(scores)
    if share < calibration.shares[-1]:
        with pytest.raises(CalibrationError, match="cannot tell"):
            calibration.threshold(share)
        return
    threshold = calibration.threshold(share)

    assert (scores > threshold).mean() <= share + 1e-12
    assert calibration.share(np.array([threshold]))[0] == pytest.approx(share)


def test_a_score_above_all_normal_ones_is_rarer_than_one_frame_in_so_many() -> None:
    assert of(np.arange(9.0)).share(np.array([8.0, 8.1, 1e9])).tolist() == pytest.approx([1 / 9, 1 / 10, 1 / 10])


def test_frames_without_a_score_count_nowhere_and_have_no_share() -> None:
    assert of(np.array([NAN, 1.0, 2.0, NAN])) == of(np.array([1.0, 2.0]))
    assert np.isnan(of(np.array([1.0])).share(np.array([NAN]))).all()


def test_of_very_many_scores_few_are_kept_and_thresholds_stay_within_two_percent() -> None:
    scores = np.random.default_rng(0).gamma(2, 1, 200_000)
    calibration = of(scores)

    assert len(calibration.levels) < 600
    for share in (0.5, 0.05, 0.01, 0.001, 0.0001):
        assert (scores >= calibration.threshold(share)).mean() == pytest.approx(share, rel=0.02)


def test_of_many_scores_the_lowest_and_the_hundred_highest_are_kept() -> None:
    kept = kept_counts(12_345)

    assert kept[:100].tolist() == list(range(1, 101))
    assert kept[-1] == 12_345


@given(SCORES)
def test_what_is_written_is_read_back_as_it_was(scores: np.ndarray) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        of(scores).write(Path(folder))

        assert Calibration.read(Path(folder)) == of(scores)


def test_a_model_without_a_calibration_has_none(tmp_path: Path) -> None:
    assert Calibration.read(tmp_path) is None


def test_videos_without_any_score_cannot_calibrate() -> None:
    with pytest.raises(CalibrationError, match=r"a, b: no normal frame has a score\. Hold longer videos back"):
        Calibration.of({"a": np.array([NAN]), "b": np.empty(0)})


@pytest.mark.parametrize("share", [0, -1, 1.1, NAN])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(CalibrationError, match="Use above 0, at most 1"):
        of(np.arange(9.0)).threshold(share)


def test_a_threshold_that_so_few_frames_cannot_tell_is_refused() -> None:
    with pytest.raises(CalibrationError, match="9 normal frames cannot tell what one in 1,000 reaches"):
        of(np.arange(9.0)).threshold(0.001)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"format": 2}, "format 2, this version reads 1"),
        ({"frames": "many"}, "invalid literal"),
        ({"frames": 2}, "2 frames cannot tell"),
        ({"normal_scores": None}, "not subscriptable"),
        ({"normal_scores": {"level": [1, 2], "share_at_least": [1, 0.5, 0.2]}}, "do not belong together"),
        ({"normal_scores": {"level": [], "share_at_least": []}}, "do not belong together"),
        ({"normal_scores": {"level": [1, 2], "share_at_least": [0.9, 0.5]}}, "do not belong together"),
        ({"normal_scores": {"level": [2, 1], "share_at_least": [1, 0.5]}}, "do not rise"),
        ({"normal_scores": {"level": [1, 2], "share_at_least": [1, 1]}}, "do not rise"),
        ({"normal_scores": {"level": [1, float("nan")], "share_at_least": [1, 0.5]}}, "are no numbers"),
        ({"normal_scores": {"level": [1, "x"], "share_at_least": [1, 0.5]}}, "could not convert"),
    ],
)
def test_a_damaged_calibration_is_refused_by_what_is_wrong(tmp_path: Path, change: dict[str, Any], fault: str) -> None:
    of(np.arange(9.0)).write(tmp_path)
    path = tmp_path / CALIBRATION_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | change))

    with pytest.raises(CalibrationError, match=re.escape(str(path)) + ": not a calibration .*" + fault):
        Calibration.read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b"3"])
def test_what_is_no_calibration_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / CALIBRATION_NAME).write_bytes(content)

    with pytest.raises(CalibrationError, match="Calibrate the model again"):
        Calibration.read(tmp_path)


def test_a_threshold_is_written_and_read_with_the_rest(tmp_path: Path) -> None:
    calibration = replace(of(np.arange(9.0)), alarm=ALARM)
    calibration.write(tmp_path)

    assert Calibration.read(tmp_path) == calibration


def test_a_calibration_without_a_threshold_is_written_as_it_always_was(tmp_path: Path) -> None:
    of(np.arange(9.0)).write(tmp_path)

    assert sorted(json.loads((tmp_path / CALIBRATION_NAME).read_text())) == [
        "format",
        "frames",
        "normal_scores",
        "videos",
    ]


@pytest.mark.parametrize("alarm", [3, {}, ALARM.to_dict() | {"budget": {"alarms": -1, "per": "day"}}])
def test_a_damaged_threshold_is_refused(tmp_path: Path, alarm: Any) -> None:
    of(np.arange(9.0)).write(tmp_path)
    path = tmp_path / CALIBRATION_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | {"alarm": alarm}))

    with pytest.raises(CalibrationError, match="not a calibration"):
        Calibration.read(tmp_path)


def test_earlier_calibrations_are_kept_beside_the_new_one_each_under_a_number(tmp_path: Path) -> None:
    assert keep_earlier(tmp_path) is None
    for count in (3, 4, 5):
        keep_earlier(tmp_path)
        of(np.arange(float(count))).write(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "calibration.1.json",
        "calibration.2.json",
        "calibration.json",
    ]
    assert json.loads((tmp_path / "calibration.1.json").read_text())["frames"] == 3


def test_the_share_of_one_score_is_a_plain_number() -> None:
    assert of(np.arange(4.0)).share_of(2.0) == 0.5


def test_what_drift_is_held_against_is_written_and_read_with_the_rest_and_damage_refused(tmp_path: Path) -> None:
    drift = DriftReference(0.01, (0.0,) * 64, ((0.125,) * 64,), 0.2, 0.3, 24)
    calibration = replace(of(np.arange(9.0)), drift=drift)
    calibration.write(tmp_path)
    assert Calibration.read(tmp_path) == calibration

    path = tmp_path / CALIBRATION_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | {"drift": drift.to_dict() | {"centre": [1]}}))
    with pytest.raises(CalibrationError, match=r"not a calibration \(figures of drift that do not belong together\)"):
        Calibration.read(tmp_path)
