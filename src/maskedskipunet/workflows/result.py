"""The result of a detector for one frame."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from maskedskipunet.data.frames import Image
from maskedskipunet.data.images import IMAGE_SUFFIXES
from maskedskipunet.detection.events import Event
from maskedskipunet.errors import ConfigError, FrameError
from maskedskipunet.files import atomic_write
from maskedskipunet.view.annotated import annotate
from maskedskipunet.view.heatmap import resized_map


class EventReference:
    """Refers to the next event of a source, as far as it is known by now; frames that may belong to it share one."""

    def __init__(self) -> None:
        self.event: Event | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """One frame of a source, and what was found in it. A result holds its frame until it is dropped.

    source: the name of the source. index: the index of the frame in it, from 0. time_s: seconds since the first frame.
    image: uint8 (H, W, 3), RGB; None for a bad frame that was skipped. score: higher is more anomalous; None at the
    first and last (T-1)/2 frames and beside bad ones. normal_share: the share of normal frames that score at least as
    high, None if the model was not calibrated. threshold: the threshold of events, None if there is none.
    """

    source: str
    index: int
    time_s: float
    image: Image | None = field(repr=False)
    score: float | None
    normal_share: float | None
    threshold: float | None
    score_map: NDArray[np.float32] | None = field(repr=False)
    """(h, w), at the network's size; None if there is no score."""
    glow_level: float = field(repr=False)
    box_level: float | None = field(repr=False)
    reference: EventReference = field(repr=False)

    @property
    def event(self) -> Event | None:
        """The event that the frame belongs to, as it is known now; None if it belongs to none.

        While frames come, an event is confirmed after half a second and grows. Then its earlier frames belong to it.
        """
        event = self.reference.event
        return event if event is not None and event.start_frame <= self.index <= event.end_frame else None

    @property
    def is_alarm(self) -> bool:
        """The frame belongs to an event."""
        return self.event is not None

    @property
    def heatmap(self) -> NDArray[np.float32] | None:
        """The anomaly of each pixel: float32 (H, W), at the size of the source, computed when you read it.

        None if there is no score.
        """
        if self.score_map is None or self.image is None:
            return None
        return resized_map(self.score_map, height_px=self.image.shape[0], width_px=self.image.shape[1])

    def plot(self) -> Image:
        """Return the frame with its errors glowing, boxes where it is in an event, and its score; uint8 (H, W, 3).

        The glow is scaled by the threshold, or without one by the highest score of normal frames. If that is not known
        either, it is scaled by the frame's own score: then normal frames glow as much as others.
        Raises FrameError for a bad frame.
        """
        if self.image is None:
            raise FrameError(f"frame {self.index} is bad, so there is nothing to show", self.source)
        box_level = self.box_level if self.is_alarm else None
        caption = None if self.score is None else f"{self.score:.4f}"
        return annotate(self.image, self.score_map, glow_level=self.glow_level, box_level=box_level, caption=caption)

    def save(self, path: str | Path) -> Path:
        """Write the plot as a picture (.png, .jpg, .bmp, .tif, .webp), making its folder; returns its path.

        Raises ConfigError for another ending, FrameError for a bad frame.
        """
        path = Path(path)
        kind = Picture.registered_extensions().get(path.suffix.lower())
        if kind is None or path.suffix.lower() not in IMAGE_SUFFIXES:
            raise ConfigError("no kind of picture", str(path), f"Use {', '.join(sorted(IMAGE_SUFFIXES))}")
        picture = Picture.fromarray(self.plot())
        with atomic_write(path) as part:
            picture.save(part, kind)
        return path
