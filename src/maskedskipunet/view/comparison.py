"""The comparison video: a frame, its errors, its reconstruction and its scores so far, side by side."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageColor, ImageDraw, ImageFont

from maskedskipunet.data.frames import Image
from maskedskipunet.data.video import VideoWriter
from maskedskipunet.errors import ConfigError, ShapeError
from maskedskipunet.view.heatmap import overlay
from maskedskipunet.view.matplotlib_defaults import default_style, load_matplotlib
from maskedskipunet.view.plots import (
    Palette,
    ScoreCurve,
    draw_axes,
    draw_scores,
    draw_threshold,
    new_figure,
    score_limits,
)

ErrorMap = NDArray[np.floating[Any]]  # (h, w)

DARK = Palette(
    paper="#0f1217",
    panel="#191d25",
    text="#f1f4f8",
    quiet="#9ba6b5",
    grid="#2a303b",
    curve="#5cc8ff",
    truth="#532a33",
    threshold="#ffd166",
)
ALARM = "#ff6b5e"


@dataclass(frozen=True)
class ComparisonStyle:
    """Sizes of a comparison picture.

    panel_width_px: half the picture's width, margins included; from 36 times font_px.
    margin_px: around and between panels. caption_px: height of the line above each panel.
    font_px: size of its text.
    flattest, tallest: a panel's height over its width is kept within these; a source beyond stands between bars.
    Raises ConfigError for sizes that leave no panel.
    """

    panel_width_px: int = 480
    margin_px: int = 12
    caption_px: int = 28
    font_px: int = 13
    flattest: float = 0.45
    tallest: float = 0.9

    def __post_init__(self) -> None:
        # 36 letters wide is what the longest captions need.
        if self.panel_width_px < 36 * self.font_px or not 4 <= self.margin_px <= self.panel_width_px // 8:
            raise ConfigError(
                f"panels of {self.panel_width_px} px with margins of {self.margin_px} px and text of {self.font_px} px",
                "panel_width_px",
                "Use at least 36 times the text's size, with margins from 4 px to an eighth of it",
            )
        if not (6 <= self.font_px <= self.caption_px and 0 < self.flattest <= self.tallest):
            raise ConfigError("captions or panels that have no room", "font_px", "Keep the font below the caption")


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, picture: Image) -> Image:
        """Return the part of a picture (H, W, 3) that lies in it, as a view."""
        return picture[self.top : self.top + self.height, self.left : self.left + self.width]

    def centred(self, height: int, width: int) -> "Box":
        """Return a rectangle of that size in the middle of it."""
        return Box(self.top + (self.height - height) // 2, self.left + (self.width - width) // 2, height, width)


@dataclass(frozen=True)
class Layout:
    """The positions of everything in a comparison picture.

    height_px, width_px: of the whole, even. Panels are without their captions; `picture` says where in a panel the
    source's pictures stand, at the panel's own corner.
    """

    height_px: int
    width_px: int
    frame: Box
    errors: Box
    reconstruction: Box
    scores: Box
    picture: Box

    def picture_in(self, panel: Box) -> Box:
        """Return where the source's picture stands in the whole."""
        return Box(
            panel.top + self.picture.top, panel.left + self.picture.left, self.picture.height, self.picture.width
        )


def comparison_layout(source_height_px: int, source_width_px: int, style: ComparisonStyle | None = None) -> Layout:
    """Lay out a comparison picture for a source of that size, keeping its aspect ratio.

    Raises ShapeError for a size below 1.

    >>> layout = comparison_layout(240, 360)
    >>> layout.width_px, layout.height_px, layout.frame.width, layout.frame.height
    (960, 696, 462, 308)
    """
    style = style or ComparisonStyle()
    if source_height_px < 1 or source_width_px < 1:
        raise ShapeError(f"a source of {source_width_px}x{source_height_px} pixels")
    margin = style.margin_px
    width = (2 * style.panel_width_px - 3 * margin) // 2
    aspect = source_height_px / source_width_px
    height = _even(width * min(max(aspect, style.flattest), style.tallest))
    # Whichever of the two bounds the picture; at least two pixels are left of an extremely long one.
    picture_width = width if aspect <= style.tallest else max(_even(height / aspect), 2)
    picture_height = height if aspect >= style.flattest else max(_even(width * aspect), 2)
    above, right = margin // 2 + style.caption_px, 2 * margin + width
    below = above + height + margin // 2 + style.caption_px
    total_height = below + height + margin
    return Layout(
        height_px=total_height + total_height % 2,
        width_px=2 * style.panel_width_px,
        frame=Box(above, margin, height, width),
        errors=Box(above, right, height, width),
        reconstruction=Box(below, margin, height, width),
        scores=Box(below, right, height, width),
        picture=Box(0, 0, height, width).centred(picture_height, picture_width),
    )


class ComparisonRenderer:
    """Draws the comparison pictures of one video.

    name: of the video. source_height_px, source_width_px: of its frames. time_s: (N,), ascending.
    scores: (N,), NaN where there is none. labels: uint8 (N,), 1 anomalous, or None. error_scale: the error shown
    brightest, one for the whole video; above 0. index: (N,), each frame's number in its source, where frames
    were left out. threshold: a score drawn as a line, from which a frame is called.
    What does not change is drawn once, so that a picture costs a few milliseconds, and any may be asked for first.
    Raises ShapeError for arrays that do not fit one another, ConfigError for a scale that is not above 0.
    """

    def __init__(
        self,
        *,
        name: str,
        source_height_px: int,
        source_width_px: int,
        time_s: NDArray[np.float64],
        scores: NDArray[np.float64],
        labels: NDArray[np.uint8] | None,
        error_scale: float,
        index: NDArray[np.int64] | None = None,
        threshold: float | None = None,
        style: ComparisonStyle | None = None,
    ) -> None:
        self.layout = comparison_layout(source_height_px, source_width_px, style)
        self._style = style or ComparisonStyle()
        self._source_shape = (source_height_px, source_width_px, 3)
        self._curve = ScoreCurve(name, time_s, scores, labels, None)
        self._error_scale, self._threshold = error_scale, threshold
        self._index = np.arange(len(time_s)) if index is None else index
        if self._index.shape != time_s.shape:
            raise ShapeError(f"{len(self._index)} frame numbers for {len(time_s)} frames", name)
        self._name = _shortened(name, _font(self._style.font_px), self.layout.frame.width - 23 * self._style.font_px)
        self._plot = _ScorePlot(self._curve, self.layout.scores, threshold, self._style.font_px - 2)
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
        """How many frames the video has."""
        return len(self._curve.time_s)

    def render(
        self, position: int, frame: Image | None, reconstruction: Image | None, errors: ErrorMap | None
    ) -> Image:
        """Return the picture of one frame.

        position: 0 to N - 1. frame: uint8 of the source's size, None where it could not be decoded.
        reconstruction: uint8 (h, w, 3) and errors: (h, w), of any size, None where no clip is centred.
        Returns uint8 (height_px, width_px, 3). Raises ShapeError for a position or an array that does not fit.
        """
        if not 0 <= position < self.frame_count:
            raise ShapeError(f"frame {position} of a video with {self.frame_count} scores", self._curve.name)
        if frame is not None and frame.shape != self._source_shape:
            raise ShapeError(f"a frame of shape {frame.shape} in a video of {self._source_shape}", self._curve.name)
        canvas, place = self._canvas.copy(), self.layout.picture
        shown = None if frame is None else _resized(frame, place)
        self._put(canvas, self.layout.frame, shown, "no frame", "it could not be decoded")
        under = np.zeros((place.height, place.width, 3), np.uint8) if shown is None else shown
        glowing = None if errors is None else overlay(under, errors, self._error_scale)
        why_not = "first, last and bad frames have none"
        self._put(canvas, self.layout.errors, glowing, "no error map", why_not)
        rebuilt = None if reconstruction is None else _resized(reconstruction, place)
        if errors is not None:
            why_not = "the model has no network"
        self._put(canvas, self.layout.reconstruction, rebuilt, "no reconstruction", why_not)
        self._plot.draw(self.layout.scores.of(canvas), position)
        self._caption_frame(canvas, position)
        self._caption_scores(canvas, position)
        return canvas

    def _unchanging(self) -> Image:
        """Captions, colour bar and legend that all pictures share."""
        size = (self.layout.width_px, self.layout.height_px)
        canvas = np.array(Picture.new("RGB", size, DARK.paper))
        for panel in (self.layout.frame, self.layout.errors, self.layout.reconstruction):
            panel.of(canvas)[:] = ImageColor.getrgb(DARK.panel)
        with _Caption(canvas, self.layout.errors, self._style) as caption:
            caption.left("error", bold=True)
            caption.right(f"{self._error_scale:.3g}")
            caption.bar()
            caption.right("0")
        with _Caption(canvas, self.layout.reconstruction, self._style) as caption:
            caption.left("reconstruction", bold=True)
        with _Caption(canvas, self.layout.scores, self._style) as caption:
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
            panel.of(canvas)[:] = _message(panel.height, panel.width, missing, reason, self._style.font_px)

    def _caption_frame(self, canvas: Image, position: int) -> None:
        labels = self._curve.labels
        with _Caption(canvas, self.layout.frame, self._style) as caption:
            caption.left(f"frame {self._index[position]}", bold=True)
            caption.left(_clock(float(self._curve.time_s[position])))
            caption.left(self._name)
            if labels is not None and labels[position]:
                caption.badge("anomalous")
            elif labels is not None:
                caption.right("normal")
        if labels is not None and labels[position]:
            _draw_border(canvas, self.layout.frame, self._style.margin_px // 4)

    def _caption_scores(self, canvas: Image, position: int) -> None:
        score = self._curve.scores[position]
        with _Caption(canvas, self.layout.scores, self._style) as caption:
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


def film_strip(pictures: Sequence[Image], *, columns: int = 2, width_px: int = 1920, gap_px: int = 16) -> Image:
    """Return some pictures of one size as one still picture, row by row.

    pictures: uint8 (H, W, 3), at least one. columns: how many side by side. width_px: of the whole.
    Returns uint8 (h, width_px, 3). Raises ShapeError when there is none or their sizes differ.
    """
    shapes = {picture.shape for picture in pictures}
    if len(shapes) != 1 or columns < 1:
        raise ShapeError(f"a film strip of {len(pictures)} pictures of {len(shapes)} shapes in {columns} columns")
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    height, width, _ = shapes.pop()
    wide = (width_px - (columns - 1) * gap_px) // columns
    tall = max(round(wide * height / width), 1)
    strip = np.array(Picture.new("RGB", (width_px, rows * (tall + gap_px) - gap_px), DARK.paper))
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        cell = Box(row * (tall + gap_px), column * (wide + gap_px), tall, wide)
        resized = Picture.fromarray(picture).resize((wide, tall), Picture.Resampling.LANCZOS)
        cell.of(strip)[:] = np.asarray(resized)
    return strip


class _ScorePlot:
    """A video's plot of scores, drawn once without and once with its curve; a moment shows the curve up to it."""

    @default_style()
    def __init__(self, curve: ScoreCurve, panel: Box, threshold: float | None, font_px: int) -> None:
        limits = score_limits([curve.scores], *([] if threshold is None else [threshold]))
        figure = new_figure(panel.width, panel.height, DARK)
        axes = figure.add_axes((0, 0, 1, 1))
        draw_axes(axes, curve, limits, DARK, 5, font_px)
        figure.set_facecolor(DARK.panel)
        numbers = axes.yaxis.get_tightbbox(figure.canvas.get_renderer())  # type: ignore[attr-defined]
        left, right, top, bottom = int(numbers.width if numbers else 0) + 14, 24, 14, 30
        self._columns = panel.width - left - right
        axes.set_position(
            (
                left / panel.width,
                bottom / panel.height,
                self._columns / panel.width,
                (panel.height - top - bottom) / panel.height,
            )
        )
        if threshold is not None:
            draw_threshold(axes, threshold, DARK)
        self._empty = _pixels(figure)
        draw_scores(axes, curve, self._columns, DARK)
        self._full = _pixels(figure)
        heights = np.nan_to_num(curve.scores, nan=limits[0])
        places = axes.transData.transform(np.stack([curve.time_s, heights], axis=1))
        self._x, self._y = places[:, 0], panel.height - places[:, 1]
        self._scores, self._rows = curve.scores, slice(top, panel.height - bottom)

    def draw(self, panel: Image, position: int) -> None:
        """Draw the plot as it stands at a frame into a panel (H, W, 3)."""
        now = int(self._x[position])
        # Two columns short of the playhead, where the line's own width could show which way it goes on.
        known = max(now - 2, 0)
        panel[:, :known] = self._full[:, :known]
        panel[:, known:] = self._empty[:, known:]
        panel[self._rows, now - 1 : now + 1] = ImageColor.getrgb(DARK.quiet)
        if not np.isnan(self._scores[position]):
            _draw_dot(panel, float(self._x[position]), float(self._y[position]), 6.5, DARK.panel)
            _draw_dot(panel, float(self._x[position]), float(self._y[position]), 4.5, DARK.text)


class _Caption:
    """The line of text above a panel, written from both ends towards the middle."""

    def __init__(self, canvas: Image, panel: Box, style: ComparisonStyle) -> None:
        self._box = Box(panel.top - style.caption_px, panel.left, style.caption_px, panel.width)
        self._canvas, self._font_px = canvas, style.font_px
        self._middle = style.caption_px / 2
        self._from, self._to = 0.0, float(panel.width)

    def __enter__(self) -> "_Caption":
        self._picture = Picture.fromarray(self._box.of(self._canvas))
        self._pen = ImageDraw.Draw(self._picture)
        return self

    def __exit__(self, *_: object) -> None:
        self._box.of(self._canvas)[:] = np.asarray(self._picture)

    def left(self, text: str, *, bold: bool = False, colour: str = "") -> None:
        font = _font(self._font_px, bold)
        fill = colour or (DARK.text if bold else DARK.quiet)
        self._pen.text((self._from, self._middle), text, fill, font, anchor="lm")
        self._from += font.getlength(text) + self._font_px

    def right(self, text: str) -> None:
        font = _font(self._font_px)
        self._pen.text((self._to, self._middle), text, DARK.quiet, font, anchor="rm")
        self._to -= font.getlength(text) + self._font_px / 2

    def badge(self, text: str) -> None:
        font = _font(self._font_px, bold=True)
        half = self._font_px * 0.65
        box = (self._to - font.getlength(text) - self._font_px, self._middle - half, self._to, self._middle + half)
        self._pen.rounded_rectangle(box, radius=half / 2, fill=ALARM)
        middle = ((box[0] + box[2]) / 2, self._middle)
        self._pen.text(middle, text, DARK.paper, font, anchor="mm")

    def swatch(self, colour: str) -> None:
        size = self._font_px - 1
        top = self._middle - size / 2
        self._pen.rectangle((self._to - size, top, self._to, top + size), fill=colour)
        self._to -= size + self._font_px

    def bar(self) -> None:
        """The colours of the errors, as they look over a middle grey."""
        width, height = self._font_px * 8, self._font_px - 4
        ramp = np.broadcast_to(np.linspace(0, 1, width), (height, width))
        colours = overlay(np.full((height, width, 3), 128, np.uint8), ramp, 1.0)
        self._picture.paste(Picture.fromarray(colours), (int(self._to) - width, round(self._middle - height / 2)))
        self._to -= width + self._font_px / 2


@cache
def _font(size_px: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return the font that comes with matplotlib, so that pictures look the same on every machine."""
    load_matplotlib()
    from matplotlib import get_data_path

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(get_data_path()) / "fonts" / "ttf" / name), size_px)


@cache
def _message(height: int, width: int, text: str, reason: str, font_px: int) -> Image:
    """Return a dark panel that says what is missing and why."""
    picture = Picture.new("RGB", (width, height), DARK.panel)
    pen = ImageDraw.Draw(picture)
    pen.text((width / 2, height / 2 - font_px * 0.8), text, DARK.text, _font(font_px), anchor="mm")
    pen.text((width / 2, height / 2 + font_px * 0.8), reason, DARK.quiet, _font(font_px - 1), anchor="mm")
    return np.asarray(picture)


def _shortened(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    if font.getlength(text) <= width:
        return text
    fitting = (text[:end] + "…" for end in range(len(text) - 1, 0, -1))
    return next((short for short in fitting if font.getlength(short) <= width), "")


def _clock(time_s: float) -> str:
    hundredths = round(100 * time_s)
    if hundredths < 6000:
        return f"{hundredths / 100:.2f} s"
    minutes, seconds = hundredths // 6000, hundredths % 6000 / 100
    return f"{minutes}:{seconds:05.2f}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{seconds:05.2f}"


def _resized(image: Image, place: Box) -> Image:
    if image.shape[:2] == (place.height, place.width):
        return image
    picture = Picture.fromarray(image)
    return np.asarray(picture.resize((place.width, place.height), Picture.Resampling.BILINEAR, reducing_gap=2.0))


def _pixels(figure: Any) -> Image:
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()


def _draw_dot(panel: Image, x: float, y: float, radius: float, colour: str) -> None:
    """A filled circle with a smooth edge; x, y in pixels from the upper left corner."""
    reach = int(radius) + 2
    top, left = max(int(y) - reach, 0), max(int(x) - reach, 0)
    part = panel[top : int(y) + reach + 1, left : int(x) + reach + 1]
    rows, columns = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
    cover = np.clip(radius + 0.5 - np.hypot(rows + 0.5 - y, columns + 0.5 - x), 0, 1)[..., None]
    part[:] = np.rint(part * (1 - cover) + np.array(ImageColor.getrgb(colour)) * cover).astype(np.uint8)


def _draw_border(canvas: Image, panel: Box, width: int) -> None:
    """A frame around a panel, in the margin, so that it covers nothing of the picture."""
    top, bottom, left, right = panel.top, panel.top + panel.height, panel.left, panel.left + panel.width
    colour = ImageColor.getrgb(ALARM)
    canvas[top - width : top, left - width : right + width] = colour
    canvas[bottom : bottom + width, left - width : right + width] = colour
    canvas[top:bottom, left - width : left] = colour
    canvas[top:bottom, right : right + width] = colour


def _even(length: float) -> int:
    return 2 * round(length / 2)
