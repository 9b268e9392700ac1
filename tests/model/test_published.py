from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import maskedskipunet as msu
from maskedskipunet.errors import WeightsError
from maskedskipunet.model.config import VARIANTS
from maskedskipunet.model.network import MaskedSkipUNet
from maskedskipunet.model.published import published_config

GOLDEN = Path(__file__).parents[1] / "golden"
MASKED = [name for name, row in VARIANTS.items() if "masked" in row.skips]


def published_weights(variant: str) -> dict[str, Tensor]:
    prefix = "weights/"
    with np.load(GOLDEN / f"{variant}.npz") as golden:
        return {name.removeprefix(prefix): torch.from_numpy(golden[name]) for name in golden if name.startswith(prefix)}


def network(variant: str = "masked_skips") -> MaskedSkipUNet:
    return msu.create_model(variant, latent_dim=8)


def refusal_of(model: MaskedSkipUNet, weights: dict[str, Tensor]) -> str:
    """What is said when weights are refused; the model must stay as it was."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(WeightsError) as refusal:
        msu.load_published_weights(model, weights)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    message = str(refusal.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize("variant", VARIANTS)
def test_published_weights_say_which_network_they_belong_to(variant: str) -> None:
    with np.load(GOLDEN / f"{variant}.npz") as golden:
        stated = [golden[name].item() for name in ("variant", "latent_dim", "clip_length", "channels")]

    config = published_config(published_weights(variant))

    assert [config.variant, config.latent_dim, config.frames, config.channels] == stated


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_checkpoint_file_of_every_variant_loads_as_its_weights_do(variant: str, tmp_path: Path) -> None:
    weights = published_weights(variant)
    torch.save(OrderedDict(weights), tmp_path / "model.pt")
    model = network(variant)

    msu.load_published_weights(model, weights)

    loaded = msu.load_model(tmp_path / "model.pt").state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("variant", VARIANTS)
def test_weights_of_another_variant_are_refused(variant: str) -> None:
    weights = published_weights(variant)
    for other in VARIANTS.keys() - {variant}:
        message = refusal_of(network(other), weights)

        assert message.startswith(f"weights of a network with variant {variant}, not {other}. Create the model with")


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        (msu.create_model(latent_dim=16), "latent_dim 8, not 16"),
        (msu.create_model(latent_dim=8, clip_length=5), "frames 3, not 5"),
        (msu.create_model(latent_dim=8, clip_length=1), "frames 3, not 1"),
        (msu.create_model(latent_dim=8, channels=1), "channels 3, not 1"),
    ],
)
def test_weights_of_another_size_clip_length_or_number_of_channels_are_refused(
    model: MaskedSkipUNet, fault: str
) -> None:
    assert refusal_of(model, published_weights("masked_skips")) == (
        f"weights of a network with {fault}. "
        "Create the model with variant masked_skips, latent_dim 8, clip_length 3, channels 3."
    )


@pytest.mark.parametrize("variant", MASKED)
def test_every_mask_must_be_the_publications(variant: str) -> None:
    weights = published_weights(variant)
    masks = [name for name in weights if name.endswith("filter_mask")]
    assert len(masks) == VARIANTS[variant].skips.count("masked") + 24 * VARIANTS[variant].masked_blocks

    model = network(variant)
    for name in masks:
        for other in (
            1 - weights[name],
            weights[name][..., :-1],
            weights[name][None].repeat(2, 1, 1, 1),
            torch.ones(()),
        ):
            message = refusal_of(model, weights | {name: other})
            assert message == f"{name} is another mask than the publication's. Train the network again."


def test_the_mask_of_another_level_is_another_mask() -> None:
    weights = published_weights("masked_skips")

    assert "mconv1.filter_mask is another mask" in refusal_of(
        network(), weights | {"mconv1.filter_mask": weights["mconv2.filter_mask"]}
    )
    assert "mconv7.filter_mask is another mask" in refusal_of(
        network(), weights | {"mconv7.filter_mask": weights["mconv1.filter_mask"]}
    )


def test_masks_may_be_of_any_type_and_may_be_left_out() -> None:
    weights = published_weights("masked_blocks")
    typed = {name: value.bool() if name.endswith("filter_mask") else value for name, value in weights.items()}
    without = {name: value for name, value in weights.items() if not name.endswith("filter_mask")}

    for same in (typed, without):
        model = network("masked_blocks").double()
        msu.load_published_weights(model, same)
        assert torch.equal(model.skips[0].weight.float(), weights["mconv1.conv.weight"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_any_weight_that_is_missing_or_too_much_is_named(variant: str) -> None:
    weights = published_weights(variant)
    # A mask need not be there, and the published last block owns a batch norm that it never applies.
    needed = [name for name in weights if "filter_mask" not in name and "decoder.conv_4.batch_norm_2" not in name]
    model = network(variant)

    for name in needed[::9]:
        refusal_of(model, {other: value for other, value in weights.items() if other != name})
    for name, weight in (("decoder.conv_5.bias", torch.zeros(1)), ("decoder.conv_1.conv_last.bias", torch.zeros(1, 2))):
        message = refusal_of(model, weights | {name: weight})
        assert message == f"{name} of shape {tuple(weight.shape)} does not fit variant {variant}."


def test_what_is_missing_is_counted_and_the_first_named() -> None:
    weights = published_weights("masked_skips")
    del weights["decoder.conv_1.conv_last.bias"], weights["encoder.conv_2.conv_last.bias"]

    assert refusal_of(network(), weights) == (
        "2 weights are missing, decoder.0.project.bias first. Name a whole checkpoint."
    )


@pytest.mark.parametrize("extra", [{"epoch": 3}, {"optimizer": {}}, {7: torch.zeros(1)}])
def test_a_checkpoint_that_holds_more_than_weights_is_refused(extra: dict[str, Tensor]) -> None:
    assert "not the weights of a published network" in refusal_of(network(), published_weights("masked_skips") | extra)


@pytest.mark.parametrize("weights", [{}, {"weight": torch.zeros(3)}, torch.zeros(3), [torch.zeros(3)], None])
def test_what_is_no_published_state_dict_is_refused(weights: dict[str, Tensor]) -> None:
    assert refusal_of(network(), weights) == (
        "not the weights of a published network. Name a checkpoint of the published code."
    )
