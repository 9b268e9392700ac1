"""The input format of a network: frame size, sampling, and the spacing of a clip's frames."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf
from typing import Any

from maskedskipunet.clip_geometry import ClipGeometry
from maskedskipunet.errors import ConfigError

SIZE_STEP = 16  # heights and widths are multiples of it: a network halves them four times

# Settings that came later. They are written only where they say something, so that other files stay as they were.
_WRITTEN_WHERE_SET: Mapping[str, Any] = {"footage_fps": None, "spacing": 1, "ignore": ()}


@dataclass(frozen=True, kw_only=True)
class InputFormat:
    """The input format of a trained network, which is stored with it and applied whenever it scores.

    height_px, width_px: every frame is resized to it. fps: videos are resampled to this many frames a second
    (None: as they are). stride: then every stride-th frame is kept. spacing: frames of a clip lie this many sampled
    frames apart; every sampled frame is still the middle of a clip. image_fps: the rate taken for folders of images,
    which state none. footage_fps: the rate of videos that were trained on as they are, at which cameras are looked at;
    None if it is not one, or not known. ignore: shapes of frames that it does not look at (`scoring.ignored` reads
    them); in a stored model they are in percent, so that they hold for frames of any size.
    """

    height_px: int = 256
    width_px: int = 256
    fps: float | None = None
    stride: int = 1
    image_fps: float = 10.0
    footage_fps: float | None = None
    ignore: tuple[str, ...] = ()
    spacing: int = 1

    def __post_init__(self) -> None:
        for name in ("height_px", "width_px"):
            size = getattr(self, name)
            if not isinstance(size, int) or size < SIZE_STEP or size % SIZE_STEP:
                raise ConfigError(f"{size!r} is not a multiple of {SIZE_STEP}", f"input.{name}", "Use 256, for example")
        for name in ("fps", "image_fps", "footage_fps"):
            rate = getattr(self, name)
            if not (name != "image_fps" and rate is None) and not (isinstance(rate, int | float) and 0 < rate < inf):
                raise ConfigError(f"{rate!r} frames a second", f"input.{name}", "Use a rate above 0")
        if not isinstance(self.stride, int) or self.stride < 1:
            raise ConfigError(f"every {self.stride!r}-th frame", "input.stride", "Use 1 or more")
        if not isinstance(self.spacing, int) or self.spacing < 1:
            raise ConfigError(f"frames of a clip that lie {self.spacing!r} apart", "input.spacing", "Use 1 or more")
        if not (isinstance(self.ignore, tuple) and all(isinstance(shape, str) for shape in self.ignore)):
            raise ConfigError(f"{self.ignore!r} are no shapes", "input.ignore", "Use a list of texts")

    @property
    def sampled_fps(self) -> float | None:
        """Frames a second after sampling, of videos; None if it depends on the footage."""
        rate = self.fps or self.footage_fps
        return None if rate is None else rate / self.stride

    def clip_geometry(self, clip_length: int) -> ClipGeometry:
        """Return which frames make a clip of so many frames."""
        return ClipGeometry(clip_length, self.spacing)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for `config.json`; later additions only if they are set."""
        values = {name: value for name, value in asdict(self).items() if _WRITTEN_WHERE_SET.get(name, ...) != value}
        return values | ({"ignore": list(self.ignore)} if self.ignore else {})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "InputFormat":
        """Return the inverse of to_dict. Raises TypeError or ConfigError for anything else."""
        if not isinstance(values, Mapping):
            raise TypeError(f"{values!r:.40} instead of settings")
        ignore = values.get("ignore", [])
        return cls(**{**values, "ignore": tuple(ignore) if isinstance(ignore, list) else ignore})
