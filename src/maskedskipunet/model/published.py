"""Weights of the published code: which network they belong to, and their names in ours.

Published state dicts name `encoder.conv_1.convs.0.weight`, `decoder.conv_1.…`, `mconv1.conv.weight` and
`mconv1.filter_mask` (`conv1.weight` where skips are not masked); levels count from 1. Kernels of skips over one
frame have no time axis there.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from maskedskipunet.errors import ConfigError, WeightsError
from maskedskipunet.model.config import NetworkConfig
from maskedskipunet.model.network import MaskedSkipUNet

_RENAMES = (
    (re.compile(r"^(encoder|decoder)\.conv_(\d)\."), lambda m: f"{m[1]}.{int(m[2]) - 1}."),
    (re.compile(r"^mconv(\d)\.(conv\.)?"), lambda m: f"skips.{int(m[1]) - 1}."),
    (re.compile(r"^conv(\d)\."), lambda m: f"skips.{int(m[1]) - 1}."),
    (re.compile(r"\.batch_norm_(\d)\."), lambda m: f".norm_{m[1]}."),
    (re.compile(r"\.conv_last\."), lambda m: ".project."),
    (re.compile(r"\.convs\.(\d)\.conv\."), lambda m: f".convs.{m[1]}."),
    (re.compile(r"\.filter_mask$"), lambda m: ".mask"),
)
_UNUSED = "decoder.3.norm_2."  # the published last block owns a batch norm that it never applies


def load_published_weights(model: MaskedSkipUNet, state_dict: Mapping[str, Tensor]) -> None:
    """Load a state dict of the published code into a network of the same variant, size and clip length.

    The weights under the masks are loaded too, and never used.
    Raises WeightsError when the weights belong to another network, and leaves the model as it was.
    """
    found, own = published_config(state_dict), model.config
    for name in ("variant", "latent_dim", "frames", "channels"):
        if getattr(found, name) != getattr(own, name):
            raise WeightsError(
                f"weights of a network with {name} {getattr(found, name)}, not {getattr(own, name)}",
                cure=f"Create the model with variant {found.variant}, latent_dim {found.latent_dim}, "
                f"clip_length {found.frames}, channels {found.channels}",
            )
    expected, masks = model.state_dict(), dict(model.named_buffers())
    weights = {}
    for published_name, weight in state_dict.items():
        name = our_name(published_name)
        if name.endswith(".mask"):
            _require_mask(published_name, weight, masks.get(name))
            continue
        if name.startswith(_UNUSED):
            continue
        if name.startswith("skips.") and name.endswith("weight") and weight.dim() == 4:
            weight = weight.unsqueeze(2)
        if name not in expected or weight.shape != expected[name].shape:
            raise WeightsError(f"{published_name} of shape {tuple(weight.shape)} does not fit variant {own.variant}")
        weights[name] = weight
    missing = sorted(expected.keys() - weights.keys())
    if missing:
        raise WeightsError(f"{len(missing)} weights are missing, {missing[0]} first", cure="Name a whole checkpoint")
    model.load_state_dict(weights)


def our_name(published_name: str) -> str:
    """Return a published parameter's name in our network.

    >>> our_name("decoder.conv_1.batch_norm_2.bias"), our_name("mconv4.conv.weight")
    ('decoder.0.norm_2.bias', 'skips.3.weight')
    """
    name = published_name
    for pattern, rename in _RENAMES:
        name = pattern.sub(rename, name)
    return name


def published_config(state_dict: Mapping[str, Tensor]) -> NetworkConfig:
    """Return which network a published state dict belongs to, by its names and shapes. Raises WeightsError
    for others.
    """
    try:
        if not all(isinstance(name, str) and isinstance(weight, Tensor) for name, weight in state_dict.items()):
            raise TypeError("holds something else than weights")
        return NetworkConfig(
            variant=_variant(state_dict),
            latent_dim=state_dict["encoder.conv_4.conv_last.weight"].shape[0],
            clip_length=_clip_length(state_dict),
            channels=_first_kernel(state_dict).shape[1],
        )
    except (KeyError, AttributeError, IndexError, TypeError, ConfigError) as error:
        raise WeightsError(
            "not the weights of a published network", cure="Name a checkpoint of the published code"
        ) from error


def _variant(state_dict: Mapping[str, Tensor]) -> str:
    masked = [level for level in range(1, 5) if f"mconv{level}.conv.weight" in state_dict]
    if "conv1.weight" in state_dict:
        return "conv3d_skips"
    if not masked:
        joined = state_dict["decoder.conv_2.convs.0.weight"].shape[1]
        return "autoencoder" if joined == state_dict["decoder.conv_1.conv_last.weight"].shape[0] else "unet"
    if len(masked) < 4:
        return {1: "one_mask", 2: "two_masks", 3: "three_masks"}[len(masked)]
    if state_dict["mconv1.conv.weight"].dim() == 4:
        return "masked_skips_2d"
    if "encoder.conv_1.convs.0.conv.weight" in state_dict:
        return "masked_blocks"
    return "full_conv3d" if _first_kernel(state_dict).dim() == 5 else "masked_skips"


def _clip_length(state_dict: Mapping[str, Tensor]) -> int:
    kernel = state_dict.get("mconv4.conv.weight", state_dict.get("conv4.weight"))
    return kernel.shape[2] if kernel is not None and kernel.dim() == 5 else 1


def _first_kernel(state_dict: Mapping[str, Tensor]) -> Tensor:
    plain = state_dict.get("encoder.conv_1.convs.0.weight")
    return plain if plain is not None else state_dict["encoder.conv_1.convs.0.conv.weight"]


def _require_mask(name: str, mask: Tensor, own: Tensor | None) -> None:
    # One frame has no time axis there.
    if own is None or not torch.equal(mask.to(own).squeeze(), own.squeeze()):
        raise WeightsError(f"{name} is another mask than the publication's", cure="Train the network again")
