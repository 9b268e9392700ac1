"""Renders the annotated video: the source with glowing errors, boxes around anomalies, and scores below."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from maskedskipunet.data.frames import Image
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.detection.boxes import map_boxes
from maskedskipunet.detection.events import Event
from maskedskipunet.errors import ShapeError
from maskedskipunet.view.enlarging import enlarged, readable_scale
from maskedskipunet.view.heatmap import colour_map
from maskedskipunet.view.marking import ALARM, with_boxes

STRIP_SHARE = 0.18  # of the height, below, for the score curve
LOWEST_STRIP_PX = 10
STRONGEST_GLOW = 0.75
LOWEST_WITH_WORDS_PX = 96
THINNEST_BAND_PX = 2  # of events and of labels, above the curve
TRUTH = (120, 214, 130)
CURVE, AHEAD, LEVEL = (92, 200, 255), (96, 106, 120), (255, 209, 102)


class AnnotatedRenderer:
    """Draws the frames of one video at their own size, small ones enlarged by a whole number so that they can be read
    (an odd size gets a row or column more, which H.264 asks for).

    time_s, scores: (N,) of the frames that were scored, NaN if one has none. threshold: of its events. box_level:
    of the pixels that are boxed while an event goes on. labels: (N,), 1 anomalous, drawn as a band below the events.
    """

    def __init__(
        self,
        *,
        height_px: int,
        width_px: int,
        time_s: NDArray[np.float64],
        scores: NDArray[np.float64],
        threshold: float,
        box_level: float,
        events: Sequence[Event],
        labels: NDArray[np.uint8] | None = None,
    ) -> None:
        if height_px < 1 or width_px < 1 or time_s.shape != scores.shape or not len(time_s):
            raise ShapeError(f"{scores.shape} scores at {time_s.shape} times over {width_px}x{height_px} pixels")
        self._source_shape = (height_px, width_px, 3)
        self._scale = readable_scale(height_px)
        height_px, width_px = self._scale * height_px, self._scale * width_px
        self.height_px, self.width_px = height_px + height_px % 2, width_px + width_px % 2
        self._shape = (height_px, width_px, 3)
        self._labels = labels
        self._threshold, self._box_level, self._events = threshold, box_level, events
        self._start_s = float(time_s[0])
        self._span_s = max(float(time_s[-1]) - self._start_s, 1e-9)
        self._strip_px = min(max(LOWEST_STRIP_PX, round(STRIP_SHARE * height_px)), height_px)
        self._past, self._ahead = self._curve(time_s, scores, CURVE), self._curve(time_s, scores, AHEAD)

    def render(self, time_s: float, frame: Image, score_map: NDArray[np.floating] | None) -> Image:
        """Return one frame, uint8 (H, W, 3) of the source's size; score_map: the newest one, any size, or None."""
        if frame.shape != self._source_shape:
            raise ShapeError(f"a frame of shape {frame.shape} in a video of {self._source_shape}")
        frame = enlarged(frame, self._scale)
        running = any(event.start_s <= time_s <= event.end_s for event in self._events)
        picture = annotate(frame, score_map, glow_level=self._threshold, box_level=self._box_level if running else None)
        self._draw_strip(picture, time_s, running)
        return np.pad(
            picture, ((0, self.height_px - self._shape[0]), (0, self.width_px - self._shape[1]), (0, 0)), "edge"
        )

    def _draw_strip(self, picture: Image, time_s: float, running: bool) -> None:
        strip = picture[-self._strip_px :]
        strip[:] = strip // 3
        now = self._column(time_s)
        for curve, columns in ((self._past, slice(0, now + 1)), (self._ahead, slice(now + 1, None))):
            part, on_curve = strip[:, columns], curve[:, columns]
            part[on_curve.any(axis=2)] = on_curve[on_curve.any(axis=2)]
        strip[:, now] = ALARM if running else (255, 255, 255)

    def _curve(self, time_s: NDArray[np.float64], scores: NDArray[np.float64], colour: tuple[int, int, int]) -> Image:
        """Return the curve over the whole video, highest score a column, with the threshold and the events above it."""
        height, width = self._strip_px, self._shape[1]
        strip = np.zeros((height, width, 3), np.uint8)
        known = ~np.isnan(scores)
        low = float(np.min(scores[known], initial=self._threshold))
        high = float(np.max(scores[known], initial=self._threshold))
        band = max(THINNEST_BAND_PX, height // 12)
        rows = max(height - 1 - 2 * band, 1)  # above are the events, and the labels
        scale = (rows - 1) / max(high - low, 1e-12)

        def row(score: NDArray[np.float64]) -> NDArray[np.int64]:
            return (height - 1 - np.rint((score - low) * scale)).astype(np.int64)

        strip[row(np.array(self._threshold))] = LEVEL
        for run in _unbroken(known):
            columns, column_index = np.unique(self._column(time_s[run]), return_inverse=True)
            top = np.full(len(columns), -np.inf)
            np.maximum.at(top, column_index, scores[run])
            line = np.arange(columns[0], columns[-1] + 1)
            heights = row(np.interp(line, columns, top))
            for index, column in enumerate(line):
                before = heights[max(index - 1, 0)]
                strip[min(before, heights[index]) : max(before, heights[index]) + 1, column] = colour
        for event in self._events:
            strip[:band, self._column(event.start_s) : self._column(event.end_s) + 1] = ALARM
        if self._labels is not None and self._labels.any():
            for run in _unbroken(self._labels == 1):
                first, last = self._column(float(time_s[run.start])), self._column(float(time_s[run.stop - 1]))
                strip[band : 2 * band, first : last + 1] = TRUTH
        return strip

    def _column(self, time_s: NDArray[np.float64] | float) -> "NDArray[np.int64] | int":
        columns = np.rint((np.asarray(time_s) - self._start_s) / self._span_s * (self._shape[1] - 1))
        clipped = np.clip(columns, 0, self._shape[1] - 1).astype(np.int64)
        return clipped if clipped.ndim else int(clipped)


def _unbroken(known: NDArray[np.bool_]) -> list[slice]:
    """Return the stretches in which every frame has a score."""
    edges = np.flatnonzero(np.diff(known.astype(np.int8), prepend=0, append=0))
    return [slice(start, stop) for start, stop in edges.reshape(-1, 2).tolist()]


def annotate(
    frame: Image,
    score_map: NDArray[np.floating] | None,
    *,
    glow_level: float,
    box_level: float | None = None,
    caption: str | None = None,
) -> Image:
    """Return a frame with its errors glowing in it; a new array, uint8 (H, W, 3).

    score_map: any size, or None. glow_level: pixels glow from half this error on, and strongest at twice this error.
    box_level: boxes are drawn around connected regions at or above this error; None: no boxes. caption: a few words in
    a corner, if the frame is large enough to read them.
    """
    height_px, width_px = frame.shape[:2]
    pixels = frame if score_map is None else _glowing(frame, score_map, glow_level)
    if box_level is not None and score_map is not None:
        pixels = with_boxes(pixels, map_boxes(score_map, box_level, height_px=height_px, width_px=width_px))
    picture = Picture.fromarray(pixels)
    pen = ImageDraw.Draw(picture)
    if caption is not None and height_px >= LOWEST_WITH_WORDS_PX:
        font = ImageFont.load_default(max(10, height_px // 20))
        colour = (255, 255, 255) if box_level is None else ALARM
        edge = max(1, height_px // 240)
        pen.text((4 * edge, 2 * edge), caption, fill=colour, font=font, stroke_width=edge, stroke_fill=(0, 0, 0))
    return np.array(picture)


def write_annotated(
    path: Path, pictures: Iterable[tuple[float, Image]], renderer: AnnotatedRenderer, frame_rate: float | Fraction
) -> None:
    """Write a video with the timing of its source; it appears when it is complete.

    pictures: the time in seconds and the rendered picture of each frame, in order.
    """
    size = {"height_px": renderer.height_px, "width_px": renderer.width_px}
    with VideoWriter(path, **size, frame_rate=frame_rate, timed=True) as writer:
        for time_s, picture in pictures:
            writer.write(picture, time_s)


def _glowing(frame: Image, score_map: NDArray[np.floating], threshold: float) -> Image:
    """Overlay errors in the colours of the heat map: nothing up to half the threshold, strongest at twice the
    threshold.
    """
    height_px, width_px = frame.shape[:2]
    scale = max(threshold, 1e-12)
    shares = np.clip((np.nan_to_num(score_map.astype(np.float32)) / scale - 0.5) / 1.5, 0, 1)
    levels = Picture.fromarray(np.rint(255 * shares).astype(np.uint8))
    levels = levels.resize((width_px, height_px), Picture.Resampling.BILINEAR)
    if not levels.getbbox():
        return frame
    strength = np.asarray(levels)[..., None].astype(np.float32) / 255
    colours = colour_map(0.35 + 0.65 * strength[..., 0])
    cover = STRONGEST_GLOW * np.sqrt(strength)
    return np.rint(frame * (1 - cover) + colours * cover).astype(np.uint8)
