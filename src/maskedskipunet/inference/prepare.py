"""A trained network made ready for scoring: encode each frame once, reconstruct from the features of T frames."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from maskedskipunet.errors import ConfigError
from maskedskipunet.model.network import MaskedSkipUNet


class PreparedNetwork:
    """A network in evaluation mode on its device, in two halves, so that a frame's features can serve T clips.

    Use `prepare` to make one; the network it was made from is left as it was.
    """

    def __init__(self, network: MaskedSkipUNet, device: torch.device) -> None:
        self.network = network
        self.device = device
        self.clip_length = network.config.frames
        self.channels = network.config.channels

    def encode(self, frames: Tensor) -> list[Tensor]:
        """Features of single frames: (N, C, H, W) in [0, 1] -> some tensors of N rows each.

        A network that mixes frames in its encoder has no features of one frame: then the frames themselves.
        """
        return [frames] if self.network.mixes_frames else self.network.encode(frames)

    def reconstruct(self, features: Sequence[Tensor]) -> Tensor:
        """Target frames from the features of their clips: each (B, T, …) -> (B, C, H, W) in [0, 1]."""
        if self.network.mixes_frames:
            return self.network(features[0].transpose(1, 2))  # type: ignore[no-any-return]
        return self.network.decode(features)


def prepare(network: MaskedSkipUNet, device: str | torch.device = "auto") -> PreparedNetwork:
    """Make a network ready for scoring. device: "auto" takes a GPU where there is one."""
    place = choose_device(device)
    return PreparedNetwork(copy.deepcopy(network).requires_grad_(False).eval().to(place), place)


def choose_device(device: str | torch.device) -> torch.device:
    """The device meant by a name. Raises ConfigError for one that is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError) as error:  # torch asserts where it was built without the device
        raise ConfigError(f"there is no device {device}", "device", "Use auto, cpu or cuda") from error
    return place
