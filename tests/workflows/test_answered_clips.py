"""Clips score again as they did at first, but for what the cues know."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import maskedskipunet as msu
from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.learning import learn_cues, with_reconstruction
from maskedskipunet.cues.normal_footage import NormalVideo
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.detection.reading import APPEARANCE
from maskedskipunet.input_format import InputFormat
from maskedskipunet.model.storage import write_cues_only
from maskedskipunet.progress import Silent
from maskedskipunet.workflows.answered_clips import ClipScorer

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
