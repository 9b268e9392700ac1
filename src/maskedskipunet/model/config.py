"""The settings of a network, and the table of published variants."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from maskedskipunet.errors import ConfigError
from maskedskipunet.input_format import InputFormat as InputFormat  # its earlier home, for those who import it here

SkipKind = Literal["none", "zero", "identity", "convolution", "masked"]
"""What joins the decoder at a level: nothing, zeros, the target frame's features, or a convolution of the
features of all T frames, whose kernel may be masked."""

LEVELS = 4  # each halves height and width: SIZE_STEP is 2**LEVELS
SKIP_KERNELS = (17, 11, 7, 3)  # level 1 (finest) to 4
SKIP_MASKS = (7, 5, 3, 1)
BLOCK_KERNELS = (3, 5, 7)
BLOCK_MASKS = (1, 3, 5)
DEFAULT_CLIP_LENGTH = 3


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One row of the table of networks.

    skips: level 1 to 4. single_frame: looks at the target frame alone (T = 1). masked_blocks: the kernels of
    encoder and decoder are masked too. mixes_frames: encoder and decoder are 3-D, so that no frame can be
    encoded alone. published_class: its name in the published code.
    """

    skips: tuple[SkipKind, SkipKind, SkipKind, SkipKind]
    published_class: str
    single_frame: bool = False
    masked_blocks: bool = False
    mixes_frames: bool = False


VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "autoencoder": Variant(
            skips=("none", "none", "none", "identity"), published_class="AutoEncoder", single_frame=True
        ),
        "unet": Variant(skips=("identity",) * 4, published_class="UNet", single_frame=True),
        "conv3d_skips": Variant(skips=("convolution",) * 4, published_class="Conv3dSkipUNet"),
        "one_mask": Variant(skips=("zero", "zero", "zero", "masked"), published_class="OneMaskedSkipUNet"),
        "two_masks": Variant(skips=("zero", "zero", "masked", "masked"), published_class="TwoMaskedSkipUNet"),
        "three_masks": Variant(skips=("zero", "masked", "masked", "masked"), published_class="ThreeMaskedSkipUNet"),
        "masked_skips_2d": Variant(
            skips=("masked",) * 4, published_class="FullConv2DMaskedSkipUNet", single_frame=True
        ),
        "full_conv3d": Variant(skips=("masked",) * 4, published_class="FullConv3DMaskedSkipUNet", mixes_frames=True),
        "masked_blocks": Variant(skips=("masked",) * 4, published_class="FullMaskedSkipUNet", masked_blocks=True),
        "masked_skips": Variant(skips=("masked",) * 4, published_class="MaskedSkipUNet"),
    }
)


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """The network.

    Args:
        variant: train this one of the published networks
        latent_dim: use this many channels at the deepest level, a multiple of 8; published: 512
        clip_length: put this many frames into a clip (T), odd (default: 3, or 1 for a variant that uses one frame)
        channels: use 3 channels for colour, 1 for grey
        masked_weights: learn the masked kernels, or freeze them at their random start, as the published code in effect
            does
    """

    variant: str = "masked_skips"
    latent_dim: int = 512
    clip_length: int | None = None
    channels: int = 3
    masked_weights: Literal["learned", "frozen"] = "learned"

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ConfigError(
                f"there is no variant {self.variant!r}", "model.variant", f"Choose one of {', '.join(VARIANTS)}"
            )
        if not isinstance(self.latent_dim, int) or self.latent_dim < 8 or self.latent_dim % 8:
            raise ConfigError(f"{self.latent_dim} is not a multiple of 8", "model.latent_dim", "Use 64, for example")
        if not isinstance(self.channels, int) or self.channels not in (1, 3):
            raise ConfigError(f"{self.channels} channels", "model.channels", "Use 3 for colour or 1 for grey")
        if self.masked_weights not in ("learned", "frozen"):
            raise ConfigError(f"{self.masked_weights!r}", "model.masked_weights", "Use learned or frozen")
        if self.clip_length is not None:
            self._check_clip_length(self.clip_length)

    def _check_clip_length(self, length: int) -> None:
        if not isinstance(length, int) or length < 1 or length % 2 == 0:
            raise ConfigError(
                f"a clip of {length} frames has no middle frame", "model.clip_length", "Use an odd length"
            )
        if VARIANTS[self.variant].single_frame and length != 1:
            raise ConfigError(
                f"variant {self.variant} looks at one frame, not {length}", "model.clip_length", "Leave it out"
            )

    @property
    def frames(self) -> int:
        """Frames in a clip, T."""
        if self.clip_length is not None:
            return self.clip_length
        return 1 if VARIANTS[self.variant].single_frame else DEFAULT_CLIP_LENGTH

    @property
    def level_channels(self) -> tuple[int, int, int, int]:
        """Channels of level 1 (finest) to 4."""
        return self.latent_dim // 8, self.latent_dim // 4, self.latent_dim // 2, self.latent_dim
