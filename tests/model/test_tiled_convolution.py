"""The convolution by tiles in training: against the library's, forward and backward, in double precision."""

import pytest
import torch
import torch.nn.functional as F

import maskedskipunet as msu
from maskedskipunet.model.convolutions import TILED_FROM, SkipConvolution
from maskedskipunet.model.tiled_convolution import tiled_conv2d


@pytest.mark.parametrize(
    ("kernel", "tile", "height", "width"), [(5, 9, 13, 17), (17, 32, 40, 24), (3, 8, 6, 6), (7, 13, 20, 9)]
)
def test_it_gives_and_learns_what_a_convolution_does(kernel: int, tile: int, height: int, width: int) -> None:
    torch.manual_seed(0)
    images = torch.randn(2, 3, height, width, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 3, kernel, kernel, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)
    found, expected = tiled_conv2d(images, weight, bias, tile), F.conv2d(images, weight, bias, padding=kernel // 2)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)

    towards = torch.randn_like(expected)
    for own, known in zip(
        torch.autograd.grad(found, (images, weight, bias), towards),
        torch.autograd.grad(expected, (images, weight, bias), towards),
        strict=True,
    ):
        torch.testing.assert_close(own, known, rtol=0, atol=1e-11)


def test_its_gradients_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    given = [
        torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((1, 2, 5, 6), (2, 2, 3, 3), (2,))
    ]
    assert torch.autograd.gradcheck(lambda *given: tiled_conv2d(*given, 6), given)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("variant", ["masked_skips", "conv3d_skips", "masked_skips_2d", "masked_blocks", "two_masks"])
def test_a_network_learns_the_same_with_tiles_outside_and_nothing_inside_the_holes(variant: str) -> None:
    torch.manual_seed(0)
    network = msu.create_model(variant, latent_dim=8).double().train()
    clip = torch.rand(2, 3, network.config.frames, 64, 48, dtype=torch.float64)
    target = clip[:, :, network.config.frames // 2]
    found = []
    for tiled in (False, True):
        for skip in network.skips:
            if isinstance(skip, SkipConvolution):
                skip.tiled = tiled
        network.zero_grad()
        msu.reconstruction_loss(target, network(clip)).backward()
        found.append(
            {name: weight.grad.clone() for name, weight in network.named_parameters() if weight.grad is not None}
        )
    assert found[0].keys() == found[1].keys()
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-9, atol=1e-12, msg=name)
    for layer in network.masked_layers():
        assert layer.weight.grad is not None
        assert not layer.weight.grad[(layer.mask == 0).expand_as(layer.weight)].any()


def test_small_kernels_stay_with_the_library() -> None:
    skip = SkipConvolution(2, frames=1, kernel=TILED_FROM - 2, mask_size=1)
    features = torch.randn(1, 1, 2, 8, 8)
    plain = skip(features)
    skip.tiled = True
    assert torch.equal(skip(features), plain)
