"""Plots as PNG files: the scores of videos over time, and the variants of a study side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from maskedskipunet.errors import ConfigError, ShapeError
from maskedskipunet.files import atomic_write
from maskedskipunet.view.matplotlib_defaults import default_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

POINTS_PER_INCH = 72
"""Figures are laid out at this resolution, where one point is one pixel."""

SHARPNESS = 2
"""Pixels a point in the files, so that they stay sharp on fine screens."""

TIME_STEPS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600)


@dataclass(frozen=True)
class ScoreCurve:
    """The scores of one video.

    name: shown above its plot. time_s: (N,), ascending. scores: (N,), NaN if there is none.
    labels: uint8 (N,), 1 anomalous; None if there is no ground truth. auc: None for a video of one class.
    thresholds: (N,), from which on a frame may be an alarm; None if the model has none. alarms: start and end in
    seconds of each.
    Raises ShapeError when the arrays are empty or their lengths differ.
    """

    name: str
    time_s: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: NDArray[np.uint8] | None
    auc: float | None
    thresholds: NDArray[np.float64] | None = None
    alarms: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        arrays = (self.time_s, self.scores, self.labels, self.thresholds)
        shapes = [array.shape for array in arrays if array is not None]
        if len(set(shapes)) != 1 or len(shapes[0]) != 1 or not shapes[0][0]:
            raise ShapeError(f"times, scores and labels of shapes {', '.join(map(str, shapes))}", self.name)

    @property
    def note(self) -> str:
        """A note about its AUC."""
        if self.labels is None:
            return "no labels"
        return "one class" if self.auc is None else f"AUC {self.auc:.3f}"

    @property
    def limits_s(self) -> tuple[float, float]:
        """The start and the end of the time axis: half a frame before the first and after the last."""
        half_s = self._step_s() / 2
        return float(self.time_s[0]) - half_s, float(self.time_s[-1]) + half_s

    def anomalous_spans(self) -> list[tuple[float, float]]:
        """Start and length in seconds of each run of anomalous frames, half a frame more on both sides."""
        if self.labels is None:
            return []
        changes = np.flatnonzero(np.diff(np.concatenate([[0], self.labels > 0, [0]]).astype(np.int8)))
        step_s = self._step_s()
        return [
            (float(self.time_s[first]) - step_s / 2, float(self.time_s[end - 1] - self.time_s[first]) + step_s)
            for first, end in changes.reshape(-1, 2)
        ]

    def _step_s(self) -> float:
        step_s = float(np.median(np.diff(self.time_s))) if len(self.time_s) > 1 else 1.0
        return step_s if step_s > 0 else 1.0


@dataclass(frozen=True)
class Palette:
    """The colours of a plot."""

    paper: str
    panel: str
    text: str
    quiet: str
    grid: str
    curve: str
    truth: str
    threshold: str


LIGHT = Palette(
    paper="#ffffff",
    panel="#ffffff",
    text="#1d2330",
    quiet="#667080",
    grid="#e6e9ee",
    curve="#1f5fa8",
    truth="#fbd0c9",
    threshold="#7d5fb2",
)


THRESHOLD_LINE: Mapping[str, Any] = {"linewidth": 1, "linestyle": (0, (5, 4))}
ALARM = "#d0332a"
NARROWEST_ALARM_PX = 2  # on a long time axis a short alarm would not be seen


@default_style()
def plot_scores(curves: Sequence[ScoreCurve], path: Path, title: str) -> None:
    """Write one PNG with a panel for each video, all on one score scale, ground truth shaded.

    curves: at least one. path: its folder must exist; the file appears when it is whole.
    Raises ConfigError when there is no curve, DiskSpaceError when the disk is full.
    """
    if not curves:
        raise ConfigError("no curve to plot", str(path), "Score at least one video")
    # At most five side by side stay readable; beyond 300 videos the picture would grow too tall to be drawn.
    columns = max(min(ceil(sqrt(len(curves) / 1.5)), 5), ceil(len(curves) / 60))
    panel_px = (860, 300) if len(curves) == 1 else (320, 150)
    _plot_grid(curves, path, title, columns, panel_px)


@default_style()
def plot_score_curve(curve: ScoreCurve, path: Path) -> None:
    """Write one PNG with the scores of one video over time, ground truth shaded.

    path: its folder must exist; the file appears when it is whole. Raises DiskSpaceError when the disk is full.
    """
    _plot_grid([curve], path, "", 1, (1000, 340))


@default_style()
def plot_ablation(rows: Sequence[tuple[str, float | None]], path: Path, title: str) -> None:
    """Write one PNG with a bar for each variant's micro AUC, in the order given, chance level marked.

    rows: name and micro AUC, None if there are no labels; at least one.
    path: its folder must exist; the file appears when it is whole.
    Raises ConfigError when there is no row, DiskSpaceError when the disk is full.
    """
    if not rows:
        raise ConfigError("no variant to plot", str(path), "Name at least one")
    row_px, bar_px, top_px, bottom_px, right_px = 30, 18, 66, 48, 60
    names_px = 24 + 7.4 * max(len(name) for name, _ in rows)
    width_px, height_px = max(names_px + 460 + right_px, 32 + 10 * len(title)), top_px + row_px * len(rows) + bottom_px
    figure = new_figure(width_px, height_px, LIGHT)
    axes = _axes_at(figure, (names_px, top_px, 460, row_px * len(rows)))
    positions = np.arange(len(rows))
    axes.barh(positions, [auc or 0.0 for _, auc in rows], bar_px / row_px, color=LIGHT.curve, zorder=2)
    for position, (name, auc) in enumerate(rows):
        _write(axes.text(-0.015, position, name, ha="right", va="center", fontsize=11, color=LIGHT.text))
        label, where, colour = ("no labels", 0.0, LIGHT.quiet) if auc is None else (f"{auc:.3f}", auc, LIGHT.text)
        weight = "normal" if auc is None else "bold"
        value = axes.text(where + 0.012, position, label, va="center", fontsize=11, color=colour, fontweight=weight)
        value.set_bbox({"facecolor": LIGHT.panel, "edgecolor": "none", "pad": 1.5})
        _write(value)
    axes.axvline(0.5, color=LIGHT.quiet, linewidth=1.2, linestyle=(0, (4, 3)), zorder=3)
    _write(axes.text(0.5, -0.62, "chance 0.5", ha="center", va="bottom", fontsize=10, color=LIGHT.quiet))
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5), xticks=np.linspace(0, 1, 6), yticks=[])
    _style_axes(axes, LIGHT, 10)
    axes.grid(axis="y", visible=False)
    _write(axes.set_xlabel("micro AUC", fontsize=10, color=LIGHT.quiet))
    _write(
        figure.text(
            16 / width_px, 1 - 26 / height_px, title, va="center", fontsize=14, color=LIGHT.text, fontweight="bold"
        )
    )
    save_figure(figure, path)


def new_figure(width_px: float, height_px: float, palette: Palette) -> "Figure":
    """Return an empty figure with points of one pixel, on its own canvas, without global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # A hundredth more, because a size in inches may come back as a hair less than the whole pixel.
    size = ((width_px + 0.01) / POINTS_PER_INCH, (height_px + 0.01) / POINTS_PER_INCH)
    figure = Figure(figsize=size, dpi=POINTS_PER_INCH, facecolor=palette.paper)
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as PNG; the file appears when it is whole, and nothing is left behind on an error.

    Raises DiskSpaceError when the disk is full.
    """
    with atomic_write(path) as part:
        figure.savefig(part, format="png", dpi=SHARPNESS * POINTS_PER_INCH)


def draw_axes(
    axes: "Axes",
    curve: ScoreCurve,
    score_limits: tuple[float, float],
    palette: Palette,
    ticks: int,
    font_px: int = 10,
) -> None:
    """Draw the time and score axes of a video's plot, with its ground truth shaded, and no scores.

    score_limits: lowest and highest score shown. ticks: at most so many spaces between numbers on the time axis.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator, ScalarFormatter

    low_s, high_s = curve.limits_s
    axes.set(xlim=(low_s, high_s), ylim=score_limits)
    axes.xaxis.set_major_locator(MultipleLocator(time_step_s(high_s - low_s, ticks)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda time_s, _: tick_text(time_s, high_s)))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    # Without powers of ten, which matplotlib would write where the video's name stands.
    plain = ScalarFormatter(useOffset=False, useMathText=False)
    plain.set_scientific(False)
    axes.yaxis.set_major_formatter(plain)
    _style_axes(axes, palette, font_px)
    spans, across = curve.anomalous_spans(), axes.get_xaxis_transform()
    # Under the grid, so that scores can be read off inside a span as well.
    axes.broken_barh(spans, (0, 1), transform=across, color=palette.truth, linewidth=0, zorder=0.2)


def draw_threshold(axes: "Axes", threshold: float, palette: Palette) -> None:
    """Draw a dashed line with a label at the score from which a frame is anomalous."""
    axes.axhline(threshold, color=palette.threshold, zorder=3, **THRESHOLD_LINE)
    name = axes.annotate(
        "threshold", (1, threshold), (-2, 4), axes.get_yaxis_transform(), "offset points", ha="right", fontsize=10
    )
    name.set_color(palette.threshold)
    _write(name)


def _draw_alarms(axes: "Axes", curve: ScoreCurve, wide_px: int) -> None:
    """Draw the threshold of each frame as a dashed line, and the alarms as bars along the upper edge."""
    if curve.thresholds is not None:
        axes.step(curve.time_s, curve.thresholds, where="mid", color=LIGHT.threshold, zorder=3, **THRESHOLD_LINE)
    low_s, high_s = curve.limits_s
    shortest_s = (high_s - low_s) * NARROWEST_ALARM_PX / wide_px
    bars = [(start_s, max(end_s - start_s, shortest_s)) for start_s, end_s in curve.alarms]
    axes.broken_barh(bars, (0.96, 0.04), transform=axes.get_xaxis_transform(), color=ALARM, linewidth=0, zorder=5)


def draw_scores(axes: "Axes", curve: ScoreCurve, columns: int, palette: Palette) -> None:
    """Draw the scores as a line with gaps where there are none; a score alone between two gaps is a dot.

    columns: the width of the plot in pixels.
    """
    time_s, scores = peaks_by_column(curve.time_s, curve.scores, curve.limits_s, columns)
    axes.plot(time_s, scores, color=palette.curve, linewidth=1.5, solid_joinstyle="round", zorder=4)
    alone = np.isfinite(scores) & np.isnan(np.concatenate([[np.nan], scores[:-1]]))
    alone &= np.isnan(np.concatenate([scores[1:], [np.nan]]))
    axes.plot(time_s[alone], scores[alone], ".", color=palette.curve, markersize=6, zorder=4)


def peaks_by_column(
    time_s: NDArray[np.float64], scores: NDArray[np.float64], limits_s: tuple[float, float], columns: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return at most one score for each column of pixels, the highest, so that no peak is lost in a narrow plot.

    time_s, scores: (N,). limits_s: what the columns span. Each score stands at the last time of its column, so
    that a curve drawn up to a moment holds nothing from after it.

    >>> peaks_by_column(np.arange(4.0), np.array([1.0, 3.0, np.nan, 2.0]), (-0.5, 3.5), 2)
    (array([1., 3.]), array([3., 2.]))
    """
    if len(time_s) <= columns:
        return time_s, scores
    column = np.searchsorted(np.linspace(*limits_s, columns + 1), time_s, side="right")
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    ends = np.append(starts[1:], len(time_s)) - 1
    return time_s[ends], np.fmax.reduceat(scores, starts)


def score_limits(scores: Sequence[NDArray[np.float64]], *also: float) -> tuple[float, float]:
    """Return the lowest and highest value of a score axis with a margin; 0 to 1 if there is no score."""
    finite = np.concatenate([*(array[np.isfinite(array)] for array in scores), also])
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    air = 0.06 * (high - low) or 0.1 * abs(high) or 0.5
    return low - air, high + air


def time_step_s(length_s: float, spaces: int) -> float:
    """Return a round step that cuts a time axis into at most so many spaces."""
    fitting = (step_s for step_s in TIME_STEPS_S if length_s / step_s <= spaces)
    return next(fitting, 86400.0 * ceil(length_s / spaces / 86400.0))


def tick_text(time_s: float, longest_s: float) -> str:
    """Return a time in the words of an axis that ends at `longest_s`.

    >>> tick_text(2.5, 20), tick_text(90, 300), tick_text(3660, 9000)
    ('2.5 s', '1:30', '1:01:00')
    """
    if time_s < 0:  # the half frame before the first
        return ""
    if longest_s < 120:
        return f"{round(time_s, 3):g} s"
    minutes, seconds = divmod(round(time_s), 60)
    return f"{minutes}:{seconds:02d}" if longest_s < 3600 else f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


def _plot_grid(curves: Sequence[ScoreCurve], path: Path, title: str, columns: int, panel_px: tuple[int, int]) -> None:
    wide_px, tall_px = panel_px
    left_px, right_px, head_px, foot_px, gap_px, below_px = 64, 24, 92 if title else 66, 14, 28, 52
    rows = ceil(len(curves) / columns)
    width_px = left_px + max(columns * wide_px + (columns - 1) * gap_px, 11 * len(title)) + right_px
    height_px = head_px + rows * (tall_px + below_px) - 22 + foot_px
    figure = new_figure(width_px, height_px, LIGHT)
    thresholds = [curve.thresholds for curve in curves if curve.thresholds is not None]
    limits = score_limits([*(curve.scores for curve in curves), *thresholds])
    for number, curve in enumerate(curves):
        row, column = divmod(number, columns)
        box = (left_px + column * (wide_px + gap_px), head_px + row * (tall_px + below_px), wide_px, tall_px)
        axes = _axes_at(figure, box)
        draw_axes(axes, curve, limits, LIGHT, 5 if wide_px < 500 else 10)
        _draw_alarms(axes, curve, wide_px)
        draw_scores(axes, curve, SHARPNESS * wide_px, LIGHT)
        if column:
            axes.tick_params(labelleft=False)
        note = axes.text(1, 1 + 6 / tall_px, curve.note, transform=axes.transAxes, ha="right", fontsize=10)
        note.set_color(LIGHT.text if curve.auc is not None else LIGHT.quiet)
        longest = int((wide_px - 80) / 7.6)
        name = curve.name if len(curve.name) <= longest else curve.name[: longest - 1] + "…"
        label = axes.text(0, 1 + 6 / tall_px, name, transform=axes.transAxes, fontsize=11, color=LIGHT.text)
        label.set_fontweight("bold")
        _write(note)
        _write(label)
    if title:
        heading = figure.text(left_px / width_px, 1 - 24 / height_px, title, va="center", fontsize=15, color=LIGHT.text)
        heading.set_fontweight("bold")
        _write(heading)
    _draw_legend(figure, curves, (left_px / width_px, 1 - (head_px - 42) / height_px))
    save_figure(figure, path)


def _draw_legend(figure: "Figure", curves: Sequence[ScoreCurve], position: tuple[float, float]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Line2D | Patch] = [Line2D([], [], color=LIGHT.curve, linewidth=2, label="score")]
    if any(curve.labels is not None for curve in curves):
        entries.append(Patch(color=LIGHT.truth, label="anomalous (ground truth)"))
    if any(curve.thresholds is not None for curve in curves):
        entries.append(Line2D([], [], color=LIGHT.threshold, label="threshold of alarms", **THRESHOLD_LINE))
        alarms = sum(len(curve.alarms) for curve in curves)
        entries.append(Patch(color=ALARM, label=f"{alarms:,} alarm{'' if alarms == 1 else 's'}"))
    legend = figure.legend(
        handles=entries,
        loc="center left",
        bbox_to_anchor=position,
        ncols=len(entries),
        frameon=False,
        fontsize=10,
        labelcolor=LIGHT.quiet,
        borderpad=0,
        borderaxespad=0,
        handlelength=1.6,
    )
    for text in legend.get_texts():
        _write(text)


def _axes_at(figure: "Figure", box_px: tuple[float, float, float, float]) -> "Axes":
    """Create axes at left, top, width and height in pixels from the figure's upper left corner."""
    left, top, width, height = box_px
    total_width, total_height = figure.get_size_inches() * POINTS_PER_INCH
    return figure.add_axes(
        (left / total_width, 1 - (top + height) / total_height, width / total_width, height / total_height)
    )


def _style_axes(axes: "Axes", palette: Palette, font_px: int) -> None:
    axes.set_facecolor(palette.panel)
    axes.set_axisbelow(True)
    axes.grid(color=palette.grid, linewidth=1)
    axes.tick_params(length=0, pad=5, labelsize=font_px, labelcolor=palette.quiet, labelfontfamily="DejaVu Sans")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set(color=palette.quiet, linewidth=1)


def _write(text: "Text") -> None:
    """Show a text as it is: the name of a video may hold what matplotlib would read as a formula."""
    text.set_parse_math(False)
    text.set_fontfamily("DejaVu Sans")
