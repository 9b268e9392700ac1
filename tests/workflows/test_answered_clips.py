"""Clips score again as they did at first, but for what the cues know."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest

import maskedskipunet as msu
from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.learning import learn_cues, with_reconstruction
from maskedskipunet.cues.normal_footage import NormalVideo
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.detection.budget import AlarmSetting, Budget, NormalScores
from maskedskipunet.detection.calibration import Calibration
from maskedskipunet.detection.events import Event, EventRule
from maskedskipunet.detection.fusing import EventReason
from maskedskipunet.detection.reading import APPEARANCE, CueReading
from maskedskipunet.input_format import InputFormat
from maskedskipunet.model.storage import write_cues_only
from maskedskipunet.progress import Silent
from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.workflows.answered_clips import ClipScorer
from maskedskipunet.workflows.answered_events import AnsweredEvents

SIZE = (32, 48)


@pytest.fixture(scope="module")
def cues() -> CueModel:
    frames = np.random.default_rng(0).integers(90, 110, (40, 3, *SIZE)).astype(np.uint8)
    video = NormalVideo("a", frames, np.arange(40) / 10, np.ones(40, np.bool_))
    return learn_cues([video], PlaceGrid.of_size(*SIZE), [APPEARANCE], lambda done: None)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    random = np.random.default_rng(1)
    with VideoWriter(tmp_path / "5f1c.mp4", height_px=SIZE[0], width_px=SIZE[1], frame_rate=10) as writer:
        for number in range(14):
            frame = random.integers(90, 110, (*SIZE, 3)).astype(np.uint8)
            frame[: 2 * (number % 5), :12] = 240
            writer.write(frame)
    return tmp_path / "5f1c.mp4"


def model_of(folder: Path, cues: CueModel, has_network: bool) -> CueModel:
    input_format = InputFormat(height_px=SIZE[0], width_px=SIZE[1])
    if has_network:
        network = msu.create_model("autoencoder", latent_dim=8)
        network.input_format = input_format
        network.save_pretrained(folder)
        cues = with_reconstruction(cues, np.linspace(0, 0.5, 50))
    else:
        folder.mkdir(parents=True)
        write_cues_only(folder, input_format, 3)
    cues.write(folder)
    return cues


def scores(found: object) -> Sequence[float]:
    assert isinstance(found, dict)
    return np.asarray(found["5f1c"].scores).tolist()


@pytest.mark.parametrize("has_network", [False, True])
@pytest.mark.parametrize("smoothing_s", [0.0, 0.5])
def test_scored_again_with_the_same_cues_a_clip_scores_the_same(
    cues: CueModel, clip: Path, tmp_path: Path, has_network: bool, smoothing_s: float
) -> None:
    folder = tmp_path / "run" / "model"
    written = model_of(folder, replace(cues, smoothing_s=smoothing_s), has_network)
    scorer = ClipScorer(folder, "cpu", Silent())

    first = scores(scorer.score([clip]))

    np.testing.assert_allclose(scores(scorer.score_again([clip], written)), first, atol=1e-4)
    bare = scores(scorer.score_again([clip], replace(written, smoothing_s=0.0)))
    assert np.allclose(bare, first, atol=1e-4, equal_nan=True) == (smoothing_s == 0)


def test_scored_again_with_cues_that_know_a_clip_it_scores_lower(cues: CueModel, clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run" / "model"
    written = model_of(folder, cues, has_network=False)
    scorer = ClipScorer(folder, "cpu", Silent())
    before = scores(scorer.score([clip]))

    after = scores(scorer.score_again([clip], scorer.learn({"5f1c": clip}, written)))

    assert max(after) < max(before) - 1


def test_of_a_clip_with_a_span_only_what_lies_within_is_learned(cues: CueModel, clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run" / "model"
    written = model_of(folder, cues, has_network=False)
    scorer = ClipScorer(folder, "cpu", Silent())
    before = scores(scorer.score([clip]))

    learned = scorer.learn({"5f1c": clip}, written, {"5f1c": (0.45, 0.95)})  # frames 5 to 9 of 14

    assert learned.appearance is not None
    times_s = [moment.time_s for moment in learned.appearance.moments if moment.video == "5f1c"]
    assert times_s == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9])
    after = scores(scorer.score_again([clip], learned))
    assert max(after[5:10]) < max(before[5:10]) - 1


def test_the_span_of_an_event_leaves_out_what_else_its_clip_shows() -> None:
    rule = EventRule(threshold=5.0, release=4.0, shortest_s=0.5, merge_s=2.0, pause_s=1.0)
    setting = AlarmSetting(rule, Budget(1, "hour"), 1.0, 8.0, 1, 0.0, 0.3, 24.0, 10.0, extrapolated=False)
    calibration = replace(Calibration.of({"normal": np.linspace(0, 4, 100)}), alarm=setting)
    event = Event("a", "room", 106.0, 109.0, 107.0, 106, 109, 107, 8.0, 7.0, ())
    recorded = RecordedEvent(event, "door", 0.0, 0.0, "end", 1, True, True, None, None, 1)
    answered = AnsweredEvents([recorded], [recorded], {"a": Path("a.mp4")}, ())
    found = NormalScores("a", np.arange(14.0), np.array([9, 9, 1, 1, 1, 1, 7, 8, 7, 4.5, 1, 1, 1, 1.0]))

    assert answered.spans({"a": found}, calibration, 5.0) == {"a": (3.5, 9.0)}  # a median of 5 s waits for half of them
    reading = CueReading(8.0, lasting_s=60.0)
    lasted = replace(recorded, event=replace(event, reason=EventReason.of({APPEARANCE: reading})))
    lasting = replace(answered, marked=[lasted], recorded_events=[lasted])
    assert lasting.spans({"a": found}, calibration, 5.0) == {"a": (-inf, 9.0)}  # what was there before is the same
    quiet = replace(found, scores=found.scores / 2)
    assert answered.spans({"a": quiet}, calibration, 5.0) == {}
