"""The exported form of a network computed by torch, as the backend of a scorer: eager, or compiled."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from maskedskipunet.export.definition import ExportedNetwork
from maskedskipunet.export.torch_operations import EncodeModule, ReconstructModule
from maskedskipunet.model.network import MaskedSkipUNet


class TorchBackend:
    """See `scoring.backend.Backend`. compiled: by torch.compile, for any number of frames."""

    device, precision = torch.device("cpu"), "float32"

    def __init__(self, network: MaskedSkipUNet, size_px: int, *, compiled: bool) -> None:
        exported = ExportedNetwork.of(network, size_px, size_px)
        self.channels, self.clip_length = network.config.channels, network.config.frames
        self.batch_size = 8 if network.config.latent_dim < 256 else 4
        encode: Any = EncodeModule(exported)
        reconstruct: Any = ReconstructModule(exported)
        self._encode = torch.compile(encode, dynamic=True) if compiled else encode
        self._reconstruct = torch.compile(reconstruct, dynamic=True) if compiled else reconstruct

    def describe(self) -> dict[str, Any]:
        return {}

    def encode(self, frames: Tensor) -> Sequence[Tensor]:
        found: list[Tensor] = self._encode((frames * 255).round().byte().permute(0, 2, 3, 1).contiguous())
        return found

    def reconstruct_runs(self, runs: Sequence[Sequence[Tensor]], height_px: int, width_px: int) -> Tensor:
        levels = [
            torch.cat([rows.unfold(0, self.clip_length, 1) for rows in level]).movedim(-1, 1).contiguous()
            for level in zip(*runs, strict=True)
        ]
        target = torch.zeros(len(levels[0]), height_px, width_px, self.channels, dtype=torch.uint8)
        reconstruction: Tensor = self._reconstruct(target, *levels)[2]
        return reconstruction
