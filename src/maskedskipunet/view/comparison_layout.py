"""Sizes and places of the comparison picture."""

from dataclasses import dataclass

from maskedskipunet.data.frames import Image
from maskedskipunet.errors import ConfigError, ShapeError


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
        """Return the position of the source's picture in the whole."""
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


def _even(length: float) -> int:
    return 2 * round(length / 2)
