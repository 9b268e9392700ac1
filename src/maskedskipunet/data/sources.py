"""Reads footage of any kind as a source of frames."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

from maskedskipunet.data.frames import Frame, OnBadFrame, SourceInfo
from maskedskipunet.data.images import probe_images, read_images
from maskedskipunet.data.sampling import require_rate, sample, sampled_count
from maskedskipunet.data.video.decoding import probe_video, read_video
from maskedskipunet.errors import DataError

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A video file or a folder of images, and the frames that are taken from it.

    fps, stride: which frames are kept (see `sample`). image_fps: the rate taken for folders of images.
    """

    path: Path
    fps: float | None = None
    stride: int = 1
    image_fps: float = 10.0
    on_bad_frame: OnBadFrame = "stop"

    def probe(self) -> SourceInfo:
        """Return size, rate and number of frames without decoding. Raises DataError for anything that is no footage."""
        return self._info

    @cached_property  # several steps ask, and a long video's packets take seconds to count
    def _info(self) -> SourceInfo:
        if not self.path.exists():
            raise DataError("no such file or folder", str(self.path), "Check the path")
        if self.path.is_dir():
            info = probe_images(self.path, self.on_bad_frame)
            for note in info.notes:
                _warn_once(str(self.path.resolve()), note)
            return replace(info, frame_rate=self.image_fps)
        return probe_video(self.path, self.on_bad_frame)

    def expected_frames(self) -> int:
        """Estimate how many frames `frames` will yield, without decoding."""
        return sampled_count(self.probe(), fps=self.fps, stride=self.stride)

    def frames(self) -> Iterator[Frame]:
        """Yield the kept frames in order. Raises DataError when reading fails, ConfigError when fps is too high."""
        if self.fps is not None:
            require_rate(self.probe(), self.fps, str(self.path))
        if self.path.is_dir():
            every = read_images(self.path, self.on_bad_frame, self.image_fps)
        else:
            every = read_video(self.path, self.on_bad_frame)
        return sample(every, fps=self.fps, stride=self.stride)


@lru_cache(maxsize=4096)  # several steps of a command make a source of one folder
def _warn_once(folder: str, note: str) -> None:
    log.warning("%s: %s", folder, note)
