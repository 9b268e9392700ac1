"""Training that restores: normal clips with made anomalies go in, and the network must give the normal frame back.

A network that only copies learns to copy anomalies too. What is made into clips here needs no label and no anomaly:
things from other clips, things that move otherwise, noise, and frames that are skipped or repeated. The idea of
training on pseudo anomalies is that of "Dynamic Distinction Learning" (arXiv 2404.04986); the makings are our own.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

SOFT_SHARE = 0.25  # of a blob's radius over which it passes into the picture
SMALLEST, LARGEST = 0.06, 0.22  # radius of a blob, as a share of the picture's shorter side
FASTEST = 0.06  # of the shorter side that a blob moves from one clip frame to the next


class PseudoAnomalies:
    """Makes anomalies into clips. share: of clips that get one. seed: of the drawing; a step's is its own."""

    def __init__(self, share: float, seed: int) -> None:
        self.share, self.seed = share, seed

    def __call__(self, clips: Tensor, step: int) -> Tensor:
        """Return clips, (B, C, T, H, W) in [0, 1], some of them with made anomalies; the same for the same step."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        changed = clips.clone()
        for number in range(len(clips)):
            if _uniform(generator, 0, 1) < self.share:
                make = _KINDS[_integer(generator, 0, len(_KINDS))]
                changed[number] = make(clips, number, generator)
        return changed


def _foreign(clips: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """Return a thing from another clip of the batch, that glides through this one."""
    other = clips[_integer(generator, 0, len(clips))]
    shift = [_integer(generator, 0, size) for size in clips.shape[-2:]]
    return _pasted(clips[number], torch.roll(other, shift, (-2, -1)), generator)


def _displaced(clips: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """Return a place of this clip that shows another moment's or another place's picture: it jumps, or
    moves too fast.
    """
    clip = clips[number]
    side = min(clip.shape[-2:])
    jump = [round(_uniform(generator, -0.15, 0.15) * side) for _ in range(2)]
    length = clip.shape[1]
    shifts = [[(index - length // 2 + 1) * px for px in jump] for index in range(length)]
    frames = [torch.roll(clip[:, index], shift, (-2, -1)) for index, shift in enumerate(shifts)]
    return _pasted(clip, torch.stack(frames, 1), generator)


def _noise(clips: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """Return a thing of smooth noise."""
    channels, _, height, width = clips[number].shape
    coarse = torch.rand(1, channels, max(2, height // 8), max(2, width // 8), generator=generator)
    texture = F.interpolate(coarse, (height, width), mode="bilinear")[0].to(clips)
    low, contrast = _uniform(generator, 0, 0.5), _uniform(generator, 0.2, 0.5)
    return _pasted(clips[number], (low + contrast * texture)[:, None].expand_as(clips[number]), generator)


def _other_moment(clips: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """Replace the middle frame by the frame before or after it."""
    clip = clips[number].clone()
    middle = clip.shape[1] // 2
    if clip.shape[1] > 1:
        clip[:, middle] = clip[:, middle + (1 if _uniform(generator, 0, 1) < 0.5 else -1)]
    return clip


_KINDS: tuple[Callable[[Tensor, int, torch.Generator], Tensor], ...] = (
    _foreign,
    _displaced,
    _noise,
    _other_moment,
)


def _pasted(clip: Tensor, filling: Tensor, generator: torch.Generator) -> Tensor:
    """Return a clip with a soft-edged ellipse of another one, that moves: (C, T, H, W)."""
    _, length, height, width = clip.shape
    side = min(height, width)
    down, across = (_uniform(generator, SMALLEST, LARGEST) * side for _ in range(2))
    row, column = _uniform(generator, 0, height), _uniform(generator, 0, width)
    speed = [_uniform(generator, -FASTEST, FASTEST) * side for _ in range(2)]
    rows = torch.arange(height, device=clip.device)[:, None]
    columns = torch.arange(width, device=clip.device)[None]
    covers = []
    for moment in range(length):
        away = (
            ((rows - row - speed[0] * moment) / down) ** 2 + ((columns - column - speed[1] * moment) / across) ** 2
        ).sqrt()
        covers.append(((1 + SOFT_SHARE - away) / SOFT_SHARE).clamp(0, 1))
    cover = torch.stack(covers)[None]  # (1, T, H, W)
    return clip * (1 - cover) + filling * cover


def motion_weights(clips: Tensor, strength: float) -> Tensor:
    """Return how much each pixel of the target frame counts in the loss: (B, C, T, H, W) -> (B, H, W), 1 on average.

    What moves counts more, by its change between the clip's frames. strength: 0 counts all pixels alike.
    """
    middle = clips.shape[2] // 2
    change = (clips - clips[:, :, middle : middle + 1]).abs().mean(dim=(1, 2))  # (B, H, W)
    spread = F.avg_pool2d(change[:, None], 9, stride=1, padding=4, count_include_pad=False)[:, 0]
    weights = 1 + strength * spread / spread.mean(dim=(1, 2), keepdim=True).clamp(min=1e-6)
    return weights / weights.mean(dim=(1, 2), keepdim=True)


def _uniform(generator: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))


def _integer(generator: torch.Generator, low: int, stop: int) -> int:
    return int(torch.randint(low, stop, (), generator=generator))
