"""Estimates the duration of a training and its memory before it starts."""

from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from maskedskipunet.errors import ConfigError
from maskedskipunet.files import readable_bytes
from maskedskipunet.inference.ceiling import matrix_flops_per_s
from maskedskipunet.machine import memory_bytes
from maskedskipunet.model.config import NetworkConfig
from maskedskipunet.model.network import MaskedSkipUNet

# Measured on two cores (AVX-512, torch 2.15, latent 64, batch 8, 256x256): a step takes 1.6 s, which is this share of
# the rate of a large matrix product, counted as direct convolutions.
SHARE_OF_PEAK = 0.42
FLOAT_BYTES = 4
TRAINED_COPIES = 4  # of each weight: itself, its gradient and Adam's two averages
_SMALLER = "Use a smaller --model.latent_dim or --model.clip_length"
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def require_memory_for_network(config: NetworkConfig) -> None:
    """Raise ConfigError for a network that this machine's memory cannot hold while it is trained."""
    try:
        with torch.device("meta"):
            weights = sum(weight.numel() for weight in MaskedSkipUNet(config).state_dict().values())
    except (RuntimeError, TypeError) as error:  # more than torch can count, and it counts far
        raise ConfigError("a network larger than any memory", "model", _SMALLER) from error
    _require_memory(
        TRAINED_COPIES * FLOAT_BYTES * weights,
        f"training a network of {weights:,} weights",
        "model",
        _SMALLER,
    )


def require_memory_for_batch(config: NetworkConfig, height_px: int, width_px: int, clips: int) -> None:
    """Raise ConfigError for a batch of which this machine's memory cannot even hold the first block's features."""
    features = config.channels + 3 * config.latent_dim // 8  # of each pixel: itself and three convolutions of it
    _require_memory(
        FLOAT_BYTES * clips * config.frames * features * height_px * width_px,
        f"a step of {clips:,} clips of {width_px}x{height_px}",
        "training.batch_size",
        "Use a smaller --training.batch_size, --data.height_px and --data.width_px",
    )


def _require_memory(needed_bytes: int, what: str, where: str, cure: str) -> None:
    available_bytes = usable_bytes()
    if needed_bytes > available_bytes:
        needed, available = readable_bytes(needed_bytes), readable_bytes(available_bytes)
        raise ConfigError(f"{what} takes at least {needed} of memory, this machine has {available}", where, cure)


def usable_bytes() -> float:
    """Return this machine's memory, or the limit of its container; infinite if the system does not report it."""
    physical = float(memory_bytes() or "inf")
    try:
        return min(physical, float(_CGROUP_LIMIT.read_text()))
    except (ValueError, OSError):  # no limit is the word max
        return physical


def training_hours(config: NetworkConfig, height_px: int, width_px: int, clips: int) -> float:
    """Estimate the hours of training on so many clips on this machine's CPU."""
    return clips * clip_flops(config, height_px, width_px) / (SHARE_OF_PEAK * matrix_flops_per_s()) / 3600


def clip_flops(config: NetworkConfig, height_px: int, width_px: int) -> float:
    """Return the floating-point operations of one training step on one clip: one pass forward, about two backward."""
    with torch.device("meta"):
        network = MaskedSkipUNet(config).eval()
        clip = torch.empty(1, config.channels, config.frames, height_px, width_px)
    with FlopCounterMode(display=False) as counter:
        network(clip)
    return 3.0 * float(counter.get_total_flops())
