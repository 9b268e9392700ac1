"""The plot of scores in a comparison picture, as it stands at each frame."""

from typing import Any

import numpy as np
from PIL import ImageColor

from maskedskipunet.data.frames import Image
from maskedskipunet.view.comparison_drawing import DARK, draw_dot
from maskedskipunet.view.comparison_layout import Box
from maskedskipunet.view.matplotlib_defaults import default_style
from maskedskipunet.view.plots import (
    ScoreCurve,
    draw_axes,
    draw_scores,
    draw_threshold,
    new_figure,
    score_limits,
)


class ScorePlot:
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
        points = axes.transData.transform(np.stack([curve.time_s, heights], axis=1))
        self._x, self._y = points[:, 0], panel.height - points[:, 1]
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
            draw_dot(panel, float(self._x[position]), float(self._y[position]), 6.5, DARK.panel)
            draw_dot(panel, float(self._x[position]), float(self._y[position]), 4.5, DARK.text)


def _pixels(figure: Any) -> Image:
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
