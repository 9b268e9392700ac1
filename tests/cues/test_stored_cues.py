"""Cues that an earlier version stored are read, judge frames as they did then, and are stored again byte for byte."""

import json
from pathlib import Path

import numpy as np
import pytest

from maskedskipunet.cues.cue import CueScore
from maskedskipunet.cues.cue_model import CUES_NAME, CueModel
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.sized_frame import SizedFrame
from maskedskipunet.detection.frame_score import FrameScore

STORED = Path(__file__).parents[1] / "golden" / "cues_0_1_0"
TOLERANCE = 1e-5  # what another order of adding leaves in single precision
BAD, MAPPED, READ = 50, 20, (5, 20, 48)


def drawn(index: int, *, strange: bool) -> np.ndarray:
    """A grey frame, uint8 (1, 32, 64), of a room through which a patterned thing goes; a strange one goes faster."""
    rows, columns = np.mgrid[:32, :64]
    room = 110 + 12 * np.sin(rows / 3.0) * np.cos(columns / 4.0) + index % 7
    left = (5 * index if strange else 2 * index) % 96
    thing = 150 + 60 * np.sin(columns[6:26, :16] / 1.7 + (2 if strange else 0)) * np.cos(rows[6:26, :16] / 2.3)
    width = max(0, min(16, 64 - left))
    room[6:26, left : left + width] = thing[:, :width]
    return room.round().astype(np.uint8)[None]


@pytest.fixture(scope="module")
def model() -> CueModel:
    found = CueModel.read(STORED)
    assert found is not None
    return found


def column(scores: list[float | None]) -> np.ndarray:
    return np.array([np.nan if score is None else score for score in scores])


def test_scores_maps_and_readings_are_those_of_then(model: CueModel) -> None:
    golden = np.load(STORED / "scores.npz")
    frames = [
        SizedFrame(Frame(index, 2.0 * index, None), None if index == BAD else drawn(index, strange=index >= 12))
        for index in range(60)
    ]
    errors = np.linspace(0, 0.2, 2048, dtype=np.float32).reshape(32, 64) ** 2

    judged: dict[str, list[CueScore]] = {}
    for cue in model.cues:
        run = cue.start_run()
        judged[cue.name] = [*run.add(frames), *run.finish()]
    own = [
        FrameScore(index, 2.0 * index, None if index == BAD else 0.01 + 0.0005 * index, errors) for index in range(60)
    ]
    fused = [
        model.fusion(frame, {name: found[index] for name, found in judged.items()}) for index, frame in enumerate(own)
    ]

    assert [*judged] == ["movement", "appearance"]
    for name, found in judged.items():
        np.testing.assert_allclose(
            column([score.score for score in found]), golden[name], rtol=TOLERANCE, atol=TOLERANCE
        )
        np.testing.assert_allclose(found[MAPPED].places, golden[f"{name}.places"], rtol=TOLERANCE, atol=TOLERANCE)
    np.testing.assert_allclose(column([frame.score for frame in fused]), golden["fused"], rtol=TOLERANCE)
    np.testing.assert_allclose(fused[MAPPED].map, golden["map"], rtol=TOLERANCE, atol=TOLERANCE)
    np.testing.assert_allclose(fused[MAPPED].looks, golden["looks"], rtol=TOLERANCE, atol=TOLERANCE)
    readings = [{name: reading.to_dict() for name, reading in fused[index].readings.items()} for index in READ]
    assert_alike(readings, json.loads(golden["readings"].tobytes()))


def test_they_are_stored_again_byte_for_byte(model: CueModel, tmp_path: Path) -> None:
    assert model.names == ("reconstruction", "movement", "appearance")
    assert model.smoothing_s == 5.0

    model.write(tmp_path)

    assert (tmp_path / CUES_NAME).read_bytes() == (STORED / CUES_NAME).read_bytes()


def assert_alike(ours: object, theirs: object) -> None:
    """Compare plain values; numbers by the tolerance."""
    if isinstance(theirs, dict):
        assert isinstance(ours, dict)
        assert [*ours] == [*theirs]
        for name, value in theirs.items():
            assert_alike(ours[name], value)
    elif isinstance(theirs, list):
        assert isinstance(ours, list | tuple)
        assert len(ours) == len(theirs)
        for our, their in zip(ours, theirs, strict=True):
            assert_alike(our, their)
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, rel=TOLERANCE, abs=1e-3)  # looks and centres are rounded to 0.001
    else:
        assert ours == theirs
