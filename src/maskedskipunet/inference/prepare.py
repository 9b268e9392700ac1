"""A trained network made ready for scoring: encode each frame once, reconstruct from the features of T frames."""

import copy
from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from maskedskipunet.errors import ConfigError, ShapeError
from maskedskipunet.inference.building import Stages, build_stages
from maskedskipunet.inference.folding import fold
from maskedskipunet.machine import give_back_memory
from maskedskipunet.model.network import MaskedSkipUNet

Precision = Literal["float32", "bfloat16"]
BATCH_SIZE, WIDE = 8, 256  # latent_dim; on two cores half as many frames are no slower from there on
ROOM_BYTES = 3_000_000_000  # for transforms of kernels, which take up to ten times the kernels' room


class PreparedNetwork:
    """A network as in evaluation mode, on its device, in two halves, so that a frame's features can serve T clips.

    Use `prepare` to make one; the network it was made from is left as it was.
    """

    def __init__(
        self,
        network: MaskedSkipUNet,
        device: torch.device,
        precision: Precision = "float32",
        size_px: tuple[int, int] | None = None,
    ) -> None:
        self.config = network.config
        self.parameters = sum(weight.numel() for weight in network.parameters())
        self.device = device
        self.precision = precision
        self.clip_length = network.config.frames
        self.channels = network.config.channels
        self._size_px = size_px
        self._dtype: torch.dtype = getattr(torch, precision)
        self._whole = self._weights = None
        if network.mixes_frames:
            self._whole = copy.deepcopy(network).requires_grad_(False).eval().to(device, self._dtype)
        else:
            self._weights = fold(network, device, self._dtype)
        self._stages: dict[tuple[int, int], Stages] = {}

    @property
    def batch_size(self) -> int:
        """The number of frames to compute at once: wide networks fill the machine with few."""
        return BATCH_SIZE if self.config.latent_dim < WIDE else BATCH_SIZE // 2

    def describe(self) -> dict[str, Any]:
        """Return plain values that say which network it is, as `metrics.json` holds them."""
        return {
            "variant": self.config.variant,
            "latent_dim": self.config.latent_dim,
            "clip_length": self.config.frames,
            "channels": self.config.channels,
            "masked_weights": self.config.masked_weights,
            "parameters": self.parameters,
            "precision": self.precision,
        }

    @torch.inference_mode()
    def encode(self, frames: Tensor) -> list[Tensor]:
        """Return features of single frames: (N, C, H, W) in [0, 1] -> some tensors of N rows each.

        A network that mixes frames in its encoder has no features of one frame: then the frames themselves.
        """
        if self._whole is not None:
            return [frames.to(self._dtype)]
        stages = self.stages(frames.shape[2], frames.shape[3])
        images = frames.permute(0, 2, 3, 1).to(self._dtype).contiguous()
        kept = []
        for stage, skip in zip(stages.encoder, stages.skips, strict=True):
            images = stage(images)
            kept.append(skip.keep(images))
        return kept

    @torch.inference_mode()
    def reconstruct(self, features: Sequence[Tensor], height_px: int, width_px: int) -> Tensor:
        """Return the target frames of all clips among R frames in a row -> (R - T + 1, C, H, W) in [0, 1].

        features: of the R frames, at least T, as encode gave them, row by row. height_px, width_px: of those frames.
        """
        return self.reconstruct_runs([features], height_px, width_px)

    @torch.inference_mode()
    def reconstruct_runs(self, runs: Sequence[Sequence[Tensor]], height_px: int, width_px: int) -> Tensor:
        """Return the target frames of the clips in several runs of frames, of one source or more, run by run.

        See `scoring.backend.Backend`. The clips of all runs share the decoder's work.
        """
        if self._whole is not None:
            clips = torch.cat([features[0].unfold(0, self.clip_length, 1) for features in runs])
            volume: Tensor = self._whole(clips.permute(0, 1, 4, 2, 3))  # (N, C, T, H, W)
            return volume.float()
        stages = self.stages(height_px, width_px)
        *finer, coarsest = [
            _joined([skip(kept) for kept in level])
            for skip, level in zip(stages.skips, zip(*runs, strict=True), strict=True)
        ]
        assert coarsest is not None, "every variant has something at the coarsest level"
        hidden = stages.decoder[0](coarsest)
        for stage, passed in zip(stages.decoder[1:], reversed(finer), strict=True):
            hidden = stage(hidden if passed is None else torch.cat([hidden, passed], 3))
        return torch.sigmoid(hidden.float()).permute(0, 3, 1, 2)

    @torch.inference_mode()
    def stages(self, height_px: int, width_px: int) -> Stages:
        """Return the stages for frames of a size; the first time the fastest of each are found, which takes seconds."""
        size = height_px, width_px
        if self._size_px not in (None, size):
            raise ShapeError(f"frames of {width_px}x{height_px} for a network prepared for another size", "frames")
        if size not in self._stages:
            assert self._weights is not None, "a network that mixes frames runs as it is"
            self._stages[size] = build_stages(
                self._weights,
                *size,
                # On a GPU, and in reduced precision, the library's convolutions are the fast ones.
                tiled=self.device.type == "cpu" and self.precision == "float32",
                memory_bytes=ROOM_BYTES,
            )
            if self._size_px is not None:
                self._weights = None  # the stages hold what they need
            give_back_memory()
        return self._stages[size]


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    present = [part for part in parts if part is not None]
    if len(present) < 2:
        return present[0] if present else None
    return torch.cat(present)


def prepare(
    network: MaskedSkipUNet,
    device: str | torch.device = "auto",
    precision: Precision = "float32",
    size_px: tuple[int, int] | None = None,
) -> PreparedNetwork:
    """Prepare a network for scoring; the plain network remains the definition of its results.

    device: "auto" uses a GPU if there is one. precision: bfloat16 is faster on processors that support it, and its
    scores differ. size_px: height and width of all frames, if known, which saves memory. Raises ConfigError for a
    device that does not exist.
    """
    if precision not in get_args(Precision):
        raise ConfigError(f"{precision!r}", "precision", f"Use {' or '.join(get_args(Precision))}")
    chosen = choose_device(device)
    return PreparedNetwork(network, chosen, precision, size_px)


def choose_device(device: str | torch.device) -> torch.device:
    """Return the device of a name. Raises ConfigError for one that does not exist."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen).item()
    except (RuntimeError, AssertionError, ImportError) as error:  # what torch raises where it was built without
        raise ConfigError(f"there is no device {device}", "device", "Use auto, cpu or cuda") from error
    return chosen
