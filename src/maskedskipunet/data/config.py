"""Which footage, and how it is looked at."""

import re
from dataclasses import dataclass
from pathlib import Path

from maskedskipunet.data.frames import OnBadFrame
from maskedskipunet.errors import ConfigError

SIZE_STEP = 16
SMALLEST_PX = 32  # below it the deepest level has a single pixel, which batch statistics cannot be taken of


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """The footage.

    Args:
        path: a data set, a folder of footage or one video
        scene: only clips of this scene, the two digits that their names begin with (default: of all)
        height_px: height that frames are resized to, a multiple of 16
        width_px: width that frames are resized to, a multiple of 16
        fps: resample videos to this many frames a second (default: as they are)
        stride: keep every stride-th frame
        image_fps: frames a second taken for folders of images, which state no rate
        max_frames: at most so many training frames in all, from the start of each video (default: all)
        holdback: share of the training videos kept from training: the loss is measured on them, and they tell how rare
            a score is; a threshold of alarms is set by `calibrate` alone
        on_bad_frame: stop at a frame that cannot be read, or skip it
        cache: folder for decoded frames (default: the user's cache folder)
        ignore: a shape not to look at, given once for each: a box x,y,width,height, a polygon x,y x,y x,y or a mask
            image; in pixels of the footage, or in percent with a % at every number (default: none)
    """

    path: Path | None = None
    scene: str | None = None
    height_px: int = 256
    width_px: int = 256
    fps: float | None = None
    stride: int = 1
    image_fps: float = 10.0
    max_frames: int | None = None
    holdback: float = 0.0
    on_bad_frame: OnBadFrame = "stop"
    cache: Path | None = None
    ignore: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.scene is not None and not (isinstance(self.scene, str) and re.fullmatch("[0-9]{2}", self.scene)):
            raise ConfigError(f"{self.scene!r} is no scene", "data.scene", "Use two digits, 01 say")
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
        if not 0 < self.image_fps < float("inf"):
            raise ConfigError(f"{self.image_fps} frames a second", "data.image_fps", "Use a rate above 0")
        if self.max_frames is not None and self.max_frames < 1:
            raise ConfigError(f"{self.max_frames} frames", "data.max_frames", "Use 1 or more")
        if not 0 <= self.holdback < 1:
            raise ConfigError(f"a share of {self.holdback}", "data.holdback", "Use 0 to just under 1, 0.1 say")
        object.__setattr__(self, "ignore", tuple(self.ignore))  # a list, where it was read from a file
        if not all(isinstance(shape, str) for shape in self.ignore):
            raise ConfigError(f"{self.ignore!r} are no shapes", "data.ignore", "Use a list of texts")
        if self.on_bad_frame not in ("skip", "stop"):
            raise ConfigError(f"{self.on_bad_frame!r}", "data.on_bad_frame", "Use skip or stop")

    @property
    def footage(self) -> Path:
        """The path, which a command cannot do without."""
        if self.path is None:
            raise ConfigError("no footage is named", "data", "Name it with --data PATH")
        return self.path
