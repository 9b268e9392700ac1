"""A film and a sheet of single moments: each shown with its time, where it was seen and why it stands out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw

from maskedskipunet.data.frames import Image
from maskedskipunet.view.comparison_drawing import ALARM, DARK, font_of, shortened

FILM_PX = (1280, 720)  # width and height of the picture in the film
BAR_PX = 96
SHEET_PX = 1920  # wide
COLUMNS = 3
GAP_PX = 24
CELL_LINES = 4  # of text below a picture of the sheet
NO_PICTURE = "no picture is left of this moment"


@dataclass(frozen=True)
class Caption:
    """The text beside a moment.

    time, source: when and where it was. rank: its place among the others. reason: why it stands out. kind: how many
    there were like it.
    """

    time: str
    source: str
    rank: str
    reason: str = ""
    kind: str = ""

    @property
    def explanation(self) -> str:
        """Why it stands out, and how many there were like it."""
        return "; ".join(part for part in (self.reason, self.kind) if part)


def film_frame(image: Image, caption: Caption) -> Image:
    """Return a frame of the film, uint8 (816, 1280, 3): the picture as large as it fits, the caption in a bar below."""
    width, height = FILM_PX
    canvas = Picture.new("RGB", (width, height + BAR_PX), DARK.paper)
    _paste(canvas, image, (0, 0, width, height))
    pen = ImageDraw.Draw(canvas)
    large, small = font_of(30, bold=True), font_of(23)
    first, second = height + 30, height + 69
    pen.text((24, first), caption.time, DARK.text, large, anchor="lm")
    right = width - 24
    pen.text((right, first), caption.rank, DARK.quiet, small, anchor="rm")
    left = 24 + large.getlength(caption.time) + 28
    room = right - small.getlength(caption.rank) - 28 - left
    pen.text((left, first), shortened(caption.source, small, room), DARK.curve, small, anchor="lm")
    pen.text((right, second), caption.kind, DARK.quiet, small, anchor="rm")
    room = right - small.getlength(caption.kind) - 28 - 24
    pen.text((24, second), shortened(caption.reason, small, room), DARK.text, small, anchor="lm")
    return np.asarray(canvas)


def contact_sheet(title: str, pictures: Sequence[Image | None], captions: Sequence[Caption]) -> Image:
    """Return all moments as one picture, uint8 (H, 1920, 3), row by row, a title above; None: no picture of one."""
    columns = min(COLUMNS, max(1, len(pictures)))
    wide = (SHEET_PX - (COLUMNS + 1) * GAP_PX) // COLUMNS
    tall = wide * FILM_PX[1] // FILM_PX[0]
    line, head = 29, 84
    cell = tall + 14 + CELL_LINES * line + GAP_PX
    rows = -(-len(pictures) // columns)
    width = GAP_PX + columns * (wide + GAP_PX)
    canvas = Picture.new("RGB", (width, head + rows * cell), DARK.paper)
    pen = ImageDraw.Draw(canvas)
    heading = font_of(30, bold=True)
    pen.text((GAP_PX, head / 2), shortened(title, heading, width - 2 * GAP_PX), DARK.text, heading, anchor="lm")
    for number, (image, caption) in enumerate(zip(pictures, captions, strict=True)):
        left = GAP_PX + number % columns * (wide + GAP_PX)
        top = head + number // columns * cell
        if image is None:
            pen.rectangle((left, top, left + wide, top + tall), fill=DARK.panel)
            pen.text((left + wide / 2, top + tall / 2), NO_PICTURE, DARK.quiet, font_of(20), anchor="mm")
        else:
            _paste(canvas, image, (left, top, wide, tall))
        _write_below(pen, caption, left, top + tall + 14, wide, line)
    return np.asarray(canvas)


def _write_below(pen: ImageDraw.ImageDraw, caption: Caption, left: int, top: int, wide: int, line: int) -> None:
    bold, small = font_of(22, bold=True), font_of(20)
    pen.text((left, top), shortened(caption.time, bold, wide), DARK.text, bold)
    rank_px = small.getlength(caption.rank)
    pen.text((left + wide, top + 1), caption.rank, ALARM, small, anchor="ra")
    room = wide - bold.getlength(caption.time) - rank_px - 32
    pen.text(
        (left + bold.getlength(caption.time) + 16, top + 1), shortened(caption.source, small, room), DARK.curve, small
    )
    lines = [*wrapped(caption.reason, small.getlength, wide, CELL_LINES - 2), caption.kind]
    for number, text in enumerate(filter(None, lines), start=1):
        pen.text((left, top + number * line), text, DARK.quiet, small)


def wrapped(text: str, length: Callable[[str], float], width: float, lines: int) -> list[str]:
    """Return a text broken between words into lines that are no wider than this; the last is cut where it must be.

    >>> wrapped("one two three", len, 7, 2), wrapped("one two three four", len, 7, 2)
    (['one two', 'three'], ['one two', 'three …'])
    """
    broken: list[str] = []
    words = text.split()
    while words and len(broken) < lines:
        count = 1
        while count < len(words) and length(" ".join(words[: count + 1])) <= width:
            count += 1
        broken.append(" ".join(words[:count]))
        words = words[count:]
    if words and broken:
        last = broken[-1]
        while last and length(f"{last} …") > width:
            last = last.rpartition(" ")[0]
        broken[-1] = f"{last} …".strip()
    return broken


def _paste(canvas: Picture.Image, image: Image, box: tuple[int, int, int, int]) -> None:
    """Paste a picture into a box (left, top, width, height), as large as it fits, in its middle."""
    left, top, width, height = box
    scale = min(width / image.shape[1], height / image.shape[0])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    shown = Picture.fromarray(image).resize(size, Picture.Resampling.BICUBIC)
    canvas.paste(shown, (left + (width - size[0]) // 2, top + (height - size[1]) // 2))
