"""The interface between a scorer and the network behind it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor


class Backend(Protocol):
    """A trained network ready to score, in two halves, so that the features of a frame serve every clip it is in.

    A class needs no import of this one to be a backend. `inference.prepare.PreparedNetwork` is the backend in torch.
    """

    @property
    def device(self) -> torch.device:
        """The device that frames must be on."""
        ...

    @property
    def channels(self) -> int:
        """Channels of a frame: 3 for colour, 1 for grey."""
        ...

    @property
    def clip_length(self) -> int:
        """Frames in a clip (T), odd."""
        ...

    @property
    def batch_size(self) -> int:
        """The number of frames to encode at once."""
        ...

    @property
    def precision(self) -> str:
        """Number format that it computes in: float32 or bfloat16."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Return plain values that say which network it is, as `metrics.json` holds them."""
        ...

    def encode(self, frames: Tensor) -> Sequence[Tensor]:
        """Return features of single frames: (N, C, H, W) in [0, 1] -> some tensors of N rows each."""
        ...

    def reconstruct_runs(self, runs: Sequence[Sequence[Tensor]], height_px: int, width_px: int) -> Tensor:
        """Return the target frames of the clips in several runs of frames -> (clips of all runs, C, H, W) in [0, 1].

        runs: of each run the features of its R frames, R at least T, as `encode` gave them, row by row; a run has
        R - T + 1 clips, each of T frames that follow one another in it. height_px, width_px: of those frames.
        """
        ...
