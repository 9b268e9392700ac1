"""The network as others write it, to be compared with: as published, and as a careful engineer rewrites it.

Both take the weights of one of our networks (variant `masked_skips`) and give the same reconstructions.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskedskipunet.inference.folding import FoldedBlock, fold_decoder, fold_encoder, fold_skip
from maskedskipunet.model.blocks import depth_to_space
from maskedskipunet.model.convolutions import SkipConvolution
from maskedskipunet.model.network import MaskedSkipUNet


class AsPublished(nn.Module):
    """The published formulation: 3-D convolutions over the whole clip give T frames, of which one is used."""

    def __init__(self, network: MaskedSkipUNet, onednn_in_skips: bool = True) -> None:
        super().__init__()
        self.encoder, self.skips, self.decoder = network.encoder, network.skips, network.decoder
        self.target = network.config.frames // 2
        self.onednn_in_skips = onednn_in_skips

    def forward(self, clip: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, C, H, W)."""
        frames = []
        for frame in clip.unbind(2):
            levels = []
            for block in self.encoder:
                frame = block(frame)
                levels.append(frame)
            frames.append(levels)
        volumes = [torch.stack(level, 2) for level in zip(*frames, strict=True)]  # (B, C, T, H, W)
        with torch.backends.mkldnn.flags(enabled=self.onednn_in_skips):
            passed = [_whole(skip, volume) for skip, volume in zip(self.skips, volumes, strict=True)]
        hidden = self.decoder[0](passed[3][:, :, self.target])
        for block, volume in zip(list(self.decoder)[1:], reversed(passed[:3]), strict=True):
            hidden = block(torch.cat([hidden, volume[:, :, self.target]], 1))
        return torch.sigmoid(hidden)


def _whole(skip: nn.Module, volume: Tensor) -> Tensor:
    assert isinstance(skip, SkipConvolution)
    padding = [size // 2 for size in skip.kernel_size]
    return F.conv3d(volume, skip.weight * skip.mask, skip.bias, padding=padding)


class CarefulRewrite:
    """An afternoon's work: target frame only, 2-D convolutions over T*C channels, batch norms folded in."""

    def __init__(self, network: MaskedSkipUNet) -> None:
        self.encoder = [fold_encoder(block) for block in network.encoder]
        self.decoder = [fold_decoder(block) for block in network.decoder]
        self.skips = []
        for skip in network.skips:
            assert isinstance(skip, SkipConvolution)
            folded = fold_skip(skip)
            self.skips.append((folded.kernel.flatten(1, 2), folded.bias))

    def __call__(self, clip: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, C, H, W); every clip is encoded anew."""
        batch = len(clip)
        images, passed = clip.transpose(1, 2).flatten(0, 1), []
        for block, (kernel, bias) in zip(self.encoder, self.skips, strict=True):
            hidden = _side_by_side(images, block)
            by_place = block.project.permute(2, 1, 0)  # (out, hidden, place)
            weight = by_place.reshape(*by_place.shape[:2], 2, 2).contiguous()
            images = F.conv2d(hidden, weight, block.project_bias, stride=2).relu_()
            together = images.reshape(batch, -1, *images.shape[2:])
            passed.append(F.conv2d(together, kernel, bias, padding=kernel.shape[-1] // 2))
        hidden = self._decode(self.decoder[0], passed[3])
        for block, skip in zip(self.decoder[1:], reversed(passed[:3]), strict=True):
            hidden = self._decode(block, torch.cat([hidden, skip], 1))
        return torch.sigmoid(hidden)

    def _decode(self, block: FoldedBlock, images: Tensor) -> Tensor:
        hidden = depth_to_space(_side_by_side(images, block))
        output = F.conv2d(hidden, block.project.T[:, :, None, None], block.project_bias)
        return output.relu_() if block.relu else output


def _side_by_side(images: Tensor, block: FoldedBlock) -> Tensor:
    biases = torch.split(block.bias, [len(kernel) for kernel in block.kernels])
    outputs = [
        F.conv2d(images, kernel, bias, padding=kernel.shape[-1] // 2)
        for kernel, bias in zip(block.kernels, biases, strict=True)
    ]
    return torch.cat(outputs, 1).relu_()
