import warnings

import pytest
import torch

import maskedskipunet as msu
from maskedskipunet.errors import ConfigError, ShapeError
from maskedskipunet.inference.prepare import choose_device, prepare
from maskedskipunet.model.config import VARIANTS


@pytest.mark.parametrize("variant", VARIANTS)
def test_preparing_leaves_the_original_as_it_was(variant: str) -> None:
    network = msu.create_model(variant, latent_dim=8, masked_weights="frozen").train()
    clips = torch.rand(2, 3, network.config.frames, 32, 32)
    held = [*network.named_parameters()]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    asking = [weight.requires_grad for _, weight in held]

    prepared = prepare(network, "cpu")
    frames = clips[0].transpose(0, 1)
    first = prepared.reconstruct(prepared.encode(frames), 32, 32)

    assert network.training
    assert all(module.training for module in network.modules())
    assert [weight.requires_grad for weight in network.parameters()] == asking
    assert all(a is b for (_, a), (_, b) in zip(held, network.named_parameters(), strict=True))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())

    with torch.no_grad():
        for value in network.state_dict().values():
            value.fill_(7)
    assert torch.equal(prepared.reconstruct(prepared.encode(frames), 32, 32), first)
    assert not first.requires_grad


def test_prepared_for_one_size_it_gives_the_same_there_and_refuses_others() -> None:
    network, frames = msu.create_model("masked_skips", latent_dim=8), torch.rand(4, 3, 32, 48)
    free, bound = prepare(network, "cpu"), prepare(network, "cpu", size_px=(32, 48))

    for _ in range(2):
        found = bound.reconstruct(bound.encode(frames), 32, 48)
        assert torch.equal(found, free.reconstruct(free.encode(frames), 32, 48))
    with pytest.raises(ShapeError, match="frames of 32x32 for a network prepared for another size"):
        bound.encode(torch.rand(1, 3, 32, 32))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_prepared_network_says_what_it_looks_at(variant: str) -> None:
    network = msu.create_model(variant, latent_dim=8, channels=1)

    prepared = prepare(network, torch.device("cpu"))

    assert (prepared.clip_length, prepared.channels) == (network.config.frames, 1)
    assert prepared.device == torch.device("cpu")


def test_auto_takes_a_gpu_where_there_is_one() -> None:
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("device", ["", "gpu", "cpu0", "cuda:99", "mps", "xpu", "hpu", "xla", "privateuseone", "meta"])
def test_a_device_that_cannot_compute_is_refused_by_its_name(device: str) -> None:
    if device == "mps" and torch.backends.mps.is_available():
        pytest.skip("it is there")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, which looks for hardware
        with pytest.raises(ConfigError) as refusal:
            choose_device(device)

    assert str(refusal.value) == f"device: there is no device {device}. Use auto, cpu or cuda."


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_is_refused_where_there_is_no_gpu() -> None:
    with pytest.raises(ConfigError, match="there is no device cuda"):
        prepare(msu.create_model("unet", latent_dim=8), "cuda")


def test_a_precision_that_is_not_known_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"precision: 'int8'\. Use float32 or bfloat16"):
        prepare(msu.create_model("unet", latent_dim=8), "cpu", "int8")  # type: ignore[arg-type]
