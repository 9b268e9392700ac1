"""Masked convolutions: their kernels are zero in a window around the pixel they infer.

The mask is a buffer and the masked weight lives for one call, so the optimizer holds the weights that the
network uses (the published code makes a new parameter in each call, which nothing ever trains).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskedskipunet.model.tiled_convolution import tiled_conv2d
from maskedskipunet.model.tiles import tilings

TILED_FROM = 7  # the smallest kernel for which tiles pay in training


def centred_mask(kernel: int, mask_size: int, frames: int = 1) -> Tensor:
    """Return ones with a centred window of zeros in the middle frame.

    kernel, mask_size: side lengths in taps, both odd. frames: T. Returns (T, kernel, kernel), float32.

    >>> centred_mask(3, 1)[0].tolist()
    [[1.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]
    """
    mask = torch.ones(frames, kernel, kernel)
    margin = (kernel - mask_size) // 2
    mask[frames // 2, margin : margin + mask_size, margin : margin + mask_size] = 0
    return mask


class MaskedConv2d(nn.Conv2d):
    """A "same" 2-D convolution with a masked window in the middle of its kernel.

    (B, in_channels, H, W) -> (B, out_channels, H, W).
    """

    mask: Tensor

    def __init__(self, in_channels: int, out_channels: int, *, kernel: int, mask_size: int) -> None:
        super().__init__(in_channels, out_channels, kernel, padding=kernel // 2)
        self.mask_size = mask_size
        self.register_buffer("mask", centred_mask(kernel, mask_size)[0], persistent=False)
        _clear_masked_weights(self.weight, self.mask)

    def forward(self, input: Tensor) -> Tensor:
        return F.conv2d(input, self.weight * self.mask, self.bias, padding=self.padding)


class SkipConvolution(nn.Conv3d):
    """The masked convolution of a skip: it infers the target frame's features from all T frames around them.

    mask_size: side of the mask's window in the target frame; 0 masks nothing.
    (B, T, C, H, W) -> (B, C, H, W), zero padding in space. Only the target frame's output is ever read, so
    this is a 2-D convolution over T*C channels and time needs no padding.
    tiled: whether a large kernel is to be applied by tiles, in single or double precision: equal to rounding, and on a
    CPU up to fifteen times faster in training.
    """

    mask: Tensor
    tiled = False

    def __init__(self, channels: int, *, frames: int, kernel: int, mask_size: int) -> None:
        super().__init__(channels, channels, (frames, kernel, kernel))
        self.mask_size = mask_size
        self.register_buffer("mask", centred_mask(kernel, mask_size, frames), persistent=False)
        _clear_masked_weights(self.weight, self.mask)

    def forward(self, input: Tensor) -> Tensor:
        kernel = (self.weight * self.mask).transpose(1, 2).flatten(1, 2)  # (C, T*C, k, k)
        images, side = input.flatten(1, 2), kernel.shape[-1]
        if self.tiled and side >= TILED_FROM and self.bias is not None and images.dtype == kernel.dtype:
            outputs, inputs = kernel.shape[:2]
            # By a rule, not by measuring: another size of tiles rounds otherwise, and a training could not be repeated.
            best = tilings(side, *images.shape[2:], inputs=inputs, outputs=outputs, even=False)
            return tiled_conv2d(images, kernel, self.bias, best[0].tile)
        return F.conv2d(images, kernel, self.bias, padding=side // 2)

    def all_frames(self, volume: Tensor) -> Tensor:
        """Apply it to (B, C, T, H, W) with each frame as the target, zero padding in time too."""
        padding = [size // 2 for size in self.kernel_size]
        return F.conv3d(volume, self.weight * self.mask, self.bias, padding=padding)


def _clear_masked_weights(weight: Tensor, mask: Tensor) -> None:
    with torch.no_grad():
        weight.mul_(mask)
