"""The network: a UNet that reconstructs a clip's middle frame, with masked convolutions in its skips.

Lappas, Makris, Argyriou, "Masked Convolutions within Skip Connections for Video Anomaly Detection",
Algorithms 2025, 18(6), 326.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from maskedskipunet.errors import ShapeError
from maskedskipunet.input_format import SIZE_STEP, InputFormat
from maskedskipunet.model.blocks import BlockKind, DecoderBlock, EncoderBlock
from maskedskipunet.model.config import (
    SKIP_KERNELS,
    SKIP_MASKS,
    VARIANTS,
    NetworkConfig,
    SkipKind,
)
from maskedskipunet.model.convolutions import MaskedConv2d, SkipConvolution
from maskedskipunet.model.storage import write_model_folder


class MaskedSkipUNet(nn.Module):
    """Reconstructs the target frame of a clip: (B, C, T, H, W) in [0, 1] -> (B, C, H, W) in [0, 1].

    H and W are multiples of 16. config: what it is. input_format: the frames it was trained on, None
    until it was.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.input_format: InputFormat | None = None
        variant = VARIANTS[config.variant]
        self.mixes_frames = variant.mixes_frames
        kind: BlockKind = "volume" if variant.mixes_frames else "masked" if variant.masked_blocks else "plain"
        one, two, three, four = config.level_channels

        self.encoder = nn.ModuleList(
            EncoderBlock(wide, deep, kind=kind)
            for wide, deep in ((config.channels, one), (one, two), (two, three), (three, four))
        )
        self.skips = nn.ModuleList(
            make_skip(skip, channels, frames=config.frames, kernel=kernel, mask_size=mask_size)
            for skip, channels, kernel, mask_size in zip(
                variant.skips, config.level_channels, SKIP_KERNELS, SKIP_MASKS, strict=True
            )
        )
        joined = [0 if skip == "none" else 1 for skip in variant.skips]  # does the skip add its channels?
        self.decoder = nn.ModuleList(
            [
                DecoderBlock(four, three, kind=kind),
                DecoderBlock(three + joined[2] * three, two, kind=kind),
                DecoderBlock(two + joined[1] * two, one, kind=kind),
                DecoderBlock(one + joined[0] * one, config.channels, kind=kind, last=True),
            ]
        )
        for layer in self.masked_layers():
            layer.weight.requires_grad_(config.masked_weights == "learned")

    def forward(self, clip: Tensor) -> Tensor:
        self.require_clip(clip)
        if self.mixes_frames:
            return self._reconstruct_volume(clip)
        # Frames one by one, as published: in training each position in the clip has batch statistics of its own.
        frames = [self.encode(frame) for frame in clip.unbind(dim=2)]
        return self.decode([torch.stack(level, dim=1) for level in zip(*frames, strict=True)])

    def encode(self, frames: Tensor) -> list[Tensor]:
        """Return features of single frames: (N, C, H, W) -> level 1 to 4, each (N, C_l, H / 2^l, W / 2^l)."""
        levels = []
        for block in self.encoder:
            frames = block(frames)
            levels.append(frames)
        return levels

    def decode(self, levels: Sequence[Tensor]) -> Tensor:
        """Return the target frame from the features of its clip: level 1 to 4, each (B, T, C_l, H_l, W_l) -> (B, C, H,
        W).
        """
        return self._decode([skip(level) for skip, level in zip(self.skips, levels, strict=True)])

    def _reconstruct_volume(self, clip: Tensor) -> Tensor:
        levels = []
        for skip, level in zip(self.skips, self.encode(clip), strict=True):
            assert isinstance(skip, SkipConvolution), "a variant that mixes frames has a convolution in every skip"
            levels.append(skip.all_frames(level))
        return self._decode(levels)[:, :, self.config.frames // 2]

    def _decode(self, skips: Sequence[Tensor | None]) -> Tensor:
        *finer, coarsest = skips
        hidden = self.decoder[0](coarsest)
        for block, skip in zip(self.decoder[1:], reversed(finer), strict=True):
            hidden = block(hidden if skip is None else torch.cat([hidden, skip], dim=1))
        return torch.sigmoid(hidden)

    def masked_layers(self) -> list[MaskedConv2d | SkipConvolution]:
        """Return the layers with masked kernels: the skips, and the convolutions of masked blocks."""
        return [
            layer for layer in self.modules() if isinstance(layer, MaskedConv2d | SkipConvolution) and layer.mask_size
        ]

    def require_clip(self, clip: Tensor) -> None:
        """Raise ShapeError when a clip is not (B, C, T, H, W) with this network's C and T, H and W multiples of 16."""
        expected = f"(B, {self.config.channels}, {self.config.frames}, H, W)"
        if clip.dim() != 5 or clip.shape[1] != self.config.channels or clip.shape[2] != self.config.frames:
            raise ShapeError(f"a clip of shape {tuple(clip.shape)}, not {expected}", self.config.variant)
        if clip.shape[3] % SIZE_STEP or clip.shape[4] % SIZE_STEP or not clip.numel():
            raise ShapeError(
                f"frames of {clip.shape[3]}x{clip.shape[4]}", self.config.variant, f"Use multiples of {SIZE_STEP}"
            )

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `config.json` and `model.safetensors` into a folder, which is created if missing; load_model reads it.

        Raises DiskSpaceError when they do not fit.
        """
        write_model_folder(Path(folder), self.config, self.input_format, self.state_dict())


class TargetFrame(nn.Module):
    """Passes the target frame's features on: (B, T, C, H, W) -> (B, C, H, W)."""

    def forward(self, features: Tensor) -> Tensor:
        return features[:, features.shape[1] // 2]


class Zeros(nn.Module):
    """Passes zeros on: (B, T, C, H, W) -> (B, C, H, W)."""

    def forward(self, features: Tensor) -> Tensor:
        return torch.zeros_like(features[:, 0])


class Nothing(nn.Module):
    """Passes nothing on, so that the decoder has no channels for it."""

    def forward(self, features: Tensor) -> None:
        return None


def make_skip(skip: SkipKind, channels: int, *, frames: int, kernel: int, mask_size: int) -> nn.Module:
    """Return the module of one row's entry: (B, T, C, H, W) -> (B, C, H, W), or None for "none"."""
    if skip in ("convolution", "masked"):
        return SkipConvolution(channels, frames=frames, kernel=kernel, mask_size=mask_size if skip == "masked" else 0)
    return {"none": Nothing, "zero": Zeros, "identity": TargetFrame}[skip]()


def create_model(
    variant: str = "masked_skips",
    *,
    latent_dim: int = 512,
    clip_length: int | None = None,
    channels: int = 3,
    masked_weights: str = "learned",
) -> MaskedSkipUNet:
    """Build a network with random weights.

    variant: a row of the table of variants. latent_dim: channels at the deepest level, a multiple of 8.
    clip_length: T, odd; None takes 3, or 1 for variants that look at one frame. channels: 1 or 3.
    masked_weights: "learned", or "frozen" at their random start as the published code in effect does.
    Raises ConfigError for anything else.

    >>> create_model("masked_skips", latent_dim=8)(torch.zeros(1, 3, 3, 32, 48)).shape
    torch.Size([1, 3, 32, 48])
    """
    return MaskedSkipUNet(
        NetworkConfig(
            variant=variant,
            latent_dim=latent_dim,
            clip_length=clip_length,
            channels=channels,
            masked_weights=masked_weights,  # type: ignore[arg-type]  # checked by the config itself
        )
    )
