"""Exported files of all variants against outputs of the published network; tests/golden/README.md says how they were
made.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

import maskedskipunet as msu
from maskedskipunet.input_format import InputFormat
from maskedskipunet.model.config import VARIANTS
from maskedskipunet.model.network import MaskedSkipUNet
from maskedskipunet.runtimes.backend import open_backend, open_file
from maskedskipunet.workflows.export import export, plain_scores

GOLDEN = Path(__file__).parents[1] / "golden"
TOLERANCE = 1e-4  # of a score, relative


def golden_network(variant: str) -> tuple[MaskedSkipUNet, np.ndarray]:
    """The network of a golden file, and its clips as a decoder would give them, uint8 (B, T, H, W, C)."""
    golden = np.load(GOLDEN / f"{variant}.npz")
    network = msu.create_model(
        variant,
        latent_dim=golden["latent_dim"].item(),
        clip_length=golden["clip_length"].item(),
        channels=golden["channels"].item(),
    )
    weights = {name.removeprefix("weights/"): torch.from_numpy(golden[name]) for name in golden if "weights/" in name}
    msu.load_published_weights(network, weights)
    clips = (golden["clip"] * 255).round().astype(np.uint8).transpose(0, 2, 3, 4, 1)
    network.input_format = InputFormat(height_px=clips.shape[2], width_px=clips.shape[3])
    return network.eval(), np.ascontiguousarray(clips)


@pytest.mark.parametrize("format", ["onnx", "openvino"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_an_exported_file_scores_the_golden_clips_as_the_plain_network(
    variant: str, format: str, tmp_path: Path
) -> None:
    network, clips = golden_network(variant)
    network.save_pretrained(tmp_path / "run")
    result = export(tmp_path / "run", format, tmp_path / "exported")  # type: ignore[arg-type]
    length, (height_px, width_px) = clips.shape[1], clips.shape[2:4]
    wanted = plain_scores(network, clips)

    whole = open_file(result.file, "clip").run({"clip": clips})
    np.testing.assert_allclose(whole["score"], wanted, rtol=TOLERANCE)
    assert whole["score_map"].shape == (len(clips), height_px, width_px)

    backend = open_backend(result.file)
    for clip, found in zip(torch.from_numpy(clips), whole["score"], strict=True):
        frames = clip.permute(0, 3, 1, 2).float() / 255
        reconstruction = backend.reconstruct_runs([backend.encode(frames)], height_px, width_px)
        maps = msu.score_map(frames[length // 2 : length // 2 + 1], reconstruction)
        np.testing.assert_allclose(msu.frame_score(maps), found, rtol=TOLERANCE)


def test_a_pt2_file_scores_the_golden_clips_as_the_plain_network(tmp_path: Path) -> None:
    network, clips = golden_network("two_masks")
    network.save_pretrained(tmp_path / "run")

    result = export(tmp_path / "run", "pt2", tmp_path / "exported")

    score, _ = torch.export.load(result.file).module()(torch.from_numpy(clips))
    np.testing.assert_allclose(score.detach(), plain_scores(network, clips), rtol=TOLERANCE)
    assert result.difference < TOLERANCE
