import pytest
import torch
from torch import Tensor

import maskedskipunet as msu
from maskedskipunet.errors import ConfigError, ShapeError
from maskedskipunet.model.config import VARIANTS
from maskedskipunet.model.convolutions import SkipConvolution
from maskedskipunet.model.network import MaskedSkipUNet

MASKED = [name for name, row in VARIANTS.items() if "masked" in row.skips]
TAKING_CLIPS = [name for name, row in VARIANTS.items() if not row.single_frame]
ENCODING_FRAMES = [name for name, row in VARIANTS.items() if not row.mixes_frames]
SIZES = ((16, 16), (48, 32), (16, 64))


def network(
    variant: str, *, clip_length: int | None = None, channels: int = 3, masked_weights: str = "learned"
) -> MaskedSkipUNet:
    torch.manual_seed(0)
    return msu.create_model(
        variant, latent_dim=8, clip_length=clip_length, channels=channels, masked_weights=masked_weights
    )


def clips_for(model: MaskedSkipUNet, *, count: int = 2, height: int = 64, width: int = 64) -> Tensor:
    shape = (count, model.config.channels, model.config.frames, height, width)
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


def take_a_step(model: MaskedSkipUNet, clips: Tensor) -> None:
    """What training does once: only what asks for a gradient is in the optimizer's hands."""
    optimizer = torch.optim.Adam([weight for weight in model.parameters() if weight.requires_grad], lr=1e-2)
    msu.reconstruction_loss(clips[:, :, model.config.frames // 2], model(clips)).backward()
    optimizer.step()


def fill_the_holes(model: MaskedSkipUNet) -> None:
    with torch.no_grad():
        for layer in model.masked_layers():
            layer.weight += (1 - layer.mask) * torch.randn_like(layer.weight) * 1e3


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_rebuilds_one_frame_of_clips_of_any_odd_length_and_size(variant: str, channels: int) -> None:
    for clip_length in (1,) if VARIANTS[variant].single_frame else (1, 3, 5):
        model = network(variant, clip_length=clip_length, channels=channels).eval()
        for height, width in SIZES:
            clips = clips_for(model, height=height, width=width)
            with torch.inference_mode():
                output = model(clips)
                again = model(clips)

            assert output.shape == (2, channels, height, width)
            assert output.min() >= 0
            assert output.max() <= 1
            assert torch.equal(output, again)


@pytest.mark.parametrize("latent_dim", [8, 24, 40])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_takes_any_multiple_of_eight_as_its_latent_dimension(variant: str, latent_dim: int) -> None:
    model = msu.create_model(variant, latent_dim=latent_dim).eval()

    with torch.inference_mode():
        assert model(clips_for(model, height=32, width=16)).shape == (2, 3, 32, 16)


def test_the_published_size_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        model = msu.create_model("masked_skips", latent_dim=512)

    assert round(sum(weight.numel() for weight in model.parameters()) / 1e6, 1) == 115.8


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_other_clips_of_a_batch_do_not_change_a_reconstruction(variant: str) -> None:
    model = network(variant).eval()
    clips = clips_for(model, count=3, height=32, width=48)

    with torch.inference_mode():
        together = model(clips)
        alone = torch.cat([model(clip[None]) for clip in clips])

    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("variant", ENCODING_FRAMES)
def test_frames_encoded_one_by_one_decode_to_the_same_reconstruction(variant: str) -> None:
    model = network(variant).eval()
    clips = clips_for(model, height=32, width=48)

    with torch.inference_mode():
        frames = [model.encode(frame) for frame in clips.unbind(dim=2)]
        decoded = model.decode([torch.stack(level, dim=1) for level in zip(*frames, strict=True)])

        assert torch.equal(model(clips), decoded)
    shapes = [level.shape[1:] for level in frames[0]]
    assert shapes == [(1, 16, 24), (2, 8, 12), (4, 4, 6), (8, 2, 3)]


@pytest.mark.parametrize("variant", TAKING_CLIPS)
def test_the_frames_around_the_target_take_part_in_its_reconstruction(variant: str) -> None:
    model = network(variant, clip_length=5)
    clips = clips_for(model).requires_grad_()

    model(clips).square().sum().backward()

    assert clips.grad is not None
    assert all(frame.abs().max() > 0 for frame in clips.grad.unbind(dim=2))


@pytest.mark.parametrize("variant", MASKED)
def test_one_step_of_training_moves_every_tap_of_a_masked_kernel_but_those_in_its_hole(variant: str) -> None:
    model = network(variant)
    before = [layer.weight.detach().clone() for layer in model.masked_layers()]
    assert len(before) == VARIANTS[variant].skips.count("masked") + 24 * VARIANTS[variant].masked_blocks

    take_a_step(model, clips_for(model))

    for layer, start in zip(model.masked_layers(), before, strict=True):
        moved = layer.weight != start
        assert torch.equal(moved, (layer.mask > 0).expand_as(moved))


@pytest.mark.parametrize("variant", MASKED)
def test_whatever_the_holes_hold_the_reconstruction_is_the_same(variant: str) -> None:
    model = network(variant)
    clips = clips_for(model, height=32, width=48)
    with torch.no_grad():
        trained = model(clips)  # batch statistics
        used = model.eval()(clips)

    fill_the_holes(model)

    with torch.no_grad():
        assert torch.equal(model(clips), used)
        assert torch.equal(model.train()(clips), trained)


@pytest.mark.parametrize("variant", VARIANTS)
def test_frozen_keeps_the_masked_kernels_and_nothing_else(variant: str) -> None:
    model = network(variant, masked_weights="frozen")
    kernels = [layer.weight for layer in model.masked_layers()]
    biases = [layer.bias for layer in model.masked_layers() if isinstance(layer, SkipConvolution)]
    start = {name: weight.detach().clone() for name, weight in model.named_parameters()}

    take_a_step(model, clips_for(model))

    for name, weight in model.named_parameters():
        frozen = any(weight is kernel for kernel in kernels)
        assert weight.requires_grad != frozen
        assert (weight.grad is None) == frozen
        # A bias before a batch norm changes nothing and may stay; a skip's does not stand there.
        if frozen or weight.dim() > 1 or any(weight is bias for bias in biases):
            assert torch.equal(weight, start[name]) == frozen, name


@pytest.mark.parametrize("masked_weights", ["learned", "frozen"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_forward_keeps_the_very_parameters_that_the_optimizer_holds(variant: str, masked_weights: str) -> None:
    model = network(variant, masked_weights=masked_weights)
    held = [*model.named_parameters()]

    model(clips_for(model, height=32, width=32))

    now = [*model.named_parameters()]
    assert [name for name, _ in now] == [name for name, _ in held]
    assert all(a is b for (_, a), (_, b) in zip(held, now, strict=True))


def test_learned_and_frozen_start_from_the_same_weights() -> None:
    learned, frozen = network("masked_blocks"), network("masked_blocks", masked_weights="frozen")

    assert all(torch.equal(a, b) for a, b in zip(learned.parameters(), frozen.parameters(), strict=True))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 3, 32, 32), "masked_skips: a clip of shape (3, 3, 32, 32), not (B, 3, 3, H, W)"),
        ((1, 1, 3, 32, 32), "masked_skips: a clip of shape (1, 1, 3, 32, 32), not (B, 3, 3, H, W)"),
        ((1, 3, 5, 32, 32), "masked_skips: a clip of shape (1, 3, 5, 32, 32), not (B, 3, 3, H, W)"),
        ((1, 3, 3, 40, 32), "masked_skips: frames of 40x32. Use multiples of 16"),
        ((1, 3, 3, 32, 8), "masked_skips: frames of 32x8. Use multiples of 16"),
        ((1, 3, 3, 0, 32), "masked_skips: frames of 0x32. Use multiples of 16"),
    ],
)
def test_a_clip_of_another_shape_is_refused_with_the_shape_it_should_have(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError) as refusal:
        network("masked_skips")(torch.zeros(shape))

    assert str(refusal.value).startswith(message)


def test_create_model_refuses_what_its_config_refuses() -> None:
    with pytest.raises(ConfigError, match="masked_weights: 'thawed'"):
        msu.create_model(masked_weights="thawed")
    with pytest.raises(ConfigError, match="there is no variant 'MaskedSkipUNet'"):
        msu.create_model("MaskedSkipUNet")
