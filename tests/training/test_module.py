from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.data.clips import Clips
from maskedskipunet.model.network import create_model
from maskedskipunet.model.score import reconstruction_loss
from maskedskipunet.training.module import CosineRate, TrainingModule


@pytest.mark.parametrize(("variant", "length"), [("masked_skips", 3), ("masked_skips", 5), ("unet", 1)])
def test_the_loss_is_that_of_the_middle_frame_in_0_to_1(variant: str, length: int) -> None:
    network = create_model(variant, latent_dim=8, clip_length=length).eval()
    batch = torch.randint(0, 256, (2, length, 3, 32, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))

    module = TrainingModule(network, learning_rate=0.1)
    module.log = lambda *_, **__: None  # type: ignore[method-assign]  # it has no trainer here
    module._trainer = SimpleNamespace(global_step=0)  # type: ignore[assignment]
    loss = module.training_step(batch, 0)

    target = batch[:, length // 2].float() / 255
    clip = torch.stack([batch[:, at].float() / 255 for at in range(length)], dim=2)
    assert torch.equal(loss, reconstruction_loss(target, network(clip)))


def test_frozen_masked_weights_are_not_the_optimizers(train_clips: Clips) -> None:
    network = create_model(latent_dim=8, masked_weights="frozen")
    optimizer = TrainingModule(network, learning_rate=0.1).configure_optimizers()

    assert isinstance(optimizer, torch.optim.Adam)
    held = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    kernels = {id(layer.weight) for layer in network.masked_layers()}
    assert held == {id(weight) for weight in network.parameters()} - kernels
    assert len(kernels) == 4


@given(st.integers(2, 5000))
def test_the_cosine_rate_rises_to_the_whole_and_falls_to_nothing(steps: int) -> None:
    rates = [CosineRate(steps)(step) for step in range(steps + 1)]

    assert max(rates) == 1
    assert all(0 < rate <= 1 for rate in rates[:-1])
    assert rates[-1] == pytest.approx(0, abs=1e-12)  # at the step after the last
    top = rates.index(1)
    assert top <= 0.15 * steps + 1
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
