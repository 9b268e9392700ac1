"""The settings of the footage: which videos, and how frames are sampled and resized."""

import re
from dataclasses import dataclass, fields, replace
from pathlib import Path

from maskedskipunet.data.frames import OnBadFrame
from maskedskipunet.errors import ConfigError
from maskedskipunet.input_format import SIZE_STEP, InputFormat

_SCENE = re.compile(r"[0-9]{2}|(?=.*[^\W\d_])[^/\\\x00-\x1f]{1,200}")  # with a letter in it, as folders of cameras have
SMALLEST_PX = 32  # below it the deepest level has a single pixel, which batch statistics cannot be taken of


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """The footage.

    Args:
        path: train on this data set, folder of footage or video
        scene: use only clips of this scene (the first two digits of their names) or of this camera (the name of
            its folder) (default: all)
        height_px: resize frames to this height, a multiple of 16
        width_px: resize frames to this width, a multiple of 16
        fps: resample videos to this many frames a second (default: as they are)
        stride: keep only every N-th frame
        spacing: place the frames of a clip this many kept frames apart; published: 1
        image_fps: assume this many frames a second for folders of images, which state no rate
        max_frames: use at most this many training frames in all, from the start of each video (default: all)
        holdback: keep this share of the training videos from training, to measure the loss and to learn how rare a
            score is; this sets no alarm threshold, `calibrate` does
        on_bad_frame: stop at a frame that cannot be read, or skip it
        cache: keep decoded frames in this folder (default: the user's cache folder)
        ignore: ignore this shape: a box x,y,width,height, a polygon x,y x,y x,y or a mask image, in pixels of the
            footage, or in percent with a % at every number. Repeat the option for several shapes (default: none)
    """

    path: Path | None = None
    scene: str | None = None
    height_px: int = 256
    width_px: int = 256
    fps: float | None = None
    stride: int = 1
    spacing: int = 1
    image_fps: float = 10.0
    max_frames: int | None = None
    holdback: float = 0.0
    on_bad_frame: OnBadFrame = "stop"
    cache: Path | None = None
    ignore: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.scene is not None and not (isinstance(self.scene, str) and _SCENE.fullmatch(self.scene)):
            cure = "Use two digits, such as 01, or the name of a camera's folder"
            raise ConfigError(f"{self.scene!r} is no scene", "data.scene", cure)
        for name in ("height_px", "width_px"):
            size = getattr(self, name)
            if size % SIZE_STEP or size < SMALLEST_PX:
                near = max(SMALLEST_PX, round(size / SIZE_STEP) * SIZE_STEP)
                raise ConfigError(
                    f"{size} is not a multiple of {SIZE_STEP} from {SMALLEST_PX} on", f"data.{name}", f"Use {near}"
                )
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise ConfigError(f"{self.fps} frames a second", "data.fps", "Use a rate above 0")
        if self.stride < 1:
            raise ConfigError(f"every {self.stride}-th frame", "data.stride", "Use 1 or more")
        if self.spacing < 1:
            raise ConfigError(f"frames of a clip that lie {self.spacing} apart", "data.spacing", "Use 1 or more")
        if not 0 < self.image_fps < float("inf"):
            raise ConfigError(f"{self.image_fps} frames a second", "data.image_fps", "Use a rate above 0")
        if self.max_frames is not None and self.max_frames < 1:
            raise ConfigError(f"{self.max_frames} frames", "data.max_frames", "Use 1 or more")
        if not 0 <= self.holdback < 1:
            raise ConfigError(f"a share of {self.holdback}", "data.holdback", "Use 0 to just under 1, such as 0.1")
        object.__setattr__(self, "ignore", tuple(self.ignore))  # a list, where it was read from a file
        if not all(isinstance(shape, str) for shape in self.ignore):
            raise ConfigError(f"{self.ignore!r} are no shapes", "data.ignore", "Use a list of texts")
        if self.on_bad_frame not in ("skip", "stop"):
            raise ConfigError(f"{self.on_bad_frame!r}", "data.on_bad_frame", "Use skip or stop")

    @property
    def input_format(self) -> InputFormat:
        """Return the input format of a network that is trained on this data."""
        return InputFormat(**{name: getattr(self, name) for name in _INPUT_FIELDS})

    def seen_as(self, input_format: InputFormat) -> "DataConfig":
        """Return this footage in another input format; `footage_fps` is the footage's own and has no place here."""
        return replace(self, **{name: getattr(input_format, name) for name in _INPUT_FIELDS})

    @property
    def footage(self) -> Path:
        """The path, which a command cannot do without."""
        if self.path is None:
            raise ConfigError("no footage is named", "data", "Name it with --data PATH")
        return self.path


_INPUT_FIELDS = tuple({field.name for field in fields(DataConfig)} & {field.name for field in fields(InputFormat)})
