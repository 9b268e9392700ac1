"""The comparison video: a frame, its errors, its reconstruction and its scores so far, side by side."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageColor

from maskedskipunet.data.frames import Image
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.errors import ShapeError
from maskedskipunet.view.comparison_drawing import DARK, Caption, draw_border, font_of, message, shortened
from maskedskipunet.view.comparison_layout import Box, ComparisonStyle, comparison_layout
from maskedskipunet.view.heatmap import overlay
from maskedskipunet.view.plots import ScoreCurve
from maskedskipunet.view.score_plot import ScorePlot

ErrorMap = NDArray[np.floating[Any]]  # (h, w)


class ComparisonRenderer:
    """Draws the comparison pictures of one video.

    curve: name, times, scores and labels of the video. source_height_px, source_width_px: of its frames. error_scale:
    the error shown brightest, one for the whole video; above 0. index: (N,), each frame's number in its source, where
    frames were left out. threshold: a score drawn as a line, from which a frame is called.
    What does not change is drawn once, so that a picture costs a few milliseconds, and any may be asked for first.
    Raises ShapeError for arrays that do not fit one another, ConfigError for a scale that is not above 0.
    """

    def __init__(
        self,
        curve: ScoreCurve,
        *,
        source_height_px: int,
        source_width_px: int,
        error_scale: float,
        index: NDArray[np.int64] | None = None,
        threshold: float | None = None,
        style: ComparisonStyle | None = None,
    ) -> None:
        self.layout = comparison_layout(source_height_px, source_width_px, style)
        self._style = style or ComparisonStyle()
        self._source_shape = (source_height_px, source_width_px, 3)
        self._curve = curve
        self._error_scale, self._threshold = error_scale, threshold
        self._index = np.arange(len(curve.time_s)) if index is None else index
        if self._index.shape != curve.time_s.shape:
            raise ShapeError(f"{len(self._index)} frame numbers for {len(curve.time_s)} frames", curve.name)
        self._name = shortened(
            curve.name, font_of(self._style.font_px), self.layout.frame.width - 23 * self._style.font_px
        )
        self._plot = ScorePlot(self._curve, self.layout.scores, threshold, self._style.font_px - 2)
        self._canvas = self._unchanging()

    @property
    def height_px(self) -> int:
        """Height of every picture; even."""
        return self.layout.height_px

    @property
    def width_px(self) -> int:
        """Width of every picture; even."""
        return self.layout.width_px

    @property
    def frame_count(self) -> int:
        """The number of frames of the video."""
        return len(self._curve.time_s)

    def render(
        self, position: int, frame: Image | None, reconstruction: Image | None, errors: ErrorMap | None
    ) -> Image:
        """Return the picture of one frame.

        position: 0 to N - 1. frame: uint8 of the source's size, None if it could not be decoded.
        reconstruction: uint8 (h, w, 3) and errors: (h, w), of any size, None if no clip is centred.
        Returns uint8 (height_px, width_px, 3). Raises ShapeError for a position or an array that does not fit.
        """
        if not 0 <= position < self.frame_count:
            raise ShapeError(f"frame {position} of a video with {self.frame_count} scores", self._curve.name)
        if frame is not None and frame.shape != self._source_shape:
            raise ShapeError(f"a frame of shape {frame.shape} in a video of {self._source_shape}", self._curve.name)
        canvas, panel = self._canvas.copy(), self.layout.picture
        shown = None if frame is None else _resized(frame, panel)
        self._put(canvas, self.layout.frame, shown, "no frame", "it could not be decoded")
        under = np.zeros((panel.height, panel.width, 3), np.uint8) if shown is None else shown
        glowing = None if errors is None else overlay(under, errors, self._error_scale)
        why_not = "first, last and bad frames have none"
        self._put(canvas, self.layout.errors, glowing, "no error map", why_not)
        rebuilt = None if reconstruction is None else _resized(reconstruction, panel)
        if errors is not None:
            why_not = "the model has no network"
        self._put(canvas, self.layout.reconstruction, rebuilt, "no reconstruction", why_not)
        self._plot.draw(self.layout.scores.of(canvas), position)
        self._caption_frame(canvas, position)
        self._caption_scores(canvas, position)
        return canvas

    def _unchanging(self) -> Image:
        """Draw the captions, colour bar and legend that all pictures share."""
        size = (self.layout.width_px, self.layout.height_px)
        canvas = np.array(Picture.new("RGB", size, DARK.paper))
        for panel in (self.layout.frame, self.layout.errors, self.layout.reconstruction):
            panel.of(canvas)[:] = ImageColor.getrgb(DARK.panel)
        with Caption(canvas, self.layout.errors, self._style) as caption:
            caption.left("error", bold=True)
            caption.right(f"{self._error_scale:.3g}")
            caption.bar()
            caption.right("0")
        with Caption(canvas, self.layout.reconstruction, self._style) as caption:
            caption.left("reconstruction", bold=True)
        with Caption(canvas, self.layout.scores, self._style) as caption:
            if self._curve.labels is None:
                caption.right("no labels")
            else:
                caption.right("anomalous (ground truth)")
                caption.swatch(DARK.truth)
        return canvas

    def _put(self, canvas: Image, panel: Box, picture: Image | None, missing: str, reason: str) -> None:
        if picture is not None:
            self.layout.picture_in(panel).of(canvas)[:] = picture
        else:
            panel.of(canvas)[:] = message(panel.height, panel.width, missing, reason, self._style.font_px)

    def _caption_frame(self, canvas: Image, position: int) -> None:
        labels = self._curve.labels
        with Caption(canvas, self.layout.frame, self._style) as caption:
            caption.left(f"frame {self._index[position]}", bold=True)
            caption.left(_clock(float(self._curve.time_s[position])))
            caption.left(self._name)
            if labels is not None and labels[position]:
                caption.badge("anomalous")
            elif labels is not None:
                caption.right("normal")
        if labels is not None and labels[position]:
            draw_border(canvas, self.layout.frame, self._style.margin_px // 4)

    def _caption_scores(self, canvas: Image, position: int) -> None:
        score = self._curve.scores[position]
        with Caption(canvas, self.layout.scores, self._style) as caption:
            caption.left("score", bold=True)
            caption.left("none here" if np.isnan(score) else f"{score:.4g}")
            if self._threshold is not None and score >= self._threshold:
                caption.left("above threshold", colour=DARK.threshold)


def write_comparison(
    path: Path,
    frames: Iterable[tuple[Image | None, Image | None, ErrorMap | None]],
    renderer: ComparisonRenderer,
    frame_rate: float | Fraction,
) -> None:
    """Write the comparison video of one test video; the file appears when it is whole.

    path: its folder must exist. frames: frame, reconstruction and errors of each frame of the video, in order.
    Raises ShapeError when there are more or fewer frames than scores, DiskSpaceError when the disk is full.
    """
    count = 0
    with VideoWriter(path, height_px=renderer.height_px, width_px=renderer.width_px, frame_rate=frame_rate) as writer:
        for frame, reconstruction, errors in frames:
            writer.write(renderer.render(count, frame, reconstruction, errors))
            count += 1
        if count != renderer.frame_count:
            raise ShapeError(f"{count} frames for {renderer.frame_count} scores", str(path))


def _clock(time_s: float) -> str:
    hundredths = round(100 * time_s)
    if hundredths < 6000:
        return f"{hundredths / 100:.2f} s"
    minutes, seconds = hundredths // 6000, hundredths % 6000 / 100
    return f"{minutes}:{seconds:05.2f}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{seconds:05.2f}"


def _resized(image: Image, panel: Box) -> Image:
    if image.shape[:2] == (panel.height, panel.width):
        return image
    picture = Picture.fromarray(image)
    return np.asarray(picture.resize((panel.width, panel.height), Picture.Resampling.BILINEAR, reducing_gap=2.0))
