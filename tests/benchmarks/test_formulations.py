"""What we are compared with in benchmarks gives what the published network gives."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import maskedskipunet as msu

ROOT = Path(__file__).parents[2]


@pytest.mark.filterwarnings("ignore:TF32 acceleration")  # torch, wherever oneDNN is switched on or off
@pytest.mark.parametrize("name", ["AsPublished", "CarefulRewrite"])
def test_each_formulation_is_held_to_the_golden_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    import formulations

    golden = np.load(ROOT / "tests" / "golden" / "masked_skips.npz")
    network = msu.create_model("masked_skips", latent_dim=golden["latent_dim"].item())
    weights = {key.removeprefix("weights/"): torch.from_numpy(golden[key]) for key in golden if "weights/" in key}
    msu.load_published_weights(network, weights)
    form: Any = getattr(formulations, name)(network.double().eval())

    with torch.inference_mode():
        output = form(torch.from_numpy(golden["clip"]).double())

    np.testing.assert_allclose(output.numpy(), golden["output"], rtol=0, atol=1e-10)
