"""Drawing helpers of comparison pictures: colours, captions, dots and borders."""

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image as Picture
from PIL import ImageColor, ImageDraw, ImageFont

from maskedskipunet.data.frames import Image
from maskedskipunet.view.comparison_layout import Box, ComparisonStyle
from maskedskipunet.view.heatmap import overlay
from maskedskipunet.view.matplotlib_defaults import load_matplotlib
from maskedskipunet.view.plots import Palette

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


class Caption:
    """The line of text above a panel, written from both ends towards the middle."""

    def __init__(self, canvas: Image, panel: Box, style: ComparisonStyle) -> None:
        self._box = Box(panel.top - style.caption_px, panel.left, style.caption_px, panel.width)
        self._canvas, self._font_px = canvas, style.font_px
        self._middle = style.caption_px / 2
        self._from, self._to = 0.0, float(panel.width)

    def __enter__(self) -> "Caption":
        self._picture = Picture.fromarray(self._box.of(self._canvas))
        self._pen = ImageDraw.Draw(self._picture)
        return self

    def __exit__(self, *_: object) -> None:
        self._box.of(self._canvas)[:] = np.asarray(self._picture)

    def left(self, text: str, *, bold: bool = False, colour: str = "") -> None:
        font = font_of(self._font_px, bold)
        fill = colour or (DARK.text if bold else DARK.quiet)
        self._pen.text((self._from, self._middle), text, fill, font, anchor="lm")
        self._from += font.getlength(text) + self._font_px

    def right(self, text: str) -> None:
        font = font_of(self._font_px)
        self._pen.text((self._to, self._middle), text, DARK.quiet, font, anchor="rm")
        self._to -= font.getlength(text) + self._font_px / 2

    def badge(self, text: str) -> None:
        font = font_of(self._font_px, bold=True)
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
        """Draw the colours of the errors as they look over a middle grey."""
        width, height = self._font_px * 8, self._font_px - 4
        ramp = np.broadcast_to(np.linspace(0, 1, width), (height, width))
        colours = overlay(np.full((height, width, 3), 128, np.uint8), ramp, 1.0)
        self._picture.paste(Picture.fromarray(colours), (int(self._to) - width, round(self._middle - height / 2)))
        self._to -= width + self._font_px / 2


@cache
def font_of(size_px: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return the font that comes with matplotlib, so that pictures look the same on every machine."""
    load_matplotlib()
    from matplotlib import get_data_path

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(get_data_path()) / "fonts" / "ttf" / name), size_px)


@cache
def message(height: int, width: int, text: str, reason: str, font_px: int) -> Image:
    """Return a dark panel with a note of what is missing and why."""
    picture = Picture.new("RGB", (width, height), DARK.panel)
    pen = ImageDraw.Draw(picture)
    pen.text((width / 2, height / 2 - font_px * 0.8), text, DARK.text, font_of(font_px), anchor="mm")
    pen.text((width / 2, height / 2 + font_px * 0.8), reason, DARK.quiet, font_of(font_px - 1), anchor="mm")
    return np.asarray(picture)


def shortened(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    if font.getlength(text) <= width:
        return text
    fitting = (text[:end] + "…" for end in range(len(text) - 1, 0, -1))
    return next((short for short in fitting if font.getlength(short) <= width), "")


def draw_border(canvas: Image, panel: Box, width: int) -> None:
    """Draw a frame around a panel, in the margin, so that it covers nothing of the picture."""
    top, bottom, left, right = panel.top, panel.top + panel.height, panel.left, panel.left + panel.width
    colour = ImageColor.getrgb(ALARM)
    canvas[top - width : top, left - width : right + width] = colour
    canvas[bottom : bottom + width, left - width : right + width] = colour
    canvas[top:bottom, left - width : left] = colour
    canvas[top:bottom, right : right + width] = colour


def draw_dot(panel: Image, x: float, y: float, radius: float, colour: str) -> None:
    """Draw a filled circle with a smooth edge; x, y in pixels from the upper left corner."""
    reach = int(radius) + 2
    top, left = max(int(y) - reach, 0), max(int(x) - reach, 0)
    part = panel[top : int(y) + reach + 1, left : int(x) + reach + 1]
    rows, columns = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
    cover = np.clip(radius + 0.5 - np.hypot(rows + 0.5 - y, columns + 0.5 - x), 0, 1)[..., None]
    part[:] = np.rint(part * (1 - cover) + np.array(ImageColor.getrgb(colour)) * cover).astype(np.uint8)
