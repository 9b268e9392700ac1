"""The network against outputs of the published one; tests/golden/README.md says how they were made."""

from pathlib import Path

import numpy as np
import pytest
import torch

import maskedskipunet as msu
from maskedskipunet.model.config import VARIANTS

GOLDEN = Path(__file__).parents[1] / "golden"

# float64 is held to rounding, float32 to what single precision leaves after some thirty layers
TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-5}


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_gives_what_the_published_network_gives(variant: str, dtype: torch.dtype) -> None:
    golden = np.load(GOLDEN / f"{variant}.npz")
    assert golden["variant"].item() == variant
    model = msu.create_model(
        variant,
        latent_dim=golden["latent_dim"].item(),
        clip_length=golden["clip_length"].item(),
        channels=golden["channels"].item(),
    )
    prefix = "weights/"
    state_dict = {name.removeprefix(prefix): torch.from_numpy(golden[name]) for name in golden if prefix in name}
    msu.load_published_weights(model, state_dict)
    model.eval().to(dtype)
    clip = torch.from_numpy(golden["clip"]).to(dtype)
    target = clip[:, :, clip.shape[2] // 2]

    with torch.inference_mode():
        output = model(clip)
        loss = msu.reconstruction_loss(target, output)
        maps = msu.score_map(target, output)
        scores = msu.frame_score(maps)

    for name, value in {"output": output, "loss": loss, "score_map": maps, "frame_score": scores}.items():
        np.testing.assert_allclose(value.double().numpy(), golden[name], rtol=0, atol=TOLERANCES[dtype], err_msg=name)


def test_a_checkpoint_of_the_published_training_loads() -> None:
    golden = np.load(GOLDEN / "reference_checkpoint_latent8_io.npz")
    model = msu.load_model(GOLDEN / "reference_checkpoint_latent8.pt").double()
    assert (model.config.variant, model.config.latent_dim, model.config.frames) == ("masked_skips", 8, 3)
    clip = torch.from_numpy(golden["clip"])
    with torch.inference_mode():
        output = model(clip)
        scores = msu.frame_score(msu.score_map(clip[:, :, 1], output))
    np.testing.assert_allclose(output.numpy(), golden["output"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(scores.numpy(), golden["frame_score"], rtol=0, atol=1e-10)
