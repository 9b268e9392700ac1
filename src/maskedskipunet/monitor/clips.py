"""Cuts clips of events, with some seconds before and after, from a camera's frames as they arrive."""

import logging
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from maskedskipunet.data.frames import Image
from maskedskipunet.data.jpeg import from_jpeg
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.detection.events import EventUpdate
from maskedskipunet.errors import ConfigError, DiskSpaceError, MaskedSkipUNetError
from maskedskipunet.files import disk_full_as_error
from maskedskipunet.monitor.disk_space import DiskSpaceGuard
from maskedskipunet.monitor.ring import BufferedFrame, FrameRing

log = logging.getLogger(__name__)
STRAY_S = 1.0  # a picture shows the event's peak, or a moment at most this far from it
LAST_SHOWN_PER_S = 5  # determines how long a clip's last frame is shown; each other frame is shown until the next


@dataclass(frozen=True, kw_only=True)
class ClipConfig:
    """Settings of clips.

    before_s, after_s: seconds of footage around an event. longest_s: the longest clip in seconds; the rest of a longer
    event is left out. memory_bytes: memory for one camera's frames that are kept in case an event begins.
    """

    before_s: float = 5.0
    after_s: float = 5.0
    longest_s: float = 120.0
    memory_bytes: int = 64_000_000

    def __post_init__(self) -> None:
        for name in ("before_s", "after_s", "longest_s"):
            if not (isfinite(value := getattr(self, name)) and value >= 0):
                raise ConfigError(f"{value} seconds", f"clips.{name}", "Use 0 or more")
        if self.longest_s <= self.before_s:
            raise ConfigError("a clip ends before its event begins", "clips.longest_s", "Use more than before_s")
        if self.memory_bytes < 1:
            raise ConfigError(f"{self.memory_bytes} bytes", "clips.memory_bytes", "Use 1 or more")


@dataclass(frozen=True)
class FinishedClip:
    """The clip of an event. path: its file; None if it could not be written or there were no frames."""

    event_id: str
    path: Path | None


class ClipCutter:
    """Cuts the clips of one camera. It takes frames in see() and updates of events in follow().

    Memory holds the ring of compressed frames and an encoder for each open event. A clip is written whole or not at
    all. Nothing here raises when the disk is full: clips pause, and continue by themselves.
    Clips show their frames when the camera did, gaps too.
    """

    def __init__(self, config: ClipConfig, *, disk_space: DiskSpaceGuard) -> None:
        self.config, self.disk_space = config, disk_space
        self.ring = FrameRing(seconds_s=config.before_s + STRAY_S, max_bytes=config.memory_bytes)
        self._clips: dict[str, _Clip] = {}
        self._peaks_s: dict[str, float] = {}

    def see(self, frame: BufferedFrame) -> list[FinishedClip]:
        """Take the next frame, and return the clips that end with it."""
        self.ring.add(frame)
        if self._clips:
            image = from_jpeg(frame.jpeg)
            for event_id in [*self._clips]:
                self._put(event_id, frame.time_s, image)
        return self._finished(frame.time_s)

    def follow(self, update: EventUpdate, path: Path) -> bytes | None:
        """Begin the event's clip at `path`, or set its end; returns the event's picture as JPEG if it is a new one."""
        event = update.event
        picture = self._picture(event.id, event.peak_s)
        if update.phase == "new":
            self._begin(event.id, path, event.start_s)
        if update.phase == "end":
            self._peaks_s.pop(event.id, None)
            if event.id in self._clips:
                self._clips[event.id].end_s = event.end_s + self.config.after_s
        return picture

    def is_cutting(self, event_id: str) -> bool:
        """Return whether the event's clip is still to come."""
        return event_id in self._clips

    def close(self) -> list[FinishedClip]:
        """End all clips, because no more frames come."""
        return self._finished(float("inf"))

    def _picture(self, event_id: str, peak_s: float) -> bytes | None:
        if self._peaks_s.get(event_id) == peak_s:
            return None
        kept = self.ring.nearest(peak_s)
        if kept is None or abs(kept.time_s - peak_s) > STRAY_S:
            return None
        self._peaks_s[event_id] = peak_s
        return kept.jpeg

    def _begin(self, event_id: str, path: Path, start_s: float) -> None:
        begin_s = start_s - self.config.before_s
        clip = self._clips[event_id] = _Clip(path, begin_s + self.config.longest_s)
        if not self.disk_space.has_space():
            clip.is_abandoned = True
            return
        for kept in self.ring.since(begin_s):
            self._put(event_id, kept.time_s, from_jpeg(kept.jpeg))

    def _put(self, event_id: str, time_s: float, image: Image) -> None:
        clip = self._clips[event_id]
        try:
            clip.put(time_s, image)
        except DiskSpaceError:
            self.disk_space.report_full()
        except (MaskedSkipUNetError, OSError) as error:
            log.warning("event %s has no clip (%s)", event_id, error)

    def _finished(self, time_s: float) -> list[FinishedClip]:
        finished = []
        for event_id, clip in [*self._clips.items()]:
            if time_s < min(clip.end_s, clip.latest_s) and not clip.is_sealed:
                continue
            try:
                clip.finish()
            except DiskSpaceError:
                self.disk_space.report_full()
            except (MaskedSkipUNetError, OSError) as error:
                log.warning("event %s has no clip (%s)", event_id, error)
            finished.append(FinishedClip(event_id, clip.path if clip.is_written else None))
            del self._clips[event_id]
        return finished


class _Clip:
    """A clip that is being written. The first error abandons it; a frame of another size ends it."""

    def __init__(self, path: Path, latest_s: float) -> None:
        self.path, self.latest_s = path, latest_s
        self.end_s = float("inf")
        self.is_abandoned = self.is_sealed = self.is_written = False
        self._writer: VideoWriter | None = None
        self._begin_s = 0.0
        self._shape: tuple[int, ...] = ()

    def put(self, time_s: float, image: Image) -> None:
        if self.is_abandoned or self.is_sealed or time_s > min(self.end_s, self.latest_s):
            return
        if self._shape and (image.shape != self._shape or time_s < self._begin_s):
            self.is_sealed = True  # the frames so far are a whole clip
            return
        try:
            self._write(time_s, _even(image))
        except BaseException as error:
            self._abandon(error)
            raise
        self._shape = image.shape

    def finish(self) -> None:
        if self._writer is None or self.is_abandoned:
            return
        writer, self._writer = self._writer, None
        with disk_full_as_error(self.path):
            writer.__exit__(None, None, None)
        self.is_written = True

    def _write(self, time_s: float, image: Image) -> None:
        if self._writer is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            height_px, width_px = image.shape[:2]
            self._writer = VideoWriter(
                self.path, height_px=height_px, width_px=width_px, frame_rate=LAST_SHOWN_PER_S, timed=True
            )
            self._begin_s = time_s
        self._writer.write(image, time_s - self._begin_s)

    def _abandon(self, error: BaseException) -> None:
        self.is_abandoned = True
        if self._writer is not None:
            self._writer.__exit__(type(error), error, None)
            self._writer = None


def _even(image: Image) -> Image:
    """Return the image without an odd last row or column, which H.264 cannot encode."""
    height_px, width_px = image.shape[:2]
    return image[: height_px - height_px % 2, : width_px - width_px % 2]
