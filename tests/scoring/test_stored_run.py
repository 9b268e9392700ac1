"""A run folder that an earlier version wrote is read and scores as it did then."""

import json
from pathlib import Path

import numpy as np
import pytest

import maskedskipunet as msu
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.input_format import InputFormat
from maskedskipunet.model.pretrained import load_model
from maskedskipunet.runs import RunFolder
from maskedskipunet.scoring.loading import load_scorer
from maskedskipunet.training.config import TrainConfig

GOLDEN = Path(__file__).parents[1] / "golden"
RUN = GOLDEN / "run_0_1_0"
TOLERANCE = 1e-5  # what another order of adding leaves in single precision


def drawn(index: int, *, strange: bool = False) -> np.ndarray:
    """A room with a square that passes, and where it is strange a part of it striped."""
    rows, columns = np.mgrid[:48, :64]
    room = (40 + 5 * ((rows // 8 * 7 + columns // 8 * 13) % 24)).astype(np.uint8)
    frame = np.stack([room, room + 10, 200 - room], axis=2)
    left = (3 * index) % 48
    frame[8:24, left : left + 16] = (220, 30 + 5 * (index % 20), 40)
    if strange:
        frame[26:44, 4:44] = np.where((rows + columns + index) % 3 == 0, 255, 0)[26:44, 4:44, None]
    return frame


def test_scores_maps_and_events_are_those_of_then() -> None:
    golden = np.load(GOLDEN / "run_0_1_0_scores.npz")
    frames = (drawn(index, strange=30 <= index < 50) for index in range(70))

    found = msu.load_detector(RUN).predict(frames, fps=10)

    def column(values: list[float | None]) -> np.ndarray:
        return np.array([np.nan if value is None else value for value in values])

    np.testing.assert_allclose(column([result.score for result in found]), golden["scores"], rtol=TOLERANCE)
    np.testing.assert_allclose(column([result.normal_share for result in found]), golden["share"], atol=1e-3)
    np.testing.assert_allclose(found[40].score_map, golden["map"], atol=TOLERANCE)
    assert [-1 if result.event is None else result.event.start_frame for result in found] == golden["event"].tolist()


def test_its_description_and_calibration_are_read_and_written_as_they_are(tmp_path: Path) -> None:
    scorer = load_scorer(RUN, "cpu")
    assert scorer.input_format == InputFormat(height_px=32, width_px=48, footage_fps=10, ignore=("70%,70%,20%,20%",))
    assert (scorer.geometry.length, scorer.geometry.spacing) == (5, 1)

    load_model(RUN).save_pretrained(tmp_path)
    assert (tmp_path / "config.json").read_bytes() == (RUN / "model" / "config.json").read_bytes()
    calibration = Calibration.read(RUN / "model")
    assert calibration is not None
    assert calibration == scorer.calibration
    calibration.write(tmp_path)
    assert json.loads((tmp_path / "calibration.json").read_text()) == json.loads(
        (RUN / "model" / "calibration.json").read_text()
    )


def test_its_settings_are_read() -> None:
    config = TrainConfig.from_dict(RunFolder(RUN).read_config())

    assert config.data.spacing == 1
    assert config.model.frames == 5
    assert config.input_format.ignore == ("70%,70%,20%,20%",)
    assert pytest.approx(config.training.learning_rate) == 0.01
