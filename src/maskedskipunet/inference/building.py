"""Makes the stages for one size of frames from folded weights: the ways to compute each, and the fastest one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from maskedskipunet.inference.autotune import Candidate, Operation, autotune_operations
from maskedskipunet.inference.folding import FoldedBlock, FoldedNetwork, FoldedSkip
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
from maskedskipunet.machine import give_back_memory
from maskedskipunet.model.config import BLOCK_KERNELS, VARIANTS
from maskedskipunet.model.tiles import TileGrid, multiplications, tilings, transform_bytes

# Frames computed together to find the fastest candidate: as many as files are scored in, or half where they take long.
MAX_MEASURED, MIN_MEASURED = 8, 4
MEASURED_MACS = 8e9
TILINGS_TRIED = 3
KERNEL = max(BLOCK_KERNELS)


@dataclass(frozen=True)
class Stages:
    """The stages of a network for one size of frames. encoder, skips: level 1 (finest) to 4. decoder: coarsest first.

    chosen: the name of the candidate that was chosen for each operation.
    """

    encoder: Sequence[Stage]
    skips: Sequence[Skip]
    decoder: Sequence[Stage]
    chosen: dict[str, str]


def build_stages(weights: FoldedNetwork, height_px: int, width_px: int, *, tiled: bool, memory_bytes: int) -> Stages:
    """Choose how each operation is computed.

    tiled: also try tiles against the library's convolutions. memory_bytes: memory for all stages beyond the weights
    themselves.
    """
    sizes = [(height_px >> level, width_px >> level) for level in range(5)]
    config = weights.config
    operations: dict[str, Operation[Any]] = {}
    for level, block in enumerate(weights.encoder):
        operations[f"encoder {level + 1}"] = _block_operation(block, sizes[level], DirectEncoder, TiledEncoder, tiled)
    for level, skip in enumerate(weights.skips):
        if skip is not None:
            operations[f"skip {level + 1}"] = _skip_operation(skip, sizes[level + 1], tiled)
    for level, block in zip((3, 2, 1, 0), weights.decoder, strict=True):
        operations[f"decoder {level + 1}"] = _block_operation(
            block, sizes[level + 1], DirectDecoder, TiledDecoder, tiled
        )
    candidates = dict(zip(operations, autotune_operations(list(operations.values()), memory_bytes), strict=True))
    give_back_memory()  # of what was measured
    made = {name: candidate.make() for name, candidate in candidates.items()}
    for level, kind in enumerate(VARIANTS[config.variant].skips, 1):
        made.setdefault(f"skip {level}", TargetSkip(config.frames) if kind == "identity" else NoSkip())
    return Stages(
        [made[f"encoder {level}"] for level in (1, 2, 3, 4)],
        [made[f"skip {level}"] for level in (1, 2, 3, 4)],
        [made[f"decoder {level}"] for level in (4, 3, 2, 1)],
        {name: candidate.name for name, candidate in candidates.items()},
    )


def _block_operation(
    block: FoldedBlock,
    size: tuple[int, int],
    direct: Callable[[FoldedBlock], Stage],
    tile: Callable[[FoldedBlock, TileGrid], Stage],
    tiled: bool,
) -> Operation[Stage]:
    inputs, outputs = block.kernels[0].shape[1], len(block.bias)
    count = _count(block.kernels, size)
    flops = _direct_flops(block.kernels, size, count)
    one_bytes = outputs * inputs * KERNEL**2 * block.bias.element_size()
    candidates = [
        Candidate("direct", 0, partial(direct, block), flops),
        # More operations, but of a few input channels a library makes little of small kernels.
        Candidate(
            "direct as one",
            one_bytes,
            lambda: direct(block.as_one()),
            one_bytes / block.bias.element_size() * 2.0 * count * size[0] * size[1],
        ),
    ]
    if tiled:
        grids = tilings(KERNEL, *size, inputs=inputs, outputs=outputs, even=tile is TiledEncoder)[:TILINGS_TRIED]
        candidates += [_tiled(grid, inputs, outputs, count, partial(tile, block, grid)) for grid in grids]
    images = cache(partial(_images, block.kernels, size, inputs, count))
    name = f"{direct.__name__} {_describe(size, inputs, outputs, block.kernels)}"
    return Operation(name, candidates, lambda stage: stage(images()), count)


def _skip_operation(skip: FoldedSkip, size: tuple[int, int], tiled: bool) -> Operation[Skip]:
    outputs, frames, inputs, side, _ = skip.kernel.shape
    kernels = [skip.kernel.flatten(1, 2)]
    count = _count(kernels, size)
    candidates: list[Candidate[Skip]] = [
        Candidate("direct", 0, partial(DirectSkip, skip), _direct_flops(kernels, size, count))
    ]
    if tiled:
        grids = tilings(side, *size, inputs=frames * inputs, outputs=outputs, even=False)[:TILINGS_TRIED]
        candidates += [_tiled(grid, frames * inputs, outputs, count, partial(TiledSkip, skip, grid)) for grid in grids]
    images = cache(partial(_images, kernels, size, inputs, count))

    def run(made: Skip) -> object:
        kept = made.keep(images())
        return made(torch.cat([kept[:1]] * (frames - 1) + [kept]))

    return Operation(f"skip over {frames} {_describe(size, inputs, outputs, kernels)}", candidates, run, count)


def _images(kernels: Sequence[Tensor], size: tuple[int, int], inputs: int, count: int) -> Tensor:
    device = kernels[0].device
    own = torch.Generator(device)  # the caller's random state is left as it was
    return torch.rand(count, *size, inputs, device=device, generator=own).to(kernels[0].dtype)


def _count(kernels: Sequence[Tensor], size: tuple[int, int]) -> int:
    macs = _direct_flops(kernels, size, 1) / 2
    return min(MAX_MEASURED, max(MIN_MEASURED, int(MEASURED_MACS / macs)))


def _direct_flops(kernels: Sequence[Tensor], size: tuple[int, int], count: int) -> float:
    return 2.0 * count * size[0] * size[1] * sum(kernel.numel() for kernel in kernels)


def _tiled(grid: TileGrid, inputs: int, outputs: int, count: int, make: Callable[[], Any]) -> Candidate[Any]:
    flops = 2 * count * multiplications(grid, inputs, outputs)
    return Candidate(f"tiles of {grid.tile}", transform_bytes(grid, inputs, outputs), make, flops)


def _describe(size: tuple[int, int], inputs: int, outputs: int, kernels: Sequence[Tensor]) -> str:
    sides = "+".join(str(kernel.shape[-1]) for kernel in kernels)
    return f"{size[0]}x{size[1]} {inputs}->{outputs} kernel {sides} {kernels[0].dtype}".replace("torch.", "")
