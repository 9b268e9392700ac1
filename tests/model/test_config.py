import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.errors import ConfigError
from maskedskipunet.model.config import (
    BLOCK_KERNELS,
    BLOCK_MASKS,
    SKIP_KERNELS,
    SKIP_MASKS,
    VARIANTS,
    InputFormat,
    NetworkConfig,
)

PUBLISHED = {
    "autoencoder": "AutoEncoder",
    "unet": "UNet",
    "conv3d_skips": "Conv3dSkipUNet",
    "one_mask": "OneMaskedSkipUNet",
    "two_masks": "TwoMaskedSkipUNet",
    "three_masks": "ThreeMaskedSkipUNet",
    "masked_skips_2d": "FullConv2DMaskedSkipUNet",
    "full_conv3d": "FullConv3DMaskedSkipUNet",
    "masked_blocks": "FullMaskedSkipUNet",
    "masked_skips": "MaskedSkipUNet",
}
SINGLE_FRAME = ("autoencoder", "unet", "masked_skips_2d")


def test_the_table_holds_each_published_class_once() -> None:
    assert {name: variant.published_class for name, variant in VARIANTS.items()} == PUBLISHED


def test_kernels_and_masks_are_the_publications() -> None:
    assert (SKIP_KERNELS, SKIP_MASKS) == ((17, 11, 7, 3), (7, 5, 3, 1))
    assert (BLOCK_KERNELS, BLOCK_MASKS) == ((3, 5, 7), (1, 3, 5))


def test_nobody_can_change_the_table_or_a_config() -> None:
    with pytest.raises(TypeError):
        VARIANTS["mine"] = VARIANTS["unet"]  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        NetworkConfig().latent_dim = 8  # type: ignore[misc]


def test_the_defaults_are_the_publications() -> None:
    config, input_format = NetworkConfig(), InputFormat()

    assert (config.variant, config.latent_dim, config.frames, config.channels) == ("masked_skips", 512, 3, 3)
    assert (input_format.height_px, input_format.width_px, input_format.fps, input_format.stride) == (256, 256, None, 1)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_clip_length_left_out_is_three_or_the_one_frame_that_the_variant_looks_at(variant: str) -> None:
    assert NetworkConfig(variant=variant).frames == (1 if variant in SINGLE_FRAME else 3)
    assert NetworkConfig(variant=variant, clip_length=1).frames == 1


@given(st.integers(1, 128))
def test_channels_double_from_level_to_level_up_to_the_latent_dimension(eighth: int) -> None:
    assert NetworkConfig(latent_dim=8 * eighth).level_channels == (eighth, 2 * eighth, 4 * eighth, 8 * eighth)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"variant": "unnet"}, "model.variant: there is no variant 'unnet'. Choose one of autoencoder, unet, "),
        ({"variant": ""}, "model.variant: there is no variant ''"),
        ({"latent_dim": 0}, "model.latent_dim: 0 is not a multiple of 8"),
        ({"latent_dim": -8}, "model.latent_dim: -8 is not a multiple of 8"),
        ({"latent_dim": 12}, "model.latent_dim: 12 is not a multiple of 8"),
        ({"latent_dim": 8.0}, "model.latent_dim: 8.0 is not a multiple of 8"),
        ({"channels": 0}, "model.channels: 0 channels. Use 3 for colour or 1 for grey"),
        ({"channels": 4}, "model.channels: 4 channels"),
        ({"channels": 3.0}, "model.channels: 3.0 channels"),
        ({"masked_weights": "random"}, "model.masked_weights: 'random'. Use learned or frozen"),
        ({"clip_length": 0}, "model.clip_length: a clip of 0 frames has no middle frame. Use an odd length"),
        ({"clip_length": -3}, "model.clip_length: a clip of -3 frames has no middle frame"),
        ({"clip_length": 4}, "model.clip_length: a clip of 4 frames has no middle frame"),
        ({"clip_length": 3.0}, "model.clip_length: a clip of 3.0 frames has no middle frame"),
        *(
            ({"variant": variant, "clip_length": 3}, f"model.clip_length: variant {variant} looks at one frame, not 3")
            for variant in SINGLE_FRAME
        ),
    ],
)
def test_a_network_that_cannot_be_is_refused_with_its_setting(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        NetworkConfig(**settings)

    assert str(refusal.value).startswith(message)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        *(
            ({name: value}, f"input.{name}: {value!r} is not a multiple of 16")
            for name in ("height_px", "width_px")
            for value in (0, -16, 8, 250, 256.0, "256", None)
        ),
        *(
            ({name: value}, f"input.{name}: {value!r} frames a second")
            for name in ("fps", "image_fps")
            for value in (0, -1.0, float("nan"), float("inf"), "10")
        ),
        ({"image_fps": None}, "input.image_fps: None frames a second"),
        *(({"stride": value}, f"input.stride: every {value!r}-th frame") for value in (0, -1, 1.5, "1", None)),
    ],
)
def test_an_input_format_that_cannot_be_is_refused_with_its_setting(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        InputFormat(**settings)

    assert str(refusal.value).startswith(message)
