import numpy as np
import torch

import maskedskipunet as msu
from maskedskipunet.data.frames import Frame
from maskedskipunet.inference.prepare import prepare
from maskedskipunet.model.config import InputFormat
from maskedskipunet.scoring.scorer import Scorer
from maskedskipunet.workflows.precision import precision_effect


class Footage:
    """A source of noise."""

    def __init__(self, frames: int) -> None:
        self.drawn = np.random.default_rng(0).integers(0, 256, (frames, 32, 32, 3), np.uint8)

    def frames(self):
        return (Frame(index, index / 10, image) for index, image in enumerate(self.drawn))


def test_what_reduced_precision_changes_is_small_and_is_told(tmp_path):
    torch.manual_seed(0)
    network = msu.create_model("masked_skips", latent_dim=8)
    network.save_pretrained(tmp_path / "model")

    scorer = Scorer(prepare(network, "cpu", "bfloat16"), InputFormat(height_px=32, width_px=32))

    effect = precision_effect(tmp_path / "model", scorer, Footage(40))

    assert effect is not None
    assert effect.frames == 30  # the first 32, less one at each end
    assert 0 < effect.mean_difference <= effect.largest_difference < 0.1
    assert effect.describe().startswith("bfloat16 changes the scores of the first 30 frames by ")
    assert effect.figures()["largest_difference"] == effect.largest_difference


def test_footage_without_a_score_has_no_effect_to_tell(tmp_path):
    network = msu.create_model("masked_skips", latent_dim=8)
    network.save_pretrained(tmp_path / "model")
    scorer = Scorer(prepare(network, "cpu", "bfloat16"), InputFormat(height_px=32, width_px=32))

    assert precision_effect(tmp_path / "model", scorer, Footage(2)) is None
