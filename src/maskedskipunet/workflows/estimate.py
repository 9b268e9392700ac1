"""How long a training will take, told before it starts."""

import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from maskedskipunet.model.config import NetworkConfig
from maskedskipunet.model.network import MaskedSkipUNet

# Measured on two cores (AVX-512, torch 2.15, latent 64, batch 8, 256x256): a step reaches about a third of the rate
# of a large matrix product.
SHARE_OF_PEAK = 0.33


def training_hours(config: NetworkConfig, height_px: int, width_px: int, clips: int) -> float:
    """Roughly how many hours it takes on this machine's CPU to train on so many clips."""
    return clips * clip_flops(config, height_px, width_px) / (SHARE_OF_PEAK * matrix_flops_per_s()) / 3600


def clip_flops(config: NetworkConfig, height_px: int, width_px: int) -> float:
    """Floating-point operations of one training step on one clip: one pass forward, some two backward."""
    with torch.device("meta"):
        network = MaskedSkipUNet(config).eval()
        clip = torch.empty(1, config.channels, config.frames, height_px, width_px)
    with FlopCounterMode(display=False) as counter:
        network(clip)
    return 3.0 * float(counter.get_total_flops())


def matrix_flops_per_s(size: int = 1024, repeats: int = 5) -> float:
    """The rate this machine multiplies large matrices at, float32."""
    left = torch.rand(size, size)
    left @ left
    best_s = min(_seconds(left) for _ in range(repeats))
    return float(2.0 * size**3 / best_s)


def _seconds(matrix: torch.Tensor) -> float:
    began_s = time.perf_counter()
    matrix @ matrix
    return time.perf_counter() - began_s
