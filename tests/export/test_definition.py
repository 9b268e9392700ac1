"""The exported form of a network gives the plain network's scores, computed by torch."""

import numpy as np
import pytest
import torch

import maskedskipunet as msu
from maskedskipunet.export.definition import ExportedNetwork
from maskedskipunet.export.torch_operations import ClipModule, EncodeModule, ReconstructModule
from maskedskipunet.model.config import VARIANTS
from maskedskipunet.model.network import MaskedSkipUNet
from maskedskipunet.workflows.export import plain_scores, sample_clips

EXACT = 1e-5  # relative: another order of adding in single precision


def trained(variant: str, **settings: int) -> MaskedSkipUNet:
    """A network whose batch norms are not trivial."""
    torch.manual_seed(0)
    network = msu.create_model(variant, latent_dim=8, **settings).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 2)
            layer.weight.data.uniform_(0.5, 2)
            layer.bias.data.normal_(0, 0.2)
    return network


@pytest.mark.parametrize(
    ("variant", "settings", "size"),
    [(variant, {}, (32, 48)) for variant in VARIANTS]
    + [
        ("masked_skips", {"clip_length": 5, "channels": 1}, (16, 48)),  # no shifted patch lies inside
        ("masked_skips", {"clip_length": 1}, (32, 16)),
        ("full_conv3d", {"clip_length": 1}, (16, 16)),
        ("full_conv3d", {"clip_length": 5, "channels": 1}, (32, 32)),
    ],
)
def test_whole_clips_and_the_two_parts_score_as_the_plain_network(
    variant: str, settings: dict[str, int], size: tuple[int, int]
) -> None:
    network = trained(variant, **settings)
    length = network.config.frames
    clips = sample_clips(length, *size, network.config.channels)
    exported, pixels = ExportedNetwork.of(network, *size), torch.from_numpy(clips)

    with torch.inference_mode():
        score, maps = ClipModule(exported)(pixels)
        levels = EncodeModule(exported)(pixels.flatten(0, 1))
        clip_levels = [level.unflatten(0, (-1, length)) for level in levels]
        from_parts, same_maps, reconstruction = ReconstructModule(exported)(pixels[:, length // 2], *clip_levels)

    wanted = plain_scores(network, clips)
    np.testing.assert_allclose(score, wanted, rtol=EXACT)
    np.testing.assert_allclose(from_parts, wanted, rtol=EXACT)
    np.testing.assert_allclose(maps, same_maps, atol=EXACT)
    assert maps.shape == (len(clips), *size)
    assert reconstruction.shape == (len(clips), network.config.channels, *size)
    assert [level.shape[1:] for level in levels] == [torch.Size(shape) for shape in exported.feature_shapes.values()]


@pytest.mark.parametrize("variant", ["masked_skips", "full_conv3d"])
def test_what_is_ignored_changes_no_score_of_a_whole_clip(variant: str) -> None:
    network, ignored = trained(variant), np.zeros((32, 48), np.bool_)
    ignored[8:24, 20:] = True
    clips = sample_clips(3, 32, 48, 3)
    others = np.where(ignored[:, :, None], 255 - clips, clips)
    module = ClipModule(ExportedNetwork.of(network, 32, 48, ignored))

    with torch.inference_mode():
        score, maps = module(torch.from_numpy(clips))
        other, _ = module(torch.from_numpy(others))

    np.testing.assert_array_equal(score, other)
    np.testing.assert_allclose(score, plain_scores(network, clips, ignored), rtol=EXACT)
    assert not maps[:, ignored].any()
    assert maps[:, ~ignored].all()


def test_exporting_leaves_the_network_as_it_was() -> None:
    for variant in ("masked_blocks", "full_conv3d"):
        network = trained(variant)
        before = {name: value.clone() for name, value in network.state_dict().items()}

        exported = ExportedNetwork.of(network, 32, 32)
        exported.weights.encoder[0].kernels[0].zero_()
        exported.weights.decoder[0].project.zero_()

        assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
