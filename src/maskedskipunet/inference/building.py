"""From a trained network to its stages for one size of frames: the forms each part could take, and the best of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from maskedskipunet.inference.choosing import Form, Part, choose_forms
from maskedskipunet.inference.folding import FoldedBlock, fold_decoder, fold_encoder, fold_skip
from maskedskipunet.inference.stages import (
    DirectDecoder,
    DirectEncoder,
    DirectSkip,
    NoSkip,
    Skip,
    Stage,
    TargetSkip,
    TiledDecoder,
    TiledEncoder,
    TiledSkip,
)
from maskedskipunet.model.config import BLOCK_KERNELS, VARIANTS
from maskedskipunet.model.convolutions import SkipConvolution
from maskedskipunet.model.network import MaskedSkipUNet
from maskedskipunet.model.tiles import TileGrid, tilings, transform_bytes

# Frames computed together to find the fastest form: as many as files are scored in, fewer where they would take long.
MOST_MEASURED, LEAST_MEASURED = 8, 2
MEASURED_MACS = 2e10
TILINGS_TRIED = 3
KERNEL = max(BLOCK_KERNELS)


@dataclass(frozen=True)
class Stages:
    """All parts of a network for one size of frames. encoder, skips: level 1 (finest) to 4. decoder: coarsest first.

    forms: what was chosen for each part, by its place.
    """

    encoder: Sequence[Stage]
    skips: Sequence[Skip]
    decoder: Sequence[Stage]
    forms: dict[str, str]


def build_stages(
    network: MaskedSkipUNet, height_px: int, width_px: int, *, tiled: bool, dtype: torch.dtype, room_bytes: int
) -> Stages:
    """Fold a network's weights and choose each part's form.

    network: in evaluation mode, encoding frames one by one. tiled: whether tiles are to be tried against the library's
    convolutions. room_bytes: for the weights of all stages together.
    """
    sizes = [(height_px >> level, width_px >> level) for level in range(5)]
    kinds, channels = VARIANTS[network.config.variant].skips, network.config.level_channels
    make = _Parts(network.config.frames, tiled=tiled, dtype=dtype, device=next(network.parameters()).device)
    parts: dict[str, Part[Any]] = {}
    for level, block in enumerate(network.encoder):
        parts[f"encoder {level + 1}"] = make.block(fold_encoder(block), sizes[level], DirectEncoder, TiledEncoder)
    for level, skip in enumerate(network.skips):
        if isinstance(skip, SkipConvolution):
            parts[f"skip {level + 1}"] = make.skip(*fold_skip(skip), sizes[level + 1])
    for at, block in enumerate(network.decoder):
        level = 3 - at  # of the features it takes in, from 0
        # Zeros that a skip passes on need no work: nothing is concatenated, and the weights for it are left out.
        inputs = range(channels[level]) if at and kinds[level] == "zero" else None
        parts[f"decoder {level + 1}"] = make.block(
            fold_decoder(block, inputs), sizes[level + 1], DirectDecoder, TiledDecoder
        )
    forms = dict(zip(parts, choose_forms(list(parts.values()), room_bytes), strict=True))
    made = {place: form.make() for place, form in forms.items()}
    for level, kind in enumerate(kinds, 1):
        made.setdefault(f"skip {level}", TargetSkip(network.config.frames) if kind == "identity" else NoSkip())
    return Stages(
        [made[f"encoder {level}"] for level in (1, 2, 3, 4)],
        [made[f"skip {level}"] for level in (1, 2, 3, 4)],
        [made[f"decoder {level}"] for level in (4, 3, 2, 1)],
        {place: form.name for place, form in forms.items()},
    )


class _Parts:
    """Makes parts of a network measurable."""

    def __init__(self, frames: int, *, tiled: bool, dtype: torch.dtype, device: torch.device) -> None:
        self.frames, self.tiled, self.dtype, self.device = frames, tiled, dtype, device

    def block(
        self,
        block: FoldedBlock,
        size: tuple[int, int],
        direct: Callable[[FoldedBlock], Stage],
        tile: Callable[[FoldedBlock, TileGrid], Stage],
    ) -> Part[Stage]:
        block = block.to(self.dtype)
        inputs, outputs = block.kernels[0].shape[1], len(block.bias)
        forms = [Form("direct", _bytes(block.kernels), partial(direct, block))]
        if self.tiled:
            grids = tilings(KERNEL, *size, inputs=inputs, outputs=outputs, even=tile is TiledEncoder)[:TILINGS_TRIED]
            forms += [_tiled(grid, inputs, outputs, partial(tile, block, grid)) for grid in grids]
        images = cache(partial(self._images, block.kernels, size))
        name = f"{direct.__name__} {_told(size, inputs, outputs, block.kernels)}"
        return Part(name, forms, lambda stage: stage(images()))

    def skip(self, kernels: Sequence[Tensor], bias: Tensor, size: tuple[int, int]) -> Part[Skip]:
        kernels, bias = [kernel.to(self.dtype) for kernel in kernels], bias.to(self.dtype)
        outputs, inputs, side, _ = kernels[0].shape
        forms: list[Form[Skip]] = [Form("direct", _bytes(kernels), partial(DirectSkip, kernels, bias))]
        if self.tiled:
            grids = tilings(side, *size, inputs=self.frames * inputs, outputs=outputs, even=False)[:TILINGS_TRIED]
            forms += [
                _tiled(grid, self.frames * inputs, outputs, partial(TiledSkip, kernels, bias, grid)) for grid in grids
            ]
        images = cache(partial(self._images, kernels, size))

        def run(skip: Skip) -> object:
            kept = skip.keep(images())
            return skip(torch.cat([kept[:1]] * (self.frames - 1) + [kept]))

        return Part(f"skip over {self.frames} {_told(size, inputs, outputs, kernels[:1])}", forms, run)

    def _images(self, kernels: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        macs = sum(kernel.numel() for kernel in kernels) * size[0] * size[1]
        shape = min(MOST_MEASURED, max(LEAST_MEASURED, int(MEASURED_MACS / macs))), *size, kernels[0].shape[1]
        own = torch.Generator(self.device)  # the caller's random state is left as it was
        return torch.rand(shape, device=self.device, generator=own).to(self.dtype)


def _tiled(grid: TileGrid, inputs: int, outputs: int, make: Callable[[], Any]) -> Form[Any]:
    return Form(f"tiles of {grid.tile}", transform_bytes(grid, inputs, outputs), make)


def _told(size: tuple[int, int], inputs: int, outputs: int, kernels: Sequence[Tensor]) -> str:
    sides = "+".join(str(kernel.shape[-1]) for kernel in kernels)
    return f"{size[0]}x{size[1]} {inputs}->{outputs} kernel {sides} {kernels[0].dtype}".replace("torch.", "")


def _bytes(tensors: Sequence[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
